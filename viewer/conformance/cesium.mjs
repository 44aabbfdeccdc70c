/** Loads tile contents with Cesium's own loader, without a GPU, and reports what each of them holds. */

import { readFileSync } from "node:fs";

import { columns, pretendBrowser, reportFiles } from "./columns.mjs";

pretendBrowser();
console.log = console.warn = console.error;
const location = { href: "file:///scene/" };
Object.assign(globalThis, { location, CESIUM_BASE_URL: location.href, screen: {}, addEventListener() {} });
Object.assign(globalThis.document, { baseURI: location.href, location, getElementsByTagName: () => [] });
globalThis.Image = class {
  set src(_) {
    setTimeout(() => this.onerror?.());
  }
};
process.type = "renderer"; // its WebAssembly looks here for whether it is in Node
const source = "@cesium/engine/Source";
const { default: Content } = await import(`${source}/Scene/GaussianSplat3DTileContent.js`);
const { default: Resource } = await import(`${source}/Core/Resource.js`);

read.count = 0;
async function read(path) {
  const tileset = { gaussianSplatPrimitive: {}, isGltfExtensionRequired: () => true };
  const resource = new Resource({ url: `${location.href}${read.count++}.glb` }); // it caches by address
  const content = await Content.fromGltf(tileset, {}, resource, new Uint8Array(readFileSync(path)));
  const context = { webgl2: true, id: "one" };
  const frame = { afterRender: [], context, jobScheduler: { execute: () => true }, scene3DOnly: true };
  for (let i = 0; i < 400 && !content.ready; i++) {
    content.update({}, frame);
    await new Promise((resolve) => setTimeout(resolve, 5));
  }
  const attributes = content.gltfPrimitive.attributes;
  const named = (name) => {
    const { typedArray, count } = attributes.find((attribute) => attribute.name === name);
    return columns(typedArray, typedArray.length / count);
  };
  const prefix = "KHR_gaussian_splatting:";
  const rest = Array.from({ length: content.sphericalHarmonicsDegree }, (_, i) => i + 1).flatMap((degree) =>
    Array.from({ length: 2 * degree + 1 }, (_, i) => `${prefix}SH_DEGREE_${degree}_COEF_${i}`),
  );
  return {
    count: content.pointsLength,
    shDegree: content.sphericalHarmonicsDegree,
    means: named("POSITION"),
    scales: named(`${prefix}SCALE`),
    quatsXyzw: named(`${prefix}ROTATION`),
    rgba: named("COLOR_0"),
    sh: rest.flatMap(named),
  };
}

await reportFiles(read);

/** Loads GLB, SPZ and PLY with three's own loaders, without a GPU, and reports what each of them holds. */

import { readFileSync } from "node:fs";

import { columns, pretendBrowser, reportFiles } from "./columns.mjs";

pretendBrowser();
console.log = console.warn = console.error;
const loaders = "three/examples/jsm/loaders";
const { GLTFLoader } = await import(`${loaders}/GLTFLoader.js`);
const { GLTFGaussianSplatLoaderExtension } = await import(`${loaders}/GLTFGaussianSplatLoaderExtension.js`);
const { SPZLoader } = await import(`${loaders}/SPZLoader.js`);
const { GaussianSplatPLYLoader } = await import(`${loaders}/GaussianSplatPLYLoader.js`);

async function geometryOf(path) {
  const file = readFileSync(path);
  const bytes = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength);
  if (path.endsWith(".spz")) return new SPZLoader().parse(bytes);
  if (path.endsWith(".ply")) return new GaussianSplatPLYLoader().parse(bytes);
  const loader = new GLTFLoader();
  loader.register((parser) => new GLTFGaussianSplatLoaderExtension(parser));
  const { scene } = await loader.parseAsync(bytes, "");
  const found = [];
  scene.traverse((node) => node.splatGeometry && found.push(node.splatGeometry));
  return found[0];
}

async function read(path) {
  const { attributes } = await geometryOf(path);
  const bands = [1, 2, 3].map((degree) => attributes[`sphericalHarmonics${degree}`]).filter(Boolean);
  return {
    count: attributes.position.count,
    shDegree: bands.length,
    means: columns(attributes.position.array, 3),
    covariances: columns(attributes.covariance.array, 6),
    rgba: columns(attributes.color.array, 4),
    // Bytes of a band, coefficient by coefficient, padded to whole words.
    sh: bands.flatMap((band, i) => columns(new Uint8Array(band.array.buffer), band.itemSize * 4, 3 * (2 * i + 3))),
  };
}

await reportFiles(read);

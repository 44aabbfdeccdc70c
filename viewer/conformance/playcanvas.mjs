/** Loads a GLB with PlayCanvas' own parser, without a GPU, and reports the splats that it holds afterwards. */

import { readFileSync } from "node:fs";

import { column, pretendBrowser, report } from "./columns.mjs";

pretendBrowser();
console.log = console.error;
const { NullGraphicsDevice } = await import("playcanvas");
// The parser is not exported by name; these are the files that the container handler imports.
const source = new URL("../node_modules/playcanvas/build/playcanvas/src/framework/parsers/", import.meta.url);
const { GlbParser } = await import(new URL("glb-parser.js", source));
const { khrGaussianSplatting } = await import(new URL("glb/extensions/khr-gaussian-splatting.js", source));

const canvas = {
  addEventListener() {},
  removeEventListener() {},
  getBoundingClientRect: () => ({ width: 16, height: 16 }),
  width: 16,
  height: 16,
  style: {},
};
const device = new NullGraphicsDevice(canvas);
const file = readFileSync(process.argv[2]);
const bytes = file.buffer.slice(file.byteOffset, file.byteOffset + file.byteLength);
const registry = { loader: { _app: null } };
const parsed = await new Promise((resolve, reject) => {
  const done = (error, result) => (error ? reject(error) : resolve(result));
  GlbParser.parse("scene.glb", "", bytes, device, registry, {}, [khrGaussianSplatting], done);
});
const resources = parsed.gsplats.flat().filter(Boolean);
const data = resources[0].gsplatData;
const columns = (...names) => names.map((name) => column(data.getProp(name)));
const rest = Array.from({ length: { 0: 0, 1: 9, 2: 24, 3: 45 }[data.shBands] }, (_, i) => `f_rest_${i}`);

report({
  loader: "playcanvas",
  meshes: resources.length,
  count: data.numSplats,
  shDegree: data.shBands,
  means: columns("x", "y", "z"),
  scales: columns("scale_0", "scale_1", "scale_2"),
  quats: columns("rot_0", "rot_1", "rot_2", "rot_3"),
  opacities: columns("opacity"),
  dc: columns("f_dc_0", "f_dc_1", "f_dc_2"),
  rest: columns(...rest),
});

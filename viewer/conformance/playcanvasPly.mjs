/** Reads a PLY, plain or compressed, with PlayCanvas' own parser and reports what it holds. */

import { readFileSync } from "node:fs";

import { column, pretendBrowser, report } from "./columns.mjs";

pretendBrowser();
console.log = console.error;
await import("playcanvas");
const source = new URL("../node_modules/playcanvas/build/playcanvas/src/framework/parsers/", import.meta.url);
const { PlyParser } = await import(new URL("ply.js", source));

// The parser goes on to make textures; the data is told before that.
const parser = new PlyParser({ scene: null, graphicsDevice: null }, 0);
const loaded = await new Promise((resolve, reject) => {
  const asset = {
    data: { reorder: false },
    file: { contents: new Response(readFileSync(process.argv[2])) },
    fire: (name, data) => name === "load:data" && resolve(data),
  };
  parser.load({ load: "", original: "" }, reject, asset);
});
const data = loaded.isCompressed ? loaded.decompress() : loaded;
const columns = (...names) => names.map((name) => column(data.getProp(name)));
// Unpacking pads every degree to the third.
const [wanted, stride] = [loaded, data].map(({ shBands }) => [0, 3, 8, 15][shBands]);
const rest = [0, 1, 2].flatMap((channel) =>
  Array.from({ length: wanted }, (_, i) => `f_rest_${channel * stride + i}`),
);

report({
  loader: "playcanvas",
  isCompressed: Boolean(loaded.isCompressed),
  count: data.numSplats,
  shDegree: loaded.shBands,
  means: columns("x", "y", "z"),
  logScales: columns("scale_0", "scale_1", "scale_2"),
  quats: columns("rot_0", "rot_1", "rot_2", "rot_3"),
  opacityLogits: columns("opacity"),
  dc: columns("f_dc_0", "f_dc_1", "f_dc_2"),
  rest: columns(...rest),
});

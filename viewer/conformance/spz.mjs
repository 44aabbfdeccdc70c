/** Reads SPZ files with the format's own library (as WebAssembly) and reports what each of them holds. */

import { readFileSync } from "node:fs";

import loadLibrary from "@adobe/spz";

import { columns, reportFiles } from "./columns.mjs";

console.log = console.error;
const library = await loadLibrary({ print: console.error, printErr: console.error });

await reportFiles((path) => {
  const bytes = new Uint8Array(readFileSync(path));
  const cloud = library.loadSpzFromBuffer(bytes, { to: library.CoordinateSystem.RUB });
  const rows = (values) => columns(values, values.length / cloud.numPoints);
  return {
    count: cloud.numPoints,
    shDegree: cloud.shDegree,
    means: rows(cloud.positions),
    logScales: rows(cloud.scales),
    quatsXyzw: rows(cloud.rotations),
    opacityLogits: rows(cloud.alphas),
    dc: rows(cloud.colors),
    sh: rows(cloud.sh),
    statesFrame: cloud.extensions.length === 1,
  };
});

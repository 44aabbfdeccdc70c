/** Reads splat files with the library of splat-transform and reports what each of them holds. */

import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";

import * as transform from "@playcanvas/splat-transform";

import { column, reportFiles } from "./columns.mjs";

console.log = console.error;

/** A folder as the library asks for one: whole files, read when they are named. */
class Folder extends transform.MemoryReadFileSystem {
  constructor(folder) {
    super();
    this.folder = folder;
  }
  createSource(name, progress) {
    this.set(name, new Uint8Array(readFileSync(join(this.folder, name))));
    return super.createSource(name, progress);
  }
}

async function read(path) {
  const filename = basename(path);
  const inputFormat = transform.getInputFormat(filename);
  const fileSystem = new Folder(dirname(path));
  const [table] = await transform.readFile({ filename, inputFormat, fileSystem, options: {}, params: [] });
  const named = (...names) => names.map((name) => column(table.getColumnByName(name).data));
  const shDegree = transform.getSHBands(table);
  const rest = Array.from({ length: [0, 9, 24, 45][shDegree] }, (_, i) => `f_rest_${i}`);
  return {
    count: table.numRows,
    shDegree,
    means: named("x", "y", "z"),
    logScales: named("scale_0", "scale_1", "scale_2"),
    quats: named("rot_0", "rot_1", "rot_2", "rot_3"),
    opacityLogits: named("opacity"),
    dc: named("f_dc_0", "f_dc_1", "f_dc_2"),
    rest: named(...rest),
  };
}

await reportFiles(read);

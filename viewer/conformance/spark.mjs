/** Loads a splat file with Spark's own decoder, without a GPU, and reports the splats that it holds afterwards. */

import { readFileSync } from "node:fs";
import { basename } from "node:path";
import { Worker as Thread } from "node:worker_threads";

import { column, pretendBrowser, report } from "./columns.mjs";

/** What a worker finds around it in a browser, on top of Node's threads. */
const AROUND_WORKER = `
  const { parentPort } = require("node:worker_threads");
  const heard = [];
  globalThis.self = globalThis;
  self.addEventListener = (name, listener) => name === "message" && heard.push(listener);
  self.removeEventListener = (_, listener) => heard.splice(heard.indexOf(listener), 1);
  self.postMessage = (data, options) => parentPort.postMessage(data, options?.transfer ?? options);
  parentPort.on("message", (data) => [self.onmessage, ...heard].forEach((listener) => listener?.({ data })));
`;

class BrowserWorker {
  constructor(address) {
    const code = decodeURIComponent(address.slice(address.indexOf(",") + 1));
    this.thread = new Thread(AROUND_WORKER + code, { eval: true });
    this.thread.on("message", (data) => this.onmessage?.({ data }));
    this.thread.on("error", (error) => {
      console.error(error);
      process.exit(1);
    });
  }
  addEventListener() {}
  postMessage(data, options) {
    this.thread.postMessage(data, options?.transfer);
  }
  terminate() {
    this.thread.terminate();
  }
}

pretendBrowser();
console.log = console.error;
globalThis.Worker = BrowserWorker;
globalThis.Blob = undefined; // without it Spark carries its worker in an address, which can be read here
const { ExtSplats } = await import("@sparkjsdev/spark");

const path = process.argv[2];
const splats = new ExtSplats({ fileBytes: new Uint8Array(readFileSync(path)), fileName: basename(path) });
await splats.initialized;
const rows = [];
splats.forEachSplat((_, center, scales, quaternion, opacity, color) => {
  rows.push([
    ...[center.x, center.y, center.z, scales.x, scales.y, scales.z],
    ...[quaternion.w, quaternion.x, quaternion.y, quaternion.z, opacity, color.r, color.g, color.b],
  ]);
});
const columns = (begin, end) =>
  Array.from({ length: end - begin }, (_, i) => column(rows.map((row) => row[begin + i])));

report({
  loader: "spark",
  count: splats.getNumSplats(),
  shDegree: splats.getNumSh(),
  means: columns(0, 3),
  scales: columns(3, 6),
  quats: columns(6, 10),
  opacities: columns(10, 11),
  rgb: columns(11, 14),
});

/**
 * Decode chunks with the page's own code: `node scripts/decode-chunks.mjs FOLDER [ROUNDS]`.
 *
 * For every NAME.chunk the numbers come out as NAME.f32: means, quats (xyzw), scales, opacities, colours and
 * the rest of the SH of all splats, one after the other; for every NAME.layer, the rest of the SH. The last line is JSON: splats decoded to texture words
 * in a second of CPU, without reading files.
 */
import { readdirSync, readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "vite";

const [folder, rounds = "1"] = process.argv.slice(2);
const source = (name) => fileURLToPath(new URL(`../src/decode/${name}.ts`, import.meta.url));
const built = await build({
  configFile: false,
  logLevel: "error",
  build: { write: false, ssr: source("splatReader"), target: "node20" },
});
const code = built.output[0].code;
const { readSplatChunk, readLayer, encodeWords } = await import(`data:text/javascript,${encodeURIComponent(code)}`);

const names = readdirSync(folder).filter((name) => name.endsWith(".chunk"));
const files = names.map((name) => readFileSync(join(folder, name)));
const buffers = files.map((file) => new Uint8Array(file).buffer);
for (const [index, name] of names.entries()) {
  const s = await readSplatChunk(buffers[index], 3);
  const parts = [s.means, s.quats, s.scales, s.opacities, s.colors, s.rest];
  const bytes = Buffer.concat(parts.map((part) => Buffer.from(part.buffer, part.byteOffset, part.byteLength)));
  writeFileSync(join(folder, name.replace(/chunk$/, "f32")), bytes);
}
for (const name of readdirSync(folder).filter((name) => name.endsWith(".layer"))) {
  const { rest } = await readLayer(new Uint8Array(readFileSync(join(folder, name))).buffer, 3);
  writeFileSync(join(folder, name.replace(/layer$/, "f32")), Buffer.from(rest.buffer));
}
let splats = 0;
const before = process.cpuUsage();
for (let round = 0; round < Number(rounds); round++) {
  for (const buffer of buffers) splats += encodeWords(await readSplatChunk(buffer, 3)).count;
}
const { user, system } = process.cpuUsage(before);
console.log(JSON.stringify({ splats, splats_per_cpu_s: splats / ((user + system) / 1e6) }));

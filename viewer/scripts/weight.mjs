/**
 * What the built page weighs, compressed as the server does: until it can be used, and until the first picture.
 *
 *   node viewer/scripts/weight.mjs [PAGE_FOLDER] [--json]
 *
 * Follows index.html: what it and its scripts import at once is the shell; the first picture needs the visit
 * besides, with its worker and Spark's WASM. German, the head-up page and the scene itself are in neither.
 * Exit status 1 when either is over its goal.
 */

import { readFileSync, readdirSync } from "node:fs";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { gzipSync } from "node:zlib";

const GOALS_KB = { shell: 450, firstPicture: 1_100 };
const GZIP_LEVEL = 6; // as immersive/server/page.py

const { values, positionals } = parseArgs({ allowPositionals: true, options: { json: { type: "boolean" } } });
const folder = positionals[0] ?? fileURLToPath(new URL("../../streaming/_viewer", import.meta.url));
const read = (name) => readFileSync(join(folder, name));
const compressed = (name) => gzipSync(read(name), { level: GZIP_LEVEL }).length;
const ASSET = String.raw`["'\`](?:\.{0,2}/)*(?:assets/)?([\w.-]+\.(?:js|css|wasm|svg))["'\`]`;

/** Files that a script names in one way of naming them. */
function named(text, before, after = "") {
  const found = text.matchAll(new RegExp(`${before}\\s*${ASSET}${after}`, "g"));
  return [...found].map(([, name]) => `assets/${name}`);
}

/** Those files, and what their scripts import at once. */
function withImports(names, known = new Set()) {
  for (const name of names) {
    if (known.has(name)) continue;
    known.add(name);
    if (name.endsWith(".js")) withImports(named(read(name).toString(), "(?:\\bfrom|\\bimport)"), known);
  }
  return known;
}

const texts = (names) => [...names].filter((name) => name.endsWith(".js")).map((name) => read(name).toString());

const html = read("index.html").toString();
const shell = withImports([...html.matchAll(/(?:src|href)="\.?\/(assets\/[^"]+)"/g)].map(([, name]) => name));
shell.add("index.html");
const later = texts(shell).flatMap((text) => named(text, "\\bimport\\("));
const visit = later.find((name) => /\/visit-/.test(name));
if (!visit) throw new Error("the shell must import the visit");
const picture = withImports([visit], new Set(shell));
for (const name of readdirSync(join(folder, "assets"))) if (/^visit-.*\.css$/.test(name)) picture.add(`assets/${name}`);
for (const text of texts(picture)) for (const name of named(text, "new URL\\(", ",\\s*(?:``\\+)?import\\.meta\\.url")) picture.add(name);

const weigh = (names) => Object.fromEntries([...names].map((name) => [name, compressed(name)]));
const sum = (weights) => Object.values(weights).reduce((total, weight) => total + weight, 0);
const report = { shell: { files: weigh(shell) }, firstPicture: { files: weigh(picture) } };
for (const [name, part] of Object.entries(report)) {
  part.bytes = sum(part.files);
  part.goal_bytes = GOALS_KB[name] * 1_000;
  if (part.bytes > part.goal_bytes) process.exitCode = 1;
}
if (values.json) console.log(JSON.stringify(report));
else {
  for (const [file, bytes] of Object.entries(report.firstPicture.files)) {
    console.log(`${(bytes / 1e3).toFixed(1).padStart(8)} KB  ${file in report.shell.files ? "shell" : "     "}  ${file}`);
  }
  for (const [name, { bytes, goal_bytes }] of Object.entries(report)) {
    console.log(`${name}: ${(bytes / 1e3).toFixed(1)} KB gzip of at most ${goal_bytes / 1e3}`);
  }
}

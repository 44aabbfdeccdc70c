/**
 * What the page costs, in a real Chromium on software GL; PlayCanvas draws the same file along the same path.
 *
 *   npm run bench -- [--splats 100000,500000] [--gl swiftshader|llvmpipe] [--frames N] [--skip-playcanvas] [--out FILE] [--pictures DIR] [--query exact=0] [--near] [--link LINK]
 *
 * With LINK only the page is measured, on that scene. Else writes a synthetic PLY, imports and serves it with the Python of the environment variable PYTHON (python3), and
 * prints JSON. `cpuMs` is of all processes of the browser, so other work on the machine does not count; what ends in
 * `wallMs` is only as good as the machine is quiet.
 */

import { spawn, spawnSync } from "node:child_process";
import { createReadStream, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { fileURLToPath } from "node:url";
import { parseArgs } from "node:util";
import { openBrowser, state, until, withDebug } from "./chromium.mjs";
import { treeCpuMs } from "./cpu.mjs";
import { syntheticPly } from "./syntheticPly.mjs";

const { values } = parseArgs({
  options: {
    splats: { type: "string", default: "100000" },
    gl: { type: "string", default: "swiftshader" },
    frames: { type: "string", default: "12" },
    port: { type: "string", default: "8391" },
    "skip-playcanvas": { type: "boolean", default: false },
    out: { type: "string" },
    pictures: { type: "string" },
    query: { type: "string", default: "" },
    near: { type: "boolean", default: false },
    link: { type: "string" },
  },
});
const ROOT = fileURLToPath(new URL("../../", import.meta.url));
const PYTHON = process.env.PYTHON ?? "python3";
const VIEW = { width: 640, height: 480 };
const FRAMES = Number(values.frames);
/** Frames that compile shaders and grow buffers. */
const WARM_UP = 4;
const FOV_DEG = 65;
const STEP_M = 0.05;
/** Feet of a visitor whose eyes are in the middle of a clump of `syntheticPly`, splats all around. */
const IN_A_CLUMP = [0, -0.7, -2.3];
const STEP_DEG = 2.5;

const folder = mkdtempSync(join(tmpdir(), "immersive-bench-"));
const report = { gl: values.gl, view: VIEW, frames: FRAMES, runs: [] };
try {
  for (const count of values.link ? [] : values.splats.split(",").map(Number)) {
    const ply = join(folder, `${count}.ply`);
    writeFileSync(ply, syntheticPly(count));
    const home = join(folder, `home${count}`);
    const link = importScene(ply, home);
    const server = await serve(home);
    try {
      const ours = await measurePage(link);
      const { path, picture, ...page } = ours;
      const run = { splats: count, page };
      if (!values["skip-playcanvas"]) {
        const theirs = await measurePlayCanvas(ply, path, picture);
        Object.assign(run, { playcanvas: theirs, cpuRatio: round(page.cpuMsPerFrame / theirs.cpuMsPerFrame) });
      }
      report.runs.push(run);
    } finally {
      server.kill();
    }
  }
  if (values.link) {
    const { path: _path, picture: _picture, ...page } = await measurePage(values.link);
    report.runs.push({ page });
  }
} finally {
  rmSync(folder, { recursive: true, force: true });
}
const text = JSON.stringify(report, undefined, 1);
process.stdout.write(`${text}\n`);
if (values.out) writeFileSync(values.out, text);

function python(home, ...command) {
  return [PYTHON, ["-m", "immersive.cli", ...command], { cwd: ROOT, env: { ...process.env, IMMERSIVE_HOME: home } }];
}

function importScene(ply, home) {
  const done = spawnSync(...python(home, "import", ply, "--frame", "rub", "--json"));
  if (done.status !== 0) throw new Error(`the import failed: ${done.stderr}`);
  const link = new URL(JSON.parse(done.stdout).link);
  link.port = values.port;
  return link.href;
}

async function serve(home) {
  const server = spawn(...python(home, "serve", "--port", values.port));
  for (let tries = 0; tries < 300; tries++) {
    const answer = await fetch(`http://127.0.0.1:${values.port}/healthz`).catch(() => undefined);
    if (answer) return server;
    await new Promise((resolve) => setTimeout(resolve, 200));
  }
  server.kill();
  throw new Error("the server did not answer within a minute");
}

async function measurePage(link) {
  const { browser, page } = await openBrowser({ ...VIEW, gl: values.gl });
  try {
    await page.addInitScript(() => {
      window.__turns = [];
      const turn = (time) => {
        window.__turns.push(time);
        requestAnimationFrame(turn);
      };
      requestAnimationFrame(turn);
    });
    const address = new URL(withDebug(link));
    for (const [name, value] of new URLSearchParams(values.query)) address.searchParams.set(name, value);
    await page.goto(address.href);
    await until(page, "a first picture", (now) => now.splatsDrawn > 0);
    const from = await page.evaluate(() => window.__turns.length);
    const before = await until(page, "the whole scene", (now) => now.isSettled && now.phase === "complete");
    const turns = await page.evaluate((start) => window.__turns.slice(start), from);
    const chunks = await page.evaluate(() => window.__immersive.chunkTimes());
    const moved = await along(page, values.near ? IN_A_CLUMP : before.feet);
    const picture = await page.evaluate(() => window.__immersive.capture());
    return { alive: before.splatsAlive, chunks: chunkFigures(chunks), streaming: turnFigures(turns), ...moved, picture };
  } finally {
    await browser.close();
  }
}

/** Walk the path frame by frame, from where the scene begins, and end where it ends. */
async function along(page, feet) {
  const walk = ([steps, first]) =>
    page.evaluate(
      async ([count, begin, [x, y, z], stepM, stepDeg]) => {
        const { state, stand } = window.__immersive;
        const path = [];
        for (let step = 0; step < count; step++) {
          const at = begin + step;
          const drawn = state().framesDrawn;
          stand([x, y, z - stepM * at], stepDeg * at);
          do await new Promise(requestAnimationFrame);
          while (state().framesDrawn === drawn);
          path.push(state().cameraMatrix);
        }
        return path;
      },
      [steps, first, feet, STEP_M, STEP_DEG],
    );
  await walk([WARM_UP, -WARM_UP]);
  const cpu = treeCpuMs();
  const frames = (await state(page)).framesDrawn;
  const path = await walk([FRAMES, 0]);
  const drawn = (await state(page)).framesDrawn - frames;
  const cpuMsPerFrame = round((treeCpuMs() - cpu) / drawn);
  await until(page, "a sorted picture", (now) => now.isSettled);
  return { cpuMsPerFrame, framesDrawn: drawn, path };
}

async function measurePlayCanvas(ply, path, picture) {
  const host = hostPlayCanvas(ply);
  const { browser, page } = await openBrowser({ ...VIEW, gl: values.gl });
  try {
    await page.goto(`http://127.0.0.1:${await host.port}/`);
    await page.waitForFunction(() => window.__ready);
    await page.evaluate(([matrices, frames]) => window.__walk(matrices.slice(0, frames)), [path, WARM_UP]);
    await page.waitForTimeout(1_000);
    const cpu = treeCpuMs();
    const drawn = await page.evaluate((matrices) => window.__walk(matrices), path);
    const cpuMsPerFrame = round((treeCpuMs() - cpu) / drawn);
    await page.waitForTimeout(2_000);
    const psnrDb = round(await page.evaluate((ours) => window.__compare(ours), picture));
    if (values.pictures) {
      const theirs = await page.evaluate(() => window.__theirs);
      for (const [name, url] of [["page", picture], ["playcanvas", theirs]]) {
        writeFileSync(join(values.pictures, `${name}.png`), Buffer.from(url.split(",")[1], "base64"));
      }
    }
    return { cpuMsPerFrame, framesDrawn: drawn, psnrDb };
  } finally {
    await browser.close();
    host.close();
  }
}

function hostPlayCanvas(ply) {
  const files = {
    "/": ["text/html", fileURLToPath(new URL("playcanvas.html", import.meta.url))],
    "/playcanvas.mjs": ["text/javascript", fileURLToPath(new URL("../node_modules/playcanvas/build/playcanvas.min.mjs", import.meta.url))],
    "/scene.ply": ["application/octet-stream", ply],
  };
  const server = createServer((request, response) => {
    const [type, file] = files[request.url.split("?")[0]] ?? [];
    if (!file) return response.writeHead(404).end();
    response.writeHead(200, { "content-type": type });
    createReadStream(file).pipe(response);
  });
  const port = new Promise((resolve) => server.listen(0, "127.0.0.1", () => resolve(server.address().port)));
  return { port, close: () => server.close() };
}

function chunkFigures(chunks) {
  const whole = chunks.filter(({ splats }) => splats > 2_048);
  const of = (name) => whole.map((chunk) => (chunk[name] * 4_096) / chunk.splats);
  const figures = (numbers) => ({ p50: round(quantile(numbers, 0.5)), p95: round(quantile(numbers, 0.95)) });
  return { count: whole.length, workerWallMs: figures(of("workerMs")), mainWallMs: figures(of("mainMs")) };
}

function turnFigures(turns) {
  const lengths = turns.slice(1).map((time, at) => time - turns[at]);
  const median = quantile(lengths, 0.5);
  return { turns: lengths.length, medianWallMs: round(median), beyondTwice: lengths.filter((ms) => ms > 2 * median).length };
}

function quantile(numbers, share) {
  const sorted = [...numbers].sort((a, b) => a - b);
  return sorted[Math.min(sorted.length - 1, Math.floor(share * sorted.length))] ?? 0;
}

function round(value) {
  return Math.round(100 * value) / 100;
}

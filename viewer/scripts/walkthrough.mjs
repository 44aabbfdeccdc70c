/**
 * Visits a scene in a real browser and writes what it saw as JSON.
 *
 *   node viewer/scripts/walkthrough.mjs LINK OUT.json [--poses POSES.json] [--walk] [--vr] [--revoked LINK]
 *
 * LINK is opened first and every chunk waited for. Then, as asked for:
 *   --poses FILE    [{viewmat [16], K [9], width, height, png}]: the canvas from each OpenCV camera, written to `png`
 *   --walk          walk ahead with real key presses until something stops the visitor
 *   --stand X,Y,Z,YAW_DEG   where the walk begins, instead of the scene's spawn
 *   --door LINK     open a place of a story and walk through its first doorway into the place behind
 *   --vr            enter VR through an emulated headset, move, turn, leave
 *   --revoked LINK  open a withdrawn link and read the card
 *   --screens DIR   keep screenshots of each step there
 *
 * Exit status 0 when every step did what it must; 1 with one sentence on stderr when not.
 */

import { mkdirSync, writeFileSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openBrowser, state, until, withDebug } from "./chromium.mjs";
import { visitVr } from "./headset.mjs";

const VIEW = { width: 640, height: 360 };
/** Turns of the frame loop without a step that count as stopped; slow machines turn once a second. */
const STILL_TICKS = 8;
const STILL_FOR_MS = 1_000;
const STILL_M = 0.01;
const LEAST_WALK_M = 0.5;
const BEFORE_DOOR_M = 1.3;
const LONGEST_WALK_MS = 240_000;
/** Software GL pays by the pixel; a walk needs steps, not pixels. */
const WALKING_VIEW = { width: 240, height: 136 };

// A position may begin with a minus, which parseArgs takes only behind an equals sign.
const given = process.argv.slice(2);
const stand = given.indexOf("--stand");
if (stand >= 0) given.splice(stand, 2, `--stand=${given[stand + 1]}`);

const { values, positionals } = parseArgs({
  args: given,
  allowPositionals: true,
  options: {
    poses: { type: "string" },
    walk: { type: "boolean", default: false },
    stand: { type: "string" },
    door: { type: "string" },
    vr: { type: "boolean", default: false },
    revoked: { type: "string" },
    screens: { type: "string" },
  },
});
const [link, out] = positionals;

class Unmet extends Error {}

function must(holds, sentence) {
  if (!holds) throw new Unmet(sentence);
}

const distance = (a, b) => Math.hypot(a[0] - b[0], a[2] - b[2]);

async function keepScreen(page, name) {
  if (values.screens) await page.screenshot({ path: join(values.screens, `${name}.png`) });
}

async function visit(report) {
  const { browser, page, complaints } = await openBrowser(VIEW);
  try {
    const started = Date.now();
    await page.goto(withDebug(link));
    await until(page, "a first picture", (now) => now.splatsDrawn > 0);
    const firstPictureMs = Date.now() - started;
    const whole = await until(page, "the whole scene", (now) => now.isSettled && now.phase === "complete");
    report.scene = { ...whole, firstPictureMs, title: await page.title() };
    report.label = await page.locator(".chip:visible").allTextContents();
    must(whole.chunksShown === whole.chunksPlanned || whole.chunksLeftOut > 0, "every chunk must be shown");
    must(whole.brokenChunks === 0, "no chunk may arrive broken");
    await keepScreen(page, "scene");
    if (values.poses) report.poses = await photograph(page, JSON.parse(readFileSync(values.poses, "utf8")));
    if (values.walk) report.walk = await walkAhead(page);
    await keepScreen(page, "walked");
    report.complaints = complaints;
    must(complaints.length === 0, `the page must not complain, but said: ${complaints[0]}`);
  } finally {
    await browser.close();
  }
}

/** The canvas from each camera, without the interface over it. */
async function photograph(page, poses) {
  const taken = [];
  for (const { png, ...pose } of poses) {
    await page.setViewportSize({ width: pose.width, height: pose.height });
    await page.evaluate((camera) => window.__immersive.setPose(camera), pose);
    const { framesDrawn } = await state(page);
    await until(page, "a picture from a given pose", (now) => now.framesDrawn > framesDrawn && now.isSettled);
    await page.waitForTimeout(500); // one more order may come from the last turn
    await until(page, "a sorted picture", (now) => now.isSettled);
    const url = await page.evaluate(() => window.__immersive.capture());
    writeFileSync(png, Buffer.from(url.split(",")[1], "base64"));
    taken.push(png);
  }
  await page.evaluate(() => window.__immersive.releasePose());
  await page.setViewportSize(VIEW);
  return taken;
}

async function walkAhead(page) {
  await page.setViewportSize(WALKING_VIEW);
  if (values.stand) {
    const [x, y, z, yaw] = values.stand.split(",").map(Number);
    await page.evaluate(([at, turn]) => window.__immersive.stand(at, turn), [[x, y, z], yaw]);
  }
  const start = await until(page, "a floor to stand on", (now) => now.hasCollider && now.isGrounded);
  await page.locator("#scene").focus();
  await page.keyboard.down("KeyW");
  const began = Date.now();
  let last = start.feet;
  let lowest = start.feet[1];
  let stillSince = Date.now();
  let stillTick = start.ticks;
  let now = start;
  let length = 0;
  while (Date.now() - began < LONGEST_WALK_MS) {
    await page.waitForTimeout(200);
    now = await state(page);
    lowest = Math.min(lowest, now.feet[1]);
    length += distance(now.feet, last);
    if (distance(now.feet, last) > STILL_M) {
      stillSince = Date.now();
      stillTick = now.ticks;
    }
    last = now.feet;
    const isStill = Date.now() - stillSince > STILL_FOR_MS && now.ticks - stillTick > STILL_TICKS;
    if (isStill && length > 0) break;
  }
  await page.keyboard.up("KeyW");
  await page.setViewportSize(VIEW);
  const walk = { from: start.feet, to: now.feet, lengthM: length, lowestY: lowest, rescues: now.rescues };
  must(length > LEAST_WALK_M, `the visitor must walk when W is held, walked ${length.toFixed(2)} m`);
  const way = `walked ${length.toFixed(2)} m from ${start.feet} to ${now.feet}`;
  must(Date.now() - began < LONGEST_WALK_MS, `something must stop the visitor, ${way}`);
  must(now.rescues === 0 && now.isGrounded, "the visitor must stay on the floor");
  return walk;
}

/** Stand before the first doorway, walk into it, and wait for the whole place behind it. */
async function throughDoor(address) {
  const { browser, page, complaints } = await openBrowser(VIEW);
  try {
    await page.goto(withDebug(address));
    const seen = await walkThroughDoor(page);
    must(complaints.length === 0, `the page must not complain, but said: ${complaints[0]}`);
    return seen;
  } finally {
    await browser.close();
  }
}

async function walkThroughDoor(page) {
  const before = await until(page, "a doorway", (now) => now.portals.length > 0 && now.hasCollider);
  const [x, y, z, yawDeg] = before.portals[0];
  const yaw = (yawDeg * Math.PI) / 180;
  const feet = [x + BEFORE_DOOR_M * Math.sin(yaw), y, z + BEFORE_DOOR_M * Math.cos(yaw)];
  await page.evaluate(([at, turn]) => window.__immersive.stand(at, turn), [feet, yawDeg]);
  await page.waitForTimeout(1_000);
  await keepScreen(page, "doorway");
  await page.setViewportSize(WALKING_VIEW);
  await page.locator("#scene").focus();
  await page.keyboard.down("KeyW");
  await until(page, "the way through the doorway", (now) => now.title !== before.title);
  await page.keyboard.up("KeyW");
  await page.setViewportSize(VIEW);
  const behind = await until(page, "the place behind the doorway", (now) => now.isSettled && now.phase === "complete");
  await until(page, "its floor", (now) => now.hasCollider && now.isGrounded);
  must(behind.chunksShown === behind.chunksPlanned, "every chunk of the place behind must be shown");
  await page.waitForTimeout(1_000);
  await keepScreen(page, "behind");
  return { from: before.title, title: behind.title, feet: (await state(page)).feet, splats: behind.splatsAlive };
}

async function readCard(address, expected) {
  const { browser, page } = await openBrowser(VIEW);
  try {
    await page.goto(address);
    const card = page.locator(".card");
    await card.waitFor();
    const read = { code: await card.getAttribute("data-code"), text: (await card.innerText()).trim() };
    await keepScreen(page, expected);
    must(read.code === expected, `a withdrawn link must show ${expected}, showed ${read.code}`);
    return read;
  } finally {
    await browser.close();
  }
}

async function run(report) {
  await visit(report);
  if (values.door) report.door = await throughDoor(values.door);
  if (values.vr) report.vr = await visitVr(link, must, keepScreen);
  if (values.revoked) report.revoked = await readCard(values.revoked, "link_revoked");
}

if (!link || !out) {
  process.stderr.write("usage: walkthrough.mjs LINK OUT.json [--poses FILE] [--walk] [--vr] [--revoked LINK]\n");
  process.exit(2);
}
if (values.screens) mkdirSync(values.screens, { recursive: true });
const report = { link: link.split("#")[0] };
try {
  await run(report);
  report.ok = true;
} catch (error) {
  report.ok = false;
  report.reason = error instanceof Error ? error.message : String(error);
  process.stderr.write(`walkthrough: ${report.reason}\n`);
  process.exitCode = 1;
} finally {
  writeFileSync(out, JSON.stringify(report, undefined, 1));
}

/**
 * Walks about on a synthetic slow GPU and writes what the governor did as JSON.
 *
 *   node viewer/scripts/govern.mjs LINK OUT.json [--slow MS] [--fps N] [--splats N] [--seconds N] [--screens DIR]
 *
 * Then looks at the figures, chooses a low quality, and comes again. MS is what a megapixel under 100 000 splats costs; `?debug` alone draws without a governor.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openBrowser, state, until, withDebug } from "./chromium.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: {
    slow: { type: "string", default: "0" },
    fps: { type: "string", default: "5" },
    splats: { type: "string" },
    seconds: { type: "string", default: "20" },
    screens: { type: "string" },
  },
});
const [link, out] = positionals;
const VIEW = { width: 400, height: 240 };
/** Samples that must hold in a row: one may be luck. */
const HOLDS = 3;
const WITHIN = 1.1;

const address = new URL(withDebug(link));
address.searchParams.set("slow", values.slow);
address.searchParams.set("fps", values.fps);
if (values.splats) address.searchParams.set("splats", values.splats);

const { browser, page, complaints } = await openBrowser(VIEW);
try {
  await page.goto(address.href);
  const before = await until(page, "the whole scene", (now) => now.isSettled && now.phase === "complete");
  await page.locator("#scene").focus();
  await page.keyboard.down("ArrowLeft"); // turning keeps every frame new
  const began = Date.now();
  const samples = [];
  let heldAfterMs;
  while (Date.now() - began < 1_000 * Number(values.seconds)) {
    await page.waitForTimeout(200);
    const { governor, splatsAlive, pixelRatio, framesDrawn } = await state(page);
    samples.push({ ms: Date.now() - began, frameMs: governor.frameMs, splatsAlive, pixelRatio, framesDrawn });
    const last = samples.slice(-HOLDS);
    const holds = governor.log.length > 0 && last.every(({ frameMs }) => frameMs > 0 && frameMs < WITHIN * governor.targetMs);
    if (!holds) continue;
    heldAfterMs = Date.now() - began;
    break;
  }
  await page.keyboard.up("ArrowLeft");
  const slow = await state(page);
  await page.keyboard.press("KeyG");
  const figures = await page.locator(".figures p").allTextContents();
  if (values.screens) await page.screenshot({ path: join(values.screens, "figures.png") });
  await page.keyboard.press("KeyG");
  const hidden = await page.locator(".figures").isHidden();
  const still = await until(page, "a sharp picture", (now) => now.isSettled && now.pixelRatio === 1);
  await page.keyboard.press("?");
  await page.locator("#quality").selectOption("low");
  if (values.screens) await page.screenshot({ path: join(values.screens, "quality.png") });
  const low = await state(page);
  await page.reload();
  const again = await until(page, "the scene again", (now) => now.splatsDrawn > 0);
  const chosen = { low, again, shown: await page.locator("#quality").inputValue() };
  writeFileSync(out, JSON.stringify({ figures, hidden, chosen, before, slow, still, samples, heldAfterMs, complaints }, undefined, 1));
} finally {
  await browser.close();
}

/**
 * Opens the link of a scene that is still being made, and follows it until it is finished.
 *
 *   node viewer/scripts/grow.mjs LINK OUT.json DRAFT_SPLATS FINAL_SPLATS [--screens DIR]
 *
 * Says "frames", "draft" and "finished" on standard output, a line each, as soon as the page shows them, so
 * that whoever started it can go on making the scene. Exit status 0 when all came without a complaint and the
 * picture never went blank; 1 with one sentence on stderr when not.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openBrowser, until, withDebug } from "./chromium.mjs";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { screens: { type: "string" } } });
const [link, out, draft, final] = positionals;
if (!link || !out || !draft || !final) {
  process.stderr.write("usage: grow.mjs LINK OUT.json DRAFT_SPLATS FINAL_SPLATS [--screens DIR]\n");
  process.exit(2);
}

const { browser, page, complaints } = await openBrowser({ width: 640, height: 400 });
const say = async (word) => {
  if (values.screens) await page.screenshot({ path: join(values.screens, `${word}.png`) });
  process.stdout.write(`${word}\n`);
};
const chip = () => page.evaluate(() => document.querySelector(".chip.growing:not([hidden])")?.textContent ?? null);
try {
  await page.goto(withDebug(link));
  await page.locator(".frames img.is-shown").first().waitFor();
  await page.waitForTimeout(900); // faded in
  const title = await page.locator(".curtain h2").textContent();
  const words = await page.locator(".curtain p").textContent();
  const frames = await page.locator(".frames img").count();
  await say("frames");

  const whole = (count) => (now) => now.splatsAlive === Number(count) && now.isSettled && now.splatsDrawn > 0;
  const first = await until(page, "the draft", whole(draft));
  await page.locator(".chip.growing:not([hidden])").waitFor();
  const draftChip = await chip();
  await page.evaluate(() => {
    window.leastDrawn = Infinity;
    const look = () => {
      window.leastDrawn = Math.min(window.leastDrawn, window.__immersive.state().splatsDrawn);
      requestAnimationFrame(look);
    };
    look();
  });
  await page.waitForTimeout(1_000); // the curtain has opened
  await say("draft");

  const second = await until(page, "the finished scene", whole(final));
  const leastDrawn = await page.evaluate(() => window.leastDrawn);
  await page.waitForFunction(() => document.querySelector(".chip.growing").hidden);
  const status = await page.locator(".status").textContent();
  await say("finished");
  if (complaints.length > 0) throw new Error(`the page must not complain, but said: ${complaints[0]}`);
  writeFileSync(out, JSON.stringify({ title, words, frames, draftChip, first, second, leastDrawn, status }));
} catch (error) {
  process.stderr.write(`grow: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  await browser.close();
}

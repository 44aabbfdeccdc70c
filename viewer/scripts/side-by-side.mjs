/**
 * Looks through `?view=sbs` in a real browser: what each eye sees, swapped, converged, and turned by a phone.
 *
 *   node viewer/scripts/side-by-side.mjs LINK OUT.json DIR
 *
 * Writes the canvas as PNG files into DIR and what was found as JSON. The eyes are 0.3 m apart, so that a wrong
 * sign cannot hide.
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openBrowser, state, until, withDebug } from "./chromium.mjs";

const VIEW = { width: 640, height: 240 };
const TURN_DEG = 20;
const CONVERGENCE_PRESSES = 18;
const [link, out, folder] = process.argv.slice(2);

const address = new URL(withDebug(link));
for (const [name, value] of [["view", "sbs"], ["ipd", "300"], ["convergence", "0"]]) address.searchParams.set(name, value);

const { browser, page, complaints } = await openBrowser(VIEW);
try {
  await page.goto(address.href);
  await until(page, "the whole scene", (now) => now.isSettled && now.phase === "complete");
  await settle();
  const before = await state(page);
  await keep("parallel");
  await page.screenshot({ path: join(folder, "awake.png") });
  await page.keyboard.press("KeyX");
  await settle();
  await keep("swapped");
  await page.keyboard.press("KeyX");
  for (let press = 0; press < CONVERGENCE_PRESSES; press++) await page.keyboard.press("Comma");
  await settle();
  await keep("converged");
  await page.waitForFunction(() => getComputedStyle(document.querySelector("#hud")).opacity === "0");
  await page.screenshot({ path: join(folder, "asleep.png") });
  const devtools = await page.context().newCDPSession(page);
  const hold = (alpha) => devtools.send("DeviceOrientation.setDeviceOrientationOverride", { alpha, beta: 90, gamma: 0 });
  await page.locator("#scene").focus();
  await page.keyboard.press("ShiftLeft"); // the buttons come back
  await page.locator(".sbs-head button").click();
  await hold(50);
  await page.waitForTimeout(500);
  await settle();
  const still = (await state(page)).cameraMatrix;
  await hold(50 + TURN_DEG);
  await page.waitForFunction(
    (was) => window.__immersive.state().cameraMatrix.some((value, at) => Math.abs(value - was[at]) > 0.1),
    still,
  );
  await settle();
  const turned = (await state(page)).cameraMatrix;
  const report = { cameraMatrix: before.cameraMatrix, splats: before.splatsAlive, still, turned, turnDeg: TURN_DEG };
  writeFileSync(out, JSON.stringify({ ...report, convergenceM: 100 * 0.8 ** CONVERGENCE_PRESSES, complaints }, undefined, 1));
} finally {
  await browser.close();
}

async function keep(name) {
  const url = await page.evaluate(() => window.__immersive.capture());
  writeFileSync(join(folder, `${name}.png`), Buffer.from(url.split(",")[1], "base64"));
}

async function settle() {
  await page.waitForTimeout(500);
  await until(page, "a sorted picture", (now) => now.isSettled);
}

/**
 * Two pages in one link, in a real browser: what the first sees of the second, as JSON.
 *
 *   node viewer/scripts/company.mjs LINK OUT.json [SCREENS_DIR]
 *
 * The second visitor stands 2 m before the first and comes nearer; then the first hides others, shows them
 * again, and the second leaves. OUT holds where the second stood, where the first saw them, and pictures of
 * the first's canvas with and without them (PNG in data URLs).
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { openBrowser, state, until, withDebug } from "./chromium.mjs";

const VIEW = { width: 640, height: 360 };
const [link, out, screens] = process.argv.slice(2);
const report = {};
const { browser, page: one, complaints } = await openBrowser(VIEW);

/** Where a visitor's eyes are. */
const eye = ({ cameraMatrix }) => cameraMatrix.slice(12, 15);
const capture = (page) => page.evaluate(() => window.__immersive.capture());

try {
  await one.goto(withDebug(link));
  const alone = await until(one, "the whole scene", (now) => now.isSettled && now.hasCollider && now.isGrounded);
  report.alone = { others: alone.others, isOffered: await one.getByRole("button", { name: /other visitor/ }).isVisible() };
  report.pictureAlone = await capture(one);

  // A window of its own: in the same one, a page behind the other would stand still.
  const two = await (await browser.newContext({ viewport: VIEW })).newPage();
  two.setDefaultTimeout(120_000);
  two.on("pageerror", (error) => complaints.push(`exception of the second: ${error.message}`));
  await two.goto(withDebug(link));
  await until(two, "the whole scene again", (now) => now.isSettled && now.hasCollider && now.others.length === 1);

  const [x, y, z] = alone.feet;
  const back = alone.cameraMatrix.slice(8, 11); // the camera looks along -Z of its matrix
  const away = (metres) => [x - back[0] * metres, y, z - back[2] * metres];
  const yaw = (Math.atan2(back[0], back[2]) * 180) / Math.PI;
  report.seen = [];
  for (const metres of [2, 1.5]) {
    await two.evaluate(({ at, yaw }) => window.__immersive.stand(at, yaw), { at: away(metres), yaw: yaw + 160 });
    const stood = await until(two, "the second to stand", (now) => now.isGrounded && near(now.feet, away(metres), 0.3, 1));
    const there = eye(await settled(two, stood));
    const saw = await until(one, "the second to be seen there", ({ others }) => others.some(({ position }) => near(position, there, 0.02, 0.02)));
    report.seen.push({ name: saw.others[0].name, position: saw.others[0].position, eye: there });
  }
  await one.waitForTimeout(1_000); // figures come to rest a little later than people
  await frames(one);
  report.pictureTogether = await capture(one);
  await two.keyboard.press("t");
  await two.locator("#say-text").fill("What a view from up here, over the whole lake!");
  await two.keyboard.press("Enter");
  const said = one.locator(".status", { hasText: "What a view" });
  await said.waitFor();
  report.said = await said.textContent();
  await frames(one);
  report.pictureSaying = await capture(one);
  if (screens) {
    await one.screenshot({ path: join(screens, "company.png") });
    await two.screenshot({ path: join(screens, "company-second.png") });
  }
  await one.getByRole("button", { name: "1 other visitor" }).click();
  await one.getByRole("button", { name: "Hide others" }).click();
  await until(one, "others hidden", (now) => now.areOthersHidden);
  report.pictureHidden = await capture(one);
  await one.getByRole("button", { name: "Show others" }).click();
  await until(one, "others shown", (now) => !now.areOthersHidden);

  await two.close();
  const after = await until(one, "the second to be gone", (now) => now.others.length === 0);
  await one.keyboard.press("Escape");
  report.after = { others: after.others, isOffered: await one.getByRole("button", { name: /other visitor/ }).isVisible() };
  report.pictureAfter = await capture(one);
  report.complaints = complaints;
  writeFileSync(out, JSON.stringify(report));
} catch (error) {
  console.error(String(error), JSON.stringify({ complaints, last: await state(one).catch(() => undefined) }));
  process.exitCode = 1;
} finally {
  await browser.close();
}

function near(a, b, across, up) {
  return Math.hypot(a[0] - b[0], a[2] - b[2]) < across && Math.abs(a[1] - b[1]) < up;
}

/** Wait for some turns of a page's frame loop. */
async function frames(page) {
  const { ticks: before } = await state(page);
  return until(page, "further frames", ({ ticks }) => ticks > before + 2);
}

/** The state once the visitor has stopped moving; a frame may take a second. */
async function settled(page, first) {
  let before = first;
  for (;;) {
    const now = await frames(page);
    if (near(eye(now), eye(before), 1e-4, 1e-4)) return now;
    before = now;
  }
}

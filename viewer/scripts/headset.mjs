/** Enters VR through IWER, an emulated Quest 3 that the page knows nothing of. */

import { createRequire } from "node:module";
import { openBrowser, state, until, withDebug } from "./chromium.mjs";

const IWER = createRequire(import.meta.url).resolve("iwer/build/iwer.min.js");
/** The page must be as large as the session: IWER draws both eyes side by side into it. */
const BOTH_EYES = { width: 800, height: 400 };
/** Sum of red, green and blue from which a pixel counts as lit. */
const LIT = 60;
const LEAST_LIT_SHARE = 0.2;

export async function visitVr(link, must, keepScreen) {
  const { browser, page, complaints } = await openBrowser(BOTH_EYES);
  try {
    await page.addInitScript({ path: IWER });
    await page.addInitScript(() => {
      const device = new window.IWER.XRDevice(window.IWER.metaQuest3, { stereoEnabled: true, ipd: 0.063, fovy: Math.PI / 2 });
      // On a secure origin Chromium has an XRSystem of its own, without a headset.
      device.installRuntime({ forceInstall: true });
      device.position.set(0, 1.6, 0);
      device.quaternion.set(0, 0, 0, 1);
      window.__device = device;
    });
    await page.goto(withDebug(link));
    await until(page, "the whole scene before VR", (now) => now.isSettled && now.hasCollider);
    const before = await state(page);
    await page.getByRole("button", { name: "Enter VR" }).click();
    await until(page, "a VR session", (now) => now.isPresenting && now.framesDrawn > before.framesDrawn + 6);
    await page.waitForTimeout(1_500);
    const picture = await page.screenshot();
    const [left, right] = await eyes(page, picture.toString("base64"));
    await keepScreen(page, "vr");

    const walked = await push(page, "left", 0, -1, 12);
    await push(page, "left", 0, 0, 3);
    const turned = await push(page, "right", 1, 0, 4);
    await push(page, "right", 0, 0, 3);
    await page.evaluate(() => window.__device.activeSession?.end());
    const after = await until(page, "the page after VR", (now) => !now.isPresenting);
    await page.waitForTimeout(1_000);
    await keepScreen(page, "after-vr");

    const vr = {
      left,
      right,
      walkedM: Math.hypot(walked.feet[0] - before.feet[0], walked.feet[2] - before.feet[2]),
      turnedDeg: degreesBetween(walked.cameraMatrix, turned.cameraMatrix),
      rescues: after.rescues,
    };
    must(left.lit > LEAST_LIT_SHARE && right.lit > LEAST_LIT_SHARE, `both eyes must be lit, got ${left.lit} and ${right.lit}`);
    must(left.hash !== right.hash, "the eyes must see different pictures");
    must(vr.walkedM > 0.05, `the left stick must walk, moved ${vr.walkedM.toFixed(3)} m`);
    must(Math.abs(vr.turnedDeg - 30) < 1, `the right stick must turn by 30 degrees, turned ${vr.turnedDeg.toFixed(1)}`);
    must(complaints.length === 0, `the page must not complain in VR, but said: ${complaints[0]}`);
    return vr;
  } finally {
    await browser.close();
  }
}

/** Hold a thumbstick for some frames and return the state then. */
async function push(page, hand, x, y, frames) {
  await page.evaluate(([h, dx, dy]) => window.__device.controllers[h].updateAxes("thumbstick", dx, dy), [hand, x, y]);
  const { framesDrawn } = await state(page);
  return until(page, "frames in VR", (now) => now.framesDrawn > framesDrawn + frames);
}

/** Share of lit pixels, mean colour and a hash of each half of a picture. */
async function eyes(page, base64) {
  return page.evaluate(
    async ([data, lit]) => {
      const bytes = Uint8Array.from(atob(data), (letter) => letter.charCodeAt(0));
      const bitmap = await createImageBitmap(new Blob([bytes], { type: "image/png" }));
      const canvas = new OffscreenCanvas(bitmap.width, bitmap.height);
      const context = canvas.getContext("2d");
      context.drawImage(bitmap, 0, 0);
      const half = bitmap.width / 2;
      return [0, half].map((x) => {
        // The middle of the eye: the page's interface lies along the edges.
        const { data: pixels } = context.getImageData(x, bitmap.height * 0.2, half, bitmap.height * 0.6);
        let count = 0;
        let hash = 0;
        for (let at = 0; at < pixels.length; at += 4) {
          const sum = pixels[at] + pixels[at + 1] + pixels[at + 2];
          if (sum > lit) count++;
          hash = (hash * 31 + sum) >>> 0;
        }
        return { lit: count / (pixels.length / 4), hash };
      });
    },
    [base64, LIT],
  );
}

function degreesBetween(a, b) {
  const dot = a[8] * b[8] + a[9] * b[9] + a[10] * b[10]; // the cameras' z axes
  return (Math.acos(Math.max(-1, Math.min(1, dot))) * 180) / Math.PI;
}

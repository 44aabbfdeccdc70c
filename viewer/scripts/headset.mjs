/** Enters VR and AR through IWER, an emulated Quest 3 that the page knows nothing of. */

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

    const teleported = await teleport(page, keepScreen);
    const walked = await push(page, "left", 0, -1, 12);
    await push(page, "left", 0, 0, 3);
    const turned = await push(page, "right", 1, 0, 4);
    await push(page, "right", 0, 0, 3);
    await leave(page);
    await keepScreen(page, "after-vr");
    await page.getByRole("button", { name: "Enter AR" }).click();
    const inAr = await until(page, "an AR session", (now) => now.isPresenting);
    const after = await leave(page);

    const vr = {
      left,
      right,
      walkedM: flatDistance(walked, teleported),
      turnedDeg: degreesBetween(walked.cameraMatrix, turned.cameraMatrix),
      teleportedM: flatDistance(teleported, before),
      seesThroughInAr: inAr.isSeeThrough,
      rescues: after.rescues,
    };
    must(left.lit > LEAST_LIT_SHARE && right.lit > LEAST_LIT_SHARE, `both eyes must be lit, got ${left.lit} and ${right.lit}`);
    must(left.hash !== right.hash, "the eyes must see different pictures");
    must(vr.walkedM > 0.05, `the left stick must walk, moved ${vr.walkedM.toFixed(3)} m`);
    must(Math.abs(vr.turnedDeg - 30) < 1, `the right stick must turn by 30 degrees, turned ${vr.turnedDeg.toFixed(1)}`);
    must(inAr.isSeeThrough, "AR must show the room behind the scene");
    must(!after.isSeeThrough, "the background must come back after AR");
    must(complaints.length === 0, `the page must not complain in VR, but said: ${complaints[0]}`);
    return vr;
  } finally {
    await browser.close();
  }
}

async function leave(page) {
  await page.evaluate(() => window.__device.activeSession?.end());
  const after = await until(page, "the page after a session", (now) => !now.isPresenting);
  await page.waitForTimeout(1_000);
  return after;
}

/** Hold the right trigger, aimed at the floor some steps ahead, and let go. */
async function teleport(page, keepScreen) {
  await page.evaluate(() => {
    const { right } = window.__device.controllers;
    right.position.set(0.2, 1.3, -0.3);
    const tilt = (-25 * Math.PI) / 360; // half of 25 degrees down
    right.quaternion.set(Math.sin(tilt), 0, 0, Math.cos(tilt));
    right.updateButtonValue("trigger", 1);
  });
  const { framesDrawn } = await state(page);
  await until(page, "a teleport's aim", (now) => now.framesDrawn > framesDrawn + 4);
  await keepScreen(page, "teleport");
  await page.evaluate(() => window.__device.controllers.right.updateButtonValue("trigger", 0));
  return until(page, "a teleport", (now) => now.framesDrawn > framesDrawn + 9);
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

function flatDistance(a, b) {
  return Math.hypot(a.feet[0] - b.feet[0], a.feet[2] - b.feet[2]);
}

function degreesBetween(a, b) {
  const dot = a[8] * b[8] + a[9] * b[9] + a[10] * b[10]; // the cameras' z axes
  return (Math.acos(Math.max(-1, Math.min(1, dot))) * 180) / Math.PI;
}

/**
 * Opens a link as head-up glasses do, walks with the arrow keys, and writes what was seen as JSON.
 *
 *   node viewer/scripts/head-up.mjs LINK OUT.json [SCREENS_DIR] [--without-sockets]
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openBrowser } from "./chromium.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { "without-sockets": { type: "boolean", default: false } },
});
const [link, out, screens] = positionals;
const address = new URL(link);
address.searchParams.set("view", "headup");
const { browser, page, complaints } = await openBrowser({ width: 600, height: 600 });
const report = { scripts: [], requested: 0, sockets: 0 };
const keep = async (name) => (screens ? page.screenshot({ path: join(screens, `${name}.png`) }) : undefined);
const root = page.locator("main.head-up");
const pictures = async () => Number((await root.getAttribute("data-pictures")) ?? 0);

async function until(what, test) {
  const end = Date.now() + 60_000;
  while (Date.now() < end) {
    const found = await test();
    if (found) return found;
    await page.waitForTimeout(50);
  }
  throw new Error(`${what}: not within a minute`);
}

/** Wait until no picture came for a second: what is shown then is where one stands. */
async function rest() {
  let [count, since] = [await pictures(), Date.now()];
  while (Date.now() - since < 1000) {
    await page.waitForTimeout(50);
    const now = await pictures();
    if (now !== count) [count, since] = [now, Date.now()];
  }
  return count;
}

const press = async (key, times = 1) => {
  for (let time = 0; time < times; time++) await page.keyboard.press(key);
};
/** Mean of each of 36 patches of the picture: what it shows, roughly. */
const look = () =>
  page.evaluate(() => {
    const small = new OffscreenCanvas(6, 6).getContext("2d");
    small.imageSmoothingQuality = "high";
    small.drawImage(document.querySelector(".head-up canvas"), 0, 0, 6, 6);
    return [...small.getImageData(0, 0, 6, 6).data].filter((_, index) => index % 4 < 3);
  });

try {
  page.on("request", (request) => {
    if (request.url().endsWith(".js")) report.scripts.push(new URL(request.url()).pathname);
    if (request.url().includes("/picture?")) report.requested++;
  });
  page.on("websocket", () => report.sockets++);
  if (values["without-sockets"]) {
    await page.addInitScript(() => {
      window.WebSocket = class {
        constructor() {
          throw new Error("blocked");
        }
      };
    });
  }
  await page.goto(address.href);
  await until("a first picture", async () => (await pictures()) > 0);
  await rest();
  report.title = await page.title();
  report.badge = await page.locator(".badge").isVisible();
  report.start = await look();
  await keep("head-up-start");

  await press("ArrowRight", 2);
  await page.waitForTimeout(200);
  await rest();
  report.turned = await look();
  await press("ArrowLeft", 2);
  await page.waitForTimeout(200);
  await rest();
  report.turnedBack = await look();
  await press("ArrowUp", 2);
  await page.waitForTimeout(200);
  report.pictures = await rest();
  report.walked = await look();
  await keep("head-up-walked");

  await press("Enter");
  report.items = await page.locator(".menu button").allTextContents();
  report.focused = await page.evaluate(() => document.activeElement?.textContent);
  await keep("head-up-menu");
  await press("ArrowDown");
  await press("Enter");
  report.help = await page.locator(".card").textContent();
  await keep("head-up-help");
  await press("Enter");
  await press("Enter");
  await press("Enter"); // recentre
  await page.waitForTimeout(300);
  await rest();
  report.recentred = await look();
  const head = await page.context().newCDPSession(page);
  await head.send("DeviceOrientation.setDeviceOrientationOverride", { alpha: 10, beta: 80, gamma: 0 });
  await page.waitForTimeout(300);
  await rest();
  report.headStill = await look();
  await head.send("DeviceOrientation.setDeviceOrientationOverride", { alpha: 350, beta: 80, gamma: 0 });
  await page.waitForTimeout(300);
  await rest();
  report.headTurned = await look();
  await keep("head-up-head-turned");
  await press("Enter");
  await press("ArrowUp");
  report.focusedAbove = await page.evaluate(() => document.activeElement?.textContent);
  await press("Enter"); // leave
  report.left = await page.locator(".card h2").textContent();
  await keep("head-up-left");
  const before = await pictures();
  await press("Enter");
  await until("a picture after coming back", async () => (await pictures()) > before);
} finally {
  report.complaints = complaints;
  writeFileSync(out, JSON.stringify(report, undefined, 1));
  await browser.close();
}

/** Chromium for the browser tests: software GL, no calls home, whatever the page said kept for the report. */

import { existsSync } from "node:fs";
import { chromium } from "playwright-core";

const SYSTEM_CHROMIUMS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];
const QUIET = [
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--disable-quic",
  "--no-first-run",
  "--disable-default-apps",
  "--no-default-browser-check",
  "--disable-domain-reliability",
  "--disable-breakpad",
  "--disable-features=OptimizationHints,MediaRouter,Translate,AutofillServerCommunication",
];
const SOFTWARE_GL = {
  swiftshader: ["--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader"],
  llvmpipe: ["--use-gl=angle", "--use-angle=gl-egl", "--ignore-gpu-blocklist"],
};

/** Software frames can take seconds; so may everything that waits for one. */
export const PATIENCE_MS = 120_000;

export function chromiumPath() {
  const path = SYSTEM_CHROMIUMS.find((candidate) => existsSync(candidate));
  if (!path) throw new Error("no Chromium found; install it with `apt-get install --no-install-recommends chromium`");
  return path;
}

/**
 * Returns `{ browser, page, complaints }`; `complaints` grows with console errors, failed requests and
 * exceptions that the page let escape.
 */
export async function openBrowser({ width, height, gl = "swiftshader", ...context }) {
  const isRoot = process.getuid?.() === 0;
  const browser = await chromium.launch({
    executablePath: chromiumPath(),
    headless: true,
    args: [...(isRoot ? ["--no-sandbox"] : []), ...QUIET, ...SOFTWARE_GL[gl]],
  });
  const opened = await browser.newContext({ viewport: { width, height }, ...context });
  const page = await opened.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  const complaints = [];
  page.on("pageerror", (error) => complaints.push(`exception: ${error.message}`));
  page.on("console", (message) => {
    if (message.type() === "error") complaints.push(`console: ${message.text()}`);
  });
  return { browser, page, complaints };
}

/** Add `?debug` to a link, before its fragment. */
export function withDebug(link) {
  const url = new URL(link);
  url.searchParams.set("debug", "");
  return url.href;
}

export const state = (page) => page.evaluate(() => window.__immersive.state());

/** Wait until `test(state)` holds; throws with the last state in words otherwise. */
export async function until(page, what, test, patienceMs = PATIENCE_MS) {
  const end = Date.now() + patienceMs;
  let last;
  while (Date.now() < end) {
    last = await page.evaluate(() => window.__immersive?.state());
    if (last?.failure) throw new Error(`${what}: the page failed with ${last.failure}`);
    if (last && test(last)) return last;
    await page.waitForTimeout(100);
  }
  throw new Error(`${what}: not within ${patienceMs / 1000} s; last state ${JSON.stringify(last)}`);
}

/**
 * Opens a scene in a real browser, loads the page again, and writes as JSON what each visit fetched.
 *
 *   node viewer/scripts/revisit.mjs LINK OUT.json [--no-sockets]
 *
 * With --no-sockets the page cannot make a WebSocket, as behind some proxies. Exit status 0 when both visits
 * showed the whole scene without a complaint; 1 with one sentence on stderr when not.
 */

import { writeFileSync } from "node:fs";
import { parseArgs } from "node:util";
import { openBrowser, until, withDebug } from "./chromium.mjs";

const { values, positionals } = parseArgs({
  allowPositionals: true,
  options: { "no-sockets": { type: "boolean", default: false } },
});
const [link, out] = positionals;
if (!link || !out) {
  process.stderr.write("usage: revisit.mjs LINK OUT.json [--no-sockets]\n");
  process.exit(2);
}

const isWhole = (now) => now.isSettled && now.phase === "complete";
const { browser, page, complaints } = await openBrowser({ width: 320, height: 180 });
const requests = [];
page.on("request", (request) => requests.push(new URL(request.url()).pathname));
let sockets = 0;
page.on("websocket", () => sockets++);
try {
  if (values["no-sockets"]) {
    await page.addInitScript(() => {
      window.WebSocket = class {
        constructor() {
          throw new DOMException("blocked", "SecurityError");
        }
      };
    });
  }
  const visits = [];
  await page.goto(withDebug(link));
  visits.push(await until(page, "the whole scene", isWhole));
  await page.waitForTimeout(1_000); // the last chunks are still being written
  await page.reload();
  visits.push(await until(page, "the whole scene again", isWhole));
  if (complaints.length > 0) throw new Error(`the page must not complain, but said: ${complaints[0]}`);
  writeFileSync(out, JSON.stringify({ visits, sockets, streams: requests.filter((path) => path.startsWith("/api/stream")).length }));
} catch (error) {
  process.stderr.write(`revisit: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  await browser.close();
}

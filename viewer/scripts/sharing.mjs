/**
 * Uses a link with a password in a real browser as its holder would, and writes what was seen as JSON.
 *
 *   node viewer/scripts/sharing.mjs LINK PASSWORD OUT.json [SCREENS_DIR]
 *
 * A wrong password, the right one, an edit, a report, a code for a headset, the code typed at /pair, a copy, and a
 * frame in a page of another origin (FRAME below, when given as --frame=URL).
 */

import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { parseArgs } from "node:util";
import { openBrowser, until, withDebug } from "./chromium.mjs";

const { values, positionals } = parseArgs({ allowPositionals: true, options: { frame: { type: "string" } } });
const [link, password, out, screens] = positionals;
const report = {};
const { browser, page, complaints } = await openBrowser({ width: 900, height: 560 });
const keep = async (of, name) => (screens ? of.screenshot({ path: join(screens, `${name}.png`) }) : undefined);

async function answer(of, kind, text) {
  await of.locator(`[data-gate=${kind}] .field`).fill(text);
  await of.locator(`[data-gate=${kind}] button[type=submit]`).click();
}

try {
  await page.goto(withDebug(link));
  await answer(page, "password", "not the password");
  await page.locator("[data-gate=password] .detail:not(:empty)").waitFor();
  report.wrong = await page.locator("[data-gate=password] .detail").textContent();
  await keep(page, "password");
  await answer(page, "password", password);
  await until(page, "a first picture", (now) => now.splatsDrawn > 0);
  report.titleBefore = await page.title();

  await page.getByRole("button", { name: "Edit this scene" }).click();
  await page.locator("#edit-title").fill("Renamed by a friend");
  await page.locator("#edit-notes").fill("Mind the step.");
  await keep(page, "edit");
  await page.getByRole("button", { name: "Save", exact: true }).click();
  await page.getByText("Saved; visitors see it").waitFor();
  await page.getByRole("button", { name: "Visitors begin here" }).click();
  await page.waitForTimeout(300);
  await page.locator("dialog[open] .panel-head .button").click();

  await page.getByRole("button", { name: "About this scene" }).click();
  await page.getByRole("button", { name: "Report this place" }).click();
  await page.locator("#report-reason").selectOption("copyright");
  await page.locator("#report-statement").fill("I painted that picture on the wall.");
  await keep(page, "report");
  await page.getByRole("button", { name: "Send the report" }).click();
  const thanks = page.getByText("Your report has the number");
  await thanks.waitFor();
  report.reported = /number ([0-9a-z]+)/.exec((await thanks.textContent()) ?? "")?.[1];
  await page.locator("dialog[open] .panel-head .button").click();

  await page.getByRole("button", { name: "Open on a headset" }).click();
  const said = page.locator(".status", { hasText: "/pair" });
  await said.waitFor();
  report.code = /type ([A-Z0-9]{6})/.exec((await said.textContent()) ?? "")?.[1];

  const headset = await page.context().newPage();
  headset.setDefaultTimeout(120_000);
  await headset.goto(new URL("/pair", link).href);
  await answer(headset, "code", "ZZZZZZ");
  await headset.locator("[data-gate=code] .detail:not(:empty)").waitFor();
  report.wrongCode = await headset.locator("[data-gate=code] .detail").textContent();
  await keep(headset, "pair");
  await answer(headset, "code", report.code.toLowerCase());
  await headset.waitForURL((url) => url.pathname.startsWith("/v/"));
  report.paired = headset.url();
  await answer(headset, "password", password);
  await headset.locator("h1.title", { hasText: "Renamed by a friend" }).waitFor();
  report.titleAfter = await headset.locator("h1.title").textContent();
  await headset.close();

  await page.getByRole("button", { name: "Make a copy of your own" }).click();
  await page.waitForURL((url) => url.pathname.startsWith("/v/") && !link.includes(url.pathname));
  await page.locator("h1.title", { hasText: "Renamed by a friend" }).waitFor();
  report.copy = page.url();

  if (values.frame) {
    await page.goto(values.frame);
    const inside = page.frameLocator("iframe").locator("h1.title");
    await inside.filter({ hasText: "Renamed by a friend" }).waitFor();
    report.framed = await inside.textContent();
    report.mayEnterXr = await page
      .frames()
      .at(-1)
      .evaluate(() => document.featurePolicy?.allowsFeature("xr-spatial-tracking") ?? null);
    await keep(page, "frame");
  }
  // A refusal is an answer: browsers log each as an error of the page.
  report.complaints = complaints.filter((line) => !/status of (401|404)/.test(line));
  writeFileSync(out, JSON.stringify(report, null, 1));
} catch (error) {
  console.error(String(error), JSON.stringify({ report, complaints }));
  process.exitCode = 1;
} finally {
  await browser.close();
}

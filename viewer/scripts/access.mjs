/**
 * Looks at every state of the page with axe-core, then uses it by keyboard alone and with motion switched off, and in German.
 *
 *   node viewer/scripts/access.mjs LINKS.json OUT.json [SCREENS_DIR]
 *
 * LINKS.json: links by name: `edit` (may change the scene), `password`, `growing`, `revoked`, `poor` (with terms). OUT.json: what axe
 * found by state, what the page says of terms and quality, what the keyboard did, what still moves for
 * whoever asked for nothing to move, and which language was spoken when.
 */

import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { openBrowser, until, withDebug } from "./chromium.mjs";

const AXE = readFileSync(new URL("../conformance/node_modules/axe-core/axe.min.js", import.meta.url), "utf8");
const [linksFile, out, screens] = process.argv.slice(2);
const links = JSON.parse(readFileSync(linksFile, "utf8"));
const report = { axe: {}, keyboard: {}, motion: {}, language: {} };
const { browser, page, complaints } = await openBrowser({ width: 960, height: 600 });
const keep = (of, name) => (screens ? of.screenshot({ path: join(screens, `${name}.png`) }) : undefined);

/** What axe has against the page as it is now, by every rule it has. */
async function inspect(of, name) {
  // What fades has faded: half a colour has half its contrast.
  await of.evaluate(() => {
    const ends = (animation) => animation.effect?.getComputedTiming().endTime !== Infinity;
    return Promise.allSettled(document.getAnimations().filter(ends).map((animation) => animation.finished));
  });
  await of.evaluate(AXE);
  const found = await of.evaluate(() => axe.run(document, { resultTypes: ["violations"] }));
  report.axe[name] = {
    rules: found.passes.length + found.violations.length,
    violations: found.violations.map(({ id, help, nodes }) => ({ id, help, at: nodes.map(({ html }) => html.slice(0, 160)) })),
  };
  await keep(of, name);
}

/** A page of its own window, so that none stands still behind another. */
async function newPage(options = {}) {
  const context = await browser.newContext({ viewport: { width: 960, height: 600 }, ...options });
  const made = await context.newPage();
  made.setDefaultTimeout(120_000);
  made.on("pageerror", (error) => complaints.push(`exception: ${error.message}`));
  return made;
}

/** Open a link with the renderer held back; returns what lets it come. */
async function openHeld(of, link) {
  let release = () => undefined;
  const released = new Promise((resolve) => (release = resolve));
  await of.route(/\/assets\/visit-.*\.js$/, (route) => released.then(() => route.continue()));
  await of.goto(scene(link));
  await of.locator(".top-right:not([hidden])").waitFor();
  return release;
}

/** Few splats: what lies over them is looked at. */
function scene(link) {
  const url = new URL(withDebug(link));
  url.searchParams.set("splats", "1500");
  return url.href;
}

const isThere = (now) => now.isSettled && now.hasCollider && now.isGrounded && now.splatsDrawn > 0;
const focused = (of) =>
  of.evaluate(() => {
    const at = document.activeElement;
    return at?.id || at?.getAttribute("aria-label") || at?.tagName;
  });
const openPanels = (of) => of.evaluate(() => [...document.querySelectorAll("dialog[open] h2")].map((title) => title.textContent));

/** The labels of what lies on something else, or outside the screen, of what lies over the scene. */
function inEachOthersWay() {
  const parts = [...document.querySelectorAll(".top-left, .top-right > .button, .bottom-left > *, .bottom-right > *")]
    .map((part) => ({ name: part.ariaLabel ?? part.className, box: part.getBoundingClientRect() }))
    .filter(({ box }) => box.width > 0);
  const touch = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
  const isIn = (box) => box.left >= 0 && box.top >= 0 && box.right <= innerWidth && box.bottom <= innerHeight;
  return parts
    .filter(({ box }, at) => !isIn(box) || parts.some((other, index) => index !== at && touch(box, other.box)))
    .map(({ name }) => name);
}

async function inspectScene() {
  const release = await openHeld(page, links.edit);
  await inspect(page, "curtain");
  release();
  await until(page, "the whole scene", isThere);
  await inspect(page, "scene");
  const panel = (name) => page.getByRole("button", { name, exact: true });
  for (const [name, label] of [["info", "About this scene"], ["help", "Controls"], ["edit", "Edit this scene"]]) {
    await panel(label).click();
    await inspect(page, name);
    await page.keyboard.press("Escape");
  }
  await panel("About this scene").click();
  await panel("Report this place").click();
  await inspect(page, "report");
  await page.keyboard.press("Escape");

  const phone = await newPage({ viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true });
  await phone.goto(scene(links.edit));
  await until(phone, "the scene on a phone", isThere);
  await phone.getByRole("button", { name: /other visitor/ }).waitFor(); // with every button that there is
  await inspect(phone, "phone");
  report.crowded = {};
  for (const width of [390, 320]) {
    await phone.setViewportSize({ width, height: 780 });
    report.crowded[width] = await phone.evaluate(inEachOthersWay);
  }
  await page.getByRole("button", { name: /other visitor/ }).click();
  await inspect(page, "people");
  await phone.context().close();
}

/** A scene that its makers named terms for, and that was measured as poor, on a phone in German. */
async function readTerms() {
  const at = await newPage({ viewport: { width: 390, height: 780 }, hasTouch: true, isMobile: true, locale: "de-DE" });
  await at.goto(scene(links.poor));
  await until(at, "the scene", isThere);
  await inspect(at, "poor");
  report.chips = await at.locator(".top-left .chip:visible").allTextContents();
  await at.getByRole("button", { name: "Über diese Szene" }).tap();
  const panel = at.locator("dialog[open]");
  report.terms = {
    label: await panel.locator(".chip").textContent(),
    facts: await panel.locator(".facts dd").allTextContents(),
    link: await panel.locator(".facts a").getAttribute("href"),
    verdict: await panel.locator(".verdict").first().textContent(),
    signature: await panel.locator(".unsigned").textContent(),
  };
  await panel.locator(".facts a").scrollIntoViewIfNeeded();
  await inspect(at, "terms");
  await at.context().close();
}

async function inspectGates() {
  const at = await newPage();
  await at.goto(links.growing);
  await at.locator(".frames img.is-shown").first().waitFor();
  await inspect(at, "growing");
  await at.goto(links.password);
  await at.locator("[data-gate=password]").waitFor();
  await inspect(at, "password");
  await at.keyboard.type("not the password");
  await at.keyboard.press("Enter");
  await at.locator("[data-gate=password] .detail:not(:empty)").waitFor();
  await inspect(at, "password-wrong");
  await at.goto(new URL("/pair", links.edit).href);
  await at.locator("[data-gate=code]").waitFor();
  await inspect(at, "code");
  await at.goto(links.revoked);
  await at.locator(".card[data-code=link_revoked]").waitFor();
  await inspect(at, "failure");
  report.keyboard.afterFailure = await tabThrough(at);
  await at.route(/\.wasm$/, (route) => route.abort());
  await at.goto(links.edit);
  await at.locator(".card[data-code=unreachable] button").waitFor();
  await inspect(at, "failure-retry");
  report.keyboard.afterPassing = await tabThrough(at);
  await at.context().close();
}

async function inspectHeadUp() {
  const at = await newPage({ viewport: { width: 600, height: 600 } });
  const address = new URL(links.edit);
  address.searchParams.set("view", "headup");
  await at.goto(address.href);
  await at.locator("main.head-up[data-pictures]").waitFor();
  await inspect(at, "head-up");
  await at.keyboard.press("Enter");
  await inspect(at, "head-up-menu");
  await at.keyboard.press("ArrowDown");
  await at.keyboard.press("Enter");
  await inspect(at, "head-up-help");
  await at.context().close();
}

/** Press Tab until the focus comes back to where it first was; the stops, and those that do not show it. */
async function tabThrough(of) {
  const stops = [];
  const unseen = [];
  for (let press = 0; press < 40; press++) {
    await of.keyboard.press("Tab");
    const stop = await focused(of);
    if (stop === "BODY" || stop === stops.at(-1) || stops.includes(stop)) break;
    stops.push(stop);
    const isSeen = await of.evaluate(() => getComputedStyle(document.activeElement).outlineStyle !== "none");
    if (!isSeen) unseen.push(stop);
  }
  return { stops, unseen };
}

async function tabTo(of, label) {
  for (let press = 0; press < 40 && (await focused(of)) !== label; press++) await of.keyboard.press("Tab");
}

async function useKeyboard() {
  const at = await newPage();
  const { keyboard } = report;
  const state = () => at.evaluate(() => window.__immersive.state());
  await at.goto(scene(links.edit));
  keyboard.began = (await until(at, "the whole scene", isThere)).feet;
  keyboard.tabs = await tabThrough(at);
  for (const [name, label, key] of [["info", "About this scene", "Enter"], ["help", "Controls", "Space"], ["edit", "Edit this scene", "Enter"]]) {
    await tabTo(at, label);
    await at.keyboard.press(key);
    const open = await openPanels(at);
    const isInside = await at.evaluate(() => document.activeElement?.closest("dialog[open]") !== null);
    await at.keyboard.press("Escape");
    keyboard[name] = { open, isInside, left: await openPanels(at), focused: await focused(at) };
  }
  // From one panel to the next, and back to where it began.
  await tabTo(at, "About this scene");
  await at.keyboard.press("Enter");
  await tabTo(at, "Report this place");
  await at.keyboard.press("Enter");
  keyboard.report = { open: await openPanels(at) };
  await at.keyboard.press("Escape");
  keyboard.report.focused = await focused(at);
  await tabTo(at, "scene");
  keyboard.byShortcut = [];
  for (const key of ["?", "i"]) {
    await at.keyboard.press(key);
    keyboard.byShortcut.push(...(await openPanels(at)));
    await at.keyboard.press("Escape");
  }
  keyboard.afterShortcuts = await focused(at);

  await at.keyboard.down("KeyW");
  await at.waitForFunction((from) => {
    const { feet } = window.__immersive.state();
    return Math.hypot(feet[0] - from[0], feet[2] - from[2]) > 0.5;
  }, keyboard.began);
  await at.keyboard.up("KeyW");
  await keep(at, "keyboard-walked");
  keyboard.walked = (await state()).feet;
  await at.keyboard.press("KeyR");
  await at.waitForFunction((from) => {
    const { feet } = window.__immersive.state();
    return Math.hypot(feet[0] - from[0], feet[2] - from[2]) < 0.05;
  }, keyboard.began);
  const outline = () => at.locator("#scene").evaluate((canvas) => getComputedStyle(canvas).outlineStyle);
  keyboard.outlines = [await outline()];
  await at.mouse.click(480, 300);
  keyboard.outlines.push(await outline());
  keyboard.said = await at.locator(".status").textContent();
  await at.context().close();
}

/** A browser that wants German gets it, until its owner wants English. */
async function useGerman() {
  const at = await newPage({ locale: "de-DE" });
  const { language } = report;
  const spoken = () => at.evaluate(() => [document.documentElement.lang, document.querySelector("dialog[open] h2")?.textContent]);
  const openHelp = async () => {
    await until(at, "the scene", isThere);
    await at.keyboard.press("?");
  };
  await at.route(/\.wasm$/, async (route) => {
    const response = await route.fetch(); // as a host that does not know the type
    await route.fulfill({ response, headers: { ...response.headers(), "content-type": "application/octet-stream" } });
  });
  await at.goto(scene(links.edit));
  await openHelp();
  await at.unroute(/\.wasm$/); // a page that is left meanwhile would be answered in vain
  language.first = await spoken();
  await inspect(at, "german");
  await at.keyboard.press("Escape");
  await at.keyboard.press("i");
  language.facts = (await at.locator("dialog[open] .facts dd").allTextContents()).map((words) => words.replaceAll("\u00a0", " "));
  await inspect(at, "german-info");
  await at.keyboard.press("Escape");
  await at.keyboard.press("?");
  await tabTo(at, "English");
  await at.keyboard.press("Enter");
  await at.waitForFunction(() => document.documentElement.lang === "en" && window.__immersive);
  await openHelp();
  language.switched = await spoken();
  await at.goto(links.revoked);
  language.remembered = await at.locator(".card[data-code] h2").textContent();
  const asked = new URL(links.revoked);
  asked.searchParams.set("lang", "de");
  await at.goto(asked.href);
  language.asked = await at.locator(".card[data-code] h2").textContent();
  await at.context().close();
}

/** How many things move by themselves in the growing curtain and in the one before the picture. */
async function moving(options) {
  const at = await newPage(options);
  await openHeld(at, links.edit);
  const curtain = await at.evaluate(() => document.getAnimations().length);
  await at.goto(links.growing);
  await at.locator(".frames img.is-shown").first().waitFor();
  const shown = () => at.evaluate(() => [...document.querySelectorAll(".frames img")].findIndex((img) => img.matches(".is-shown")));
  const seen = new Set();
  for (let look = 0; look < 8; look++) {
    seen.add(await shown());
    await at.waitForTimeout(300);
  }
  const fade = await at.locator(".frames img").first().evaluate((img) => getComputedStyle(img).transitionDuration);
  await at.context().close();
  return { curtain, frames: seen.size, fade };
}

try {
  await inspectGates();
  await inspectScene();
  await page.context().close();
  await readTerms();
  await inspectHeadUp();
  await useKeyboard();
  await useGerman();
  report.motion.asUsual = await moving({});
  report.motion.reduced = await moving({ reducedMotion: "reduce" });
} catch (error) {
  process.stderr.write(`access: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
} finally {
  // A refusal is an answer: browsers log each as an error of the page.
  report.complaints = complaints.filter((line) => !/status of (401|404|410)/.test(line));
  writeFileSync(out, JSON.stringify(report, undefined, 1));
  await browser.close();
}

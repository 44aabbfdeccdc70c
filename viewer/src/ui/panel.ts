/** The two panels: what this scene is and how good it is, and how to move. */

import type { Manifest, QualityReport, WalkabilityReport } from "../protocol/generated";
import type { SceneSummary } from "../protocol/link";
import { button, element, icon } from "./dom";
import { LANGUAGES, STRINGS, changeLanguage, decimal, language, megabytes, type Language } from "./strings";

type Verdict = QualityReport["verdict"];

export class Panel {
  readonly dialog: HTMLDialogElement;
  private readonly body = element("div", { class: "panel-body" });

  constructor(title: string) {
    const id = `panel-${title.replace(/\W+/g, "-").toLowerCase()}`;
    this.dialog = element(
      "dialog",
      { "aria-labelledby": id },
      element(
        "div",
        { class: "panel-head" },
        element("h2", { id }, title),
        button({ label: STRINGS.close, icon: "close", press: () => this.dialog.close() }),
      ),
      this.body,
    );
    // A press on the backdrop lands on the dialog itself.
    this.dialog.addEventListener("click", (event) => {
      if (event.target === this.dialog) this.dialog.close();
    });
  }

  fill(...content: readonly Node[]): void {
    this.body.replaceChildren(...content);
  }

  toggle(): void {
    if (this.dialog.open) this.dialog.close();
    else this.dialog.showModal();
  }
}

export function sceneContent(scene: SceneSummary, manifest: Manifest | undefined): Node[] {
  const content: Node[] = [];
  if (scene.notes) content.push(section(STRINGS.notesTitle, undefined, element("p", { class: "notes" }, scene.notes)));
  if (scene.is_generated) content.push(element("p", {}, element("span", { class: "chip" }, STRINGS.generated), ` ${STRINGS.generatedWhy}`));
  content.push(qualitySection(scene.quality), walkSection(scene.walkability), factsSection(scene, manifest));
  const heard = manifest?.sounds.map(({ caption }) => caption) ?? [];
  if (heard.length > 0) content.push(section(STRINGS.heard, undefined, list(heard)));
  // Signatures are of exported files; what is streamed has none.
  content.push(element("p", { class: "unsigned" }, icon("shield"), element("span", {}, STRINGS.unsigned)));
  return content;
}

function qualitySection(report: QualityReport | null): HTMLElement {
  if (!report) return section(STRINGS.qualityTitle, undefined, element("p", {}, STRINGS.noQuality));
  const facts = STRINGS.qualityFacts(decimal(report.psnr_db, 1), decimal(report.ssim, 2), report.held_out_frames);
  return section(STRINGS.qualityTitle, report.verdict, reasons(report.reasons, [facts]));
}

function walkSection(report: WalkabilityReport | null): HTMLElement {
  if (!report) return section(STRINGS.walkTitle, undefined, element("p", {}, STRINGS.noWalk));
  const facts = [STRINGS.walkFacts(decimal(report.reachable_m2))];
  if (report.fall_count > 0) facts.push(STRINGS.falls(report.fall_count));
  return section(STRINGS.walkTitle, report.verdict, reasons(report.reasons, facts));
}

function factsSection(scene: SceneSummary, manifest: Manifest | undefined): HTMLElement {
  const facts = element("dl", { class: "facts" });
  const fact = (name: string, value: string | undefined, className = "") => {
    if (value) facts.append(element("dt", {}, name), element("dd", className ? { class: className } : {}, ...withLinks(value)));
  };
  const recipe = manifest?.recipe ?? {};
  fact(STRINGS.madeFrom, text(recipe["prompt"]), "prose");
  fact(STRINGS.remixOf, scene.remix_of ?? undefined);
  if (manifest) fact(STRINGS.licence, manifest.licence || STRINGS.noLicence, "prose");
  fact(STRINGS.credit, manifest?.credit, "prose");
  fact(STRINGS.splats, decimal(scene.splat_count));
  fact(STRINGS.size, megabytes(scene.byte_length));
  fact(STRINGS.backend, text(recipe["backend"]));
  fact(STRINGS.seed, text(recipe["seed"]));
  return section("", undefined, facts);
}

/** A line whose web addresses can be followed. */
function withLinks(line: string): (HTMLElement | string)[] {
  const follow = (href: string) => element("a", { href, target: "_blank", rel: "noopener noreferrer" }, href);
  return line.split(/(https?:\/\/[^\s<>"]*[^\s<>".,;:!?)])/).map((part, at) => (at % 2 ? follow(part) : part));
}

function text(value: unknown): string | undefined {
  return typeof value === "string" || typeof value === "number" ? String(value) : undefined;
}

function section(title: string, verdict: Verdict | undefined, ...content: readonly Node[]): HTMLElement {
  const heading = element("h3", {}, title);
  if (verdict) heading.append(element("span", { class: `verdict ${verdict}` }, STRINGS.verdicts[verdict]));
  return element("section", {}, ...(title ? [heading] : []), ...content);
}

/** What the server says of a scene is English in every language. */
function reasons(said: readonly string[], facts: readonly string[]): HTMLElement {
  const made = list(facts);
  made.prepend(...said.map((line) => element("li", { lang: "en" }, line)));
  return made;
}

function list(lines: readonly string[]): HTMLElement {
  return element("ul", {}, ...lines.map((line) => element("li", {}, line)));
}

export function helpContent(xrWhy: string): Node[] {
  const keys = element("dl", { class: "keys" });
  for (const [name, caps] of Object.entries(STRINGS.controlKeys)) {
    const label = STRINGS.controls[name as keyof typeof STRINGS.controls];
    keys.append(element("dt", {}, label), element("dd", {}, ...caps.map((cap) => element("kbd", {}, cap))));
  }
  return [keys, element("p", {}, STRINGS.controlsMore), ...(xrWhy ? [element("p", {}, xrWhy)] : []), languageSwitch()];
}

function languageSwitch(): HTMLElement {
  const buttons = Object.entries(LANGUAGES).map(([name, words]) => {
    const made = button({ label: words, press: () => changeLanguage(name as Language) });
    made.lang = name;
    made.setAttribute("aria-pressed", String(name === language));
    return made;
  });
  return element("div", { class: "languages", role: "group", "aria-label": STRINGS.language }, ...buttons);
}

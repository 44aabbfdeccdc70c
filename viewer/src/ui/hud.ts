/** What lies over the scene: title and label, buttons, progress, messages, panels, errors. */

import type { Manifest } from "../protocol/generated";
import type { GrowthState } from "../protocol/growth";
import type { Failure, SceneSummary } from "../protocol/link";
import type { Movement } from "../walk/player";
import type { StickView } from "../walk/pointer";
import { button, element, icon, mark } from "./dom";
import { editContent, type EditActions } from "./editPanel";
import { gate, type GateOptions } from "./gate";
import { FrameShow, growthWords } from "./growth";
import { Panel, helpContent, sceneContent } from "./panel";
import { PeoplePanel, type PeopleActions } from "./peoplePanel";
import { qualityChoice, type QualityActions } from "./qualityChoice";
import { reportContent, type SendReport } from "./reportPanel";
import { FAILURES, STRINGS } from "./strings";

export interface HudActions {
  recentre(): void;
  toggleSound(): void;
  people: PeopleActions;
  toggleMovement(): void;
  quality: QualityActions;
  enterXr(mode: XRSessionMode): void;
  retry(): void;
  pair(): void;
  remix(): void;
  edit: EditActions;
  report: SendReport;
}

export interface XrOffer {
  readonly vr: boolean;
  readonly ar: boolean;
  /** Why there is no headset button, in words; empty when there is one. */
  readonly why: string;
}

const TOAST_MS = 3_500;
const HINT_MS = 9_000;

export class Hud implements StickView {
  private readonly title = element("h1", { class: "title" }, STRINGS.product);
  private readonly chip = element("span", { class: "chip", title: STRINGS.generatedWhy, hidden: "" }, STRINGS.generated);
  private readonly poorChip = element("span", { class: "chip poor", title: STRINGS.poorPictureWhy, hidden: "" }, STRINGS.poorPicture);
  private readonly bar = element("span");
  private readonly progress = element("div", { class: "progress", role: "progressbar", "aria-label": STRINGS.loading }, this.bar);
  private readonly statusText = element("span");
  private readonly status = element("div", { class: "plate status is-gone", role: "status", "aria-live": "polite" }, this.statusText);
  private readonly curtainTitle = element("h2", {}, "");
  private readonly curtainText = element("p", { role: "status" }, STRINGS.opening);
  private readonly frames = new FrameShow();
  private readonly curtain = element(
    "div",
    { class: "curtain" },
    this.frames.element,
    mark(),
    this.curtainTitle,
    this.curtainText,
  );
  private readonly growthChip = element("span", { class: "chip growing", title: STRINGS.growingWhy, hidden: "" });
  private readonly movement: HTMLButtonElement;
  private readonly sound: HTMLButtonElement;
  private readonly people: HTMLButtonElement;
  private readonly peopleCount = element("span");
  private readonly peoplePanel: PeoplePanel;
  private readonly xrButtons = element("div", { class: "corner bottom-right" });
  private readonly knob = element("span");
  private readonly stick = element("div", { class: "stick", hidden: "" }, this.knob);
  private readonly info = new Panel(STRINGS.info);
  private readonly help = new Panel(STRINGS.help);
  private readonly edit = new Panel(STRINGS.edit);
  private readonly report = new Panel(STRINGS.report);
  private readonly remixButton: HTMLButtonElement;
  private readonly editButton: HTMLButtonElement;
  private readonly pairButton: HTMLButtonElement;
  private readonly tools: HTMLElement;
  private card: HTMLElement | undefined;
  private scene: SceneSummary | undefined;
  private toastTimer: ReturnType<typeof setTimeout> | undefined;
  private standing = "";
  private hasHinted = false;

  constructor(
    readonly root: HTMLElement,
    private readonly actions: HudActions,
    private readonly isServed: boolean,
  ) {
    const onlyIcon = (label: string, name: Parameters<typeof icon>[0], press: () => void, className = "") =>
      button({ label, icon: name, press, className });
    this.sound = onlyIcon(STRINGS.mute, "sound", () => this.actions.toggleSound());
    this.sound.hidden = true;
    this.peoplePanel = new PeoplePanel(this.actions.people);
    this.people = onlyIcon(STRINGS.others, "people", () => this.peoplePanel.open());
    this.people.hidden = true;
    this.movement = onlyIcon(STRINGS.fly, "fly", () => this.actions.toggleMovement());
    this.remixButton = onlyIcon(STRINGS.remix, "copy", () => this.actions.remix());
    this.editButton = onlyIcon(STRINGS.edit, "edit", () => this.edit.toggle());
    this.pairButton = onlyIcon(STRINGS.pair, "headset", () => this.actions.pair());
    this.tools = element(
      "div",
      { class: "top-right", hidden: "" },
      button({ label: STRINGS.share, icon: "share", showsLabel: true, press: () => void this.share() }),
      this.pairButton,
      this.remixButton,
      this.editButton,
      this.people,
      this.sound,
      onlyIcon(STRINGS.info, "info", () => this.info.toggle()),
      onlyIcon(STRINGS.help, "help", () => this.help.toggle()),
      onlyIcon(STRINGS.fullscreen, "fullscreen", () => void toggleFullscreen(), "fullscreen-button"),
    );
    this.fillHelp("");
    root.append(
      this.curtain,
      element(
        "div",
        { class: "top" },
        element("div", { class: "top-left plate" }, this.title, this.chip, this.poorChip, this.growthChip),
        this.tools,
      ),
      element("div", { class: "corner bottom-left" }, this.status),
      this.xrButtons,
      this.stick,
      this.progress,
      this.info.dialog,
      this.help.dialog,
      this.edit.dialog,
      this.report.dialog,
      this.peoplePanel.dialog,
    );
    window.addEventListener("keydown", (event) => this.shortcut(event));
    const page = document.documentElement.classList;
    window.addEventListener("keydown", ({ key }) => key === "Tab" && page.add("is-tabbing"));
    window.addEventListener("pointerdown", () => page.remove("is-tabbing"));
  }

  /** The scene's name and label are known. */
  setScene(scene: SceneSummary, manifest?: Manifest): void {
    // Only who has a secret can hand it on; a scene of plain files has none.
    const canPair = location.hash.length > 1;
    this.scene = scene;
    const title = scene.title || STRINGS.untitled;
    this.title.textContent = title;
    this.title.title = title;
    this.curtainTitle.textContent = title;
    document.title = `${title} · ${STRINGS.product}`;
    this.chip.hidden = !scene.is_generated;
    this.poorChip.hidden = scene.is_growing || scene.quality?.verdict !== "poor"; // a draft becomes better by itself
    this.tools.hidden = false;
    this.pairButton.hidden = !canPair;
    this.remixButton.hidden = scene.scope === "view";
    this.editButton.hidden = scene.scope !== "edit";
    if (scene.scope === "edit" && !this.edit.dialog.open) this.edit.fill(...editContent(scene, this.actions.edit));
    const report = button({ label: STRINGS.report, showsLabel: true, className: "quiet", press: () => this.openReport() });
    // Plain files on a web host have nobody to report to.
    this.info.fill(...sceneContent(scene, manifest), ...(this.isServed ? [report] : []));
  }

  private fillHelp(xrWhy: string): void {
    this.help.fill(...helpContent(xrWhy), qualityChoice(this.actions.quality));
  }

  private openReport(): void {
    this.info.dialog.close();
    this.report.fill(...reportContent(this.actions.report));
    this.report.toggle();
  }

  /** What is being waited for, until the first picture is there. */
  setWaiting(words: string): void {
    this.curtainText.ariaLive = "polite";
    this.curtainText.textContent = words;
  }

  /** How far the scene is that is still being made; undefined: it is finished. */
  showGrowth(state: GrowthState | undefined, title: string): void {
    const isOpen = this.curtain.classList.contains("is-open");
    this.growthChip.hidden = !state || !isOpen; // the curtain says it in its middle
    if (!state) return;
    const words = growthWords(state);
    this.growthChip.textContent = words;
    if (isOpen) return;
    this.curtainTitle.textContent = title;
    this.curtainText.ariaLive = "off"; // every percent read aloud helps nobody
    this.curtainText.textContent = words;
    this.frames.show(state.frames);
  }

  /** The first picture is there. */
  openCurtain(isTouch: boolean): void {
    if (this.curtain.classList.contains("is-open")) return;
    this.curtain.classList.add("is-open");
    this.frames.stop();
    setTimeout(() => (this.curtain.hidden = this.curtain.classList.contains("is-open")), 800);
    if (this.hasHinted) return;
    this.hasHinted = true;
    this.say(isTouch ? STRINGS.hintTouch : STRINGS.hintKeys, HINT_MS);
  }

  /** Another place is on its way: cover the scene until its first picture. */
  closeCurtain(title: string, words: string): void {
    this.curtainTitle.textContent = title;
    this.curtainText.textContent = words;
    this.curtain.hidden = false;
    this.curtain.classList.remove("is-open");
  }

  setProgress(share: number, words: string): void {
    const percent = Math.round(share * 100);
    this.bar.style.transform = `scaleX(${share})`;
    this.progress.setAttribute("aria-valuenow", String(percent));
    this.progress.setAttribute("aria-valuetext", words);
    this.progress.classList.toggle("is-done", share >= 1);
  }

  /** Say something for a moment. */
  say(words: string, milliseconds = TOAST_MS): void {
    clearTimeout(this.toastTimer);
    this.show(words);
    this.toastTimer = setTimeout(() => this.show(this.standing), milliseconds);
  }

  /** Say something until it is taken back with an empty string. */
  stand(words: string): void {
    this.standing = words;
    clearTimeout(this.toastTimer);
    this.show(words);
  }

  /** Offer to mute what the scene has to be heard; nothing is offered for a silent one. */
  showSound(hasSound: boolean, isMuted: boolean): void {
    this.sound.hidden = !hasSound;
    const label = isMuted ? STRINGS.unmute : STRINGS.mute;
    this.sound.replaceChildren(icon(isMuted ? "muted" : "sound"));
    this.sound.setAttribute("aria-label", label);
    this.sound.setAttribute("aria-pressed", String(isMuted));
    this.sound.title = label;
  }

  /** Say how many others are here; nothing is said while there is nobody. */
  showPeople(count: number, areHidden: boolean): void {
    this.people.hidden = count === 0;
    if (count === 0) this.peoplePanel.dialog.close();
    this.peoplePanel.show(count, areHidden);
    const label = STRINGS.othersHere(count);
    this.peopleCount.textContent = String(count);
    this.people.replaceChildren(icon(areHidden ? "peopleHidden" : "people"), this.peopleCount);
    this.people.setAttribute("aria-label", label);
    this.people.title = label;
  }

  showMovement(mode: Movement): void {
    const isFlying = mode === "fly";
    const label = isFlying ? STRINGS.walk : STRINGS.fly;
    this.movement.replaceChildren(icon(isFlying ? "walk" : "fly"), element("span", { class: "label-wide" }, label));
    this.movement.setAttribute("aria-label", label);
    this.movement.title = isFlying ? STRINGS.flying : STRINGS.walking;
    if (!this.movement.isConnected) {
      const recentre = button({ label: STRINGS.recentre, icon: "home", press: () => this.actions.recentre() });
      this.xrButtons.prepend(recentre, this.movement);
    }
  }

  offerXr(offer: XrOffer): void {
    this.fillHelp(offer.why);
    const enter = (label: string, mode: XRSessionMode) =>
      button({ label, icon: "headset", showsLabel: true, className: "primary xr", press: () => this.actions.enterXr(mode) });
    if (offer.vr) this.xrButtons.append(enter(STRINGS.enterVr, "immersive-vr"));
    if (offer.ar) this.xrButtons.append(enter(STRINGS.enterAr, "immersive-ar"));
    if (offer.why) {
      const press = () => this.say(offer.why, 2 * TOAST_MS);
      this.xrButtons.append(button({ label: STRINGS.xrWhy, icon: "headset", press }));
    }
  }

  /** The visit is over, or cannot begin: say why, and what can be done. */
  fail(failure: Failure): void {
    const words = FAILURES[failure.code];
    const id = "failure-title";
    const retry =
      words.retry === undefined
        ? undefined
        : button({ label: words.retry, className: "primary", press: () => this.actions.retry() });
    const detail = failure.detail ? element("p", { class: "detail" }, failure.detail) : undefined;
    const card = element(
      "div",
      { class: "card", role: "alertdialog", tabindex: "-1", "aria-labelledby": id, "aria-describedby": "failure-text", "data-code": failure.code },
      element("h2", { id }, words.title),
      element("p", { id: "failure-text" }, words.text),
      detail,
      retry,
    );
    this.stand("");
    this.progress.hidden = true;
    this.curtain.hidden = this.curtain.classList.contains("is-open");
    this.curtainText.textContent = "";
    this.info.dialog.close();
    this.help.dialog.close();
    this.edit.dialog.close();
    this.report.dialog.close();
    this.peoplePanel.dialog.close();
    this.cover(element("div", { class: "card-ground" }, card));
    (retry ?? card).focus();
  }

  /** Ask for one line before there is a scene; asking again takes the place of the question before. */
  ask(options: GateOptions): void {
    this.curtainText.textContent = "";
    this.cover(gate(options));
  }

  /** The answer was right. */
  endAsking(): void {
    this.cover(undefined);
  }

  /** Lay a card over everything, which then cannot be reached; undefined: take it away. */
  private cover(card: HTMLElement | undefined): void {
    this.card?.remove();
    this.card = card;
    const behind = [...this.root.children, ...(this.root.parentElement?.children ?? [])];
    for (const part of behind) if (part instanceof HTMLElement && part !== this.root) part.inert = card !== undefined;
    if (card) this.root.append(card);
  }

  draw(stick: { x: number; y: number; knobX: number; knobY: number } | undefined): void {
    this.stick.hidden = !stick;
    if (!stick) return;
    this.status.classList.add("is-gone"); // it lies where the thumb is
    this.stick.style.translate = `${stick.x}px ${stick.y}px`;
    this.knob.style.translate = `${stick.knobX - stick.x}px ${stick.knobY - stick.y}px`;
  }

  private show(words: string): void {
    if (words) this.statusText.textContent = words;
    this.status.classList.toggle("is-gone", !words);
  }

  private async share(): Promise<void> {
    try {
      // A phone's share sheet reaches further than its clipboard.
      if (navigator.maxTouchPoints > 0 && navigator.share) {
        await navigator.share({ title: this.scene?.title ?? STRINGS.product, url: location.href });
        return;
      }
      await navigator.clipboard.writeText(location.href);
      this.say(STRINGS.shared);
    } catch (error) {
      if (error instanceof DOMException && error.name === "AbortError") return; // the sheet was closed
      this.say(STRINGS.shareFailed);
    }
  }

  private shortcut(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || this.card) return;
    if (this.edit.dialog.open || this.report.dialog.open || this.peoplePanel.dialog.open) return;
    const isPanelOpen = this.info.dialog.open || this.help.dialog.open;
    if (event.key === "?" && !this.info.dialog.open) this.help.toggle();
    else if (event.code === "KeyI" && !this.help.dialog.open && this.scene) this.info.toggle();
    else if (isPanelOpen) return;
    else if (event.code === "KeyT" && !this.people.hidden) {
      event.preventDefault(); // the letter belongs to no field yet
      this.peoplePanel.open();
    } else if (event.code === "KeyF") this.actions.toggleMovement();
    else if (event.code === "KeyR") this.actions.recentre();
    else if (event.code === "Enter" && event.target instanceof HTMLCanvasElement) void toggleFullscreen();
  }
}

async function toggleFullscreen(): Promise<void> {
  try {
    if (document.fullscreenElement) await document.exitFullscreen();
    else await document.documentElement.requestFullscreen();
  } catch {
    // An embedding page may forbid it; the scene is as good in its frame.
  }
}

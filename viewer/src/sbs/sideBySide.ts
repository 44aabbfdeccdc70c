/** `?view=sbs`: the page for glasses that are a monitor: two eyes, a screen that stays awake, the phone as head. */

import "./sideBySide.css";
import type { Stage } from "../render/stage";
import { button, element } from "../ui/dom";
import { STRINGS, decimal } from "../ui/strings";
import type { Player } from "../walk/player";
import { Eyes, type EyeOptions } from "./eyes";
import { Head } from "./head";

const WORDS = STRINGS.sbs;
/** Most adults; and where the picture of such glasses seems to hang. */
const IPD_MM = 63;
const CONVERGENCE_M = 4;
const IPD_STEP_MM = 1;
const CONVERGENCE_STEP = 1.25;
const LEAST_IPD_MM = 0;
const MOST_IPD_MM = 500;
const NEAREST_M = 0.2;
const FARTHEST_M = 100;
/** Flat buttons over two pictures hurt the eyes: they come with the pointer and go after this. */
const AWAKE_MS = 4_000;

export interface SideBySideParts {
  readonly stage: Stage;
  readonly player: Player;
  readonly root: HTMLElement;
  readonly say: (words: string) => void;
}

export class SideBySide {
  private readonly eyes: Eyes;
  private sleep: ReturnType<typeof setTimeout> | undefined;
  private lock: WakeLockSentinel | undefined;
  private head: Head | undefined;

  constructor(
    private readonly parts: SideBySideParts,
    query: URLSearchParams,
  ) {
    this.eyes = new Eyes(eyeOptions(query));
    parts.stage.setEyes(this.eyes);
    document.documentElement.classList.add("is-sbs");
    if ("DeviceOrientationEvent" in window) parts.root.append(this.headButton());
    window.addEventListener("keydown", (event) => this.press(event));
    for (const sign of ["pointermove", "pointerdown", "keydown"] as const) {
      window.addEventListener(sign, () => this.wake());
    }
    window.addEventListener("pointerdown", () => void this.keepAwake());
    // A page that was hidden has lost its lock.
    document.addEventListener("visibilitychange", () => void this.keepAwake());
    void this.keepAwake();
    this.wake();
    parts.say(WORDS.hint);
  }

  private press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.target instanceof HTMLElement && event.target.closest("input, textarea, select, dialog[open]")) return;
    const { ipdM, convergenceM, isSwapped } = this.eyes.options;
    const mm = Math.round(1_000 * ipdM);
    if (event.code === "BracketLeft" || event.code === "BracketRight") {
      const ipdMm = within(mm + (event.code === "BracketLeft" ? -1 : 1) * IPD_STEP_MM, LEAST_IPD_MM, MOST_IPD_MM);
      this.change({ ipdM: ipdMm / 1_000 }, WORDS.ipd(ipdMm));
    } else if (event.code === "Comma" || event.code === "Period") {
      const factor = event.code === "Comma" ? 1 / CONVERGENCE_STEP : CONVERGENCE_STEP;
      const metres = within((convergenceM || FARTHEST_M) * factor, NEAREST_M, FARTHEST_M);
      this.change({ convergenceM: metres >= FARTHEST_M ? 0 : metres }, WORDS.convergence(metres >= FARTHEST_M ? "∞" : decimal(metres, 1)));
    } else if (event.code === "KeyX") {
      this.change({ isSwapped: !isSwapped }, WORDS.swapped);
    }
  }

  private change(options: Partial<EyeOptions>, words: string): void {
    this.eyes.options = { ...this.eyes.options, ...options };
    this.parts.stage.invalidate();
    this.parts.say(words);
  }

  private wake(): void {
    document.documentElement.classList.add("is-awake");
    clearTimeout(this.sleep);
    this.sleep = setTimeout(() => document.documentElement.classList.remove("is-awake"), AWAKE_MS);
  }

  private async keepAwake(): Promise<void> {
    if (document.hidden || (this.lock && !this.lock.released)) return;
    try {
      this.lock = await navigator.wakeLock.request("screen");
    } catch {
      // A low battery or an old browser; the screen goes dark as it does elsewhere.
    }
  }

  private headButton(): HTMLElement {
    const made = button({ label: WORDS.head, showsLabel: true, press: () => void this.useHead(bar) });
    const bar = element("div", { class: "corner sbs-head" }, made);
    return bar;
  }

  /** Must come from a press: some phones ask their owner. */
  private async useHead(bar: HTMLElement): Promise<void> {
    const asking = DeviceOrientationEvent as unknown as { requestPermission?: () => Promise<"granted" | "denied"> };
    const answer = await (asking.requestPermission?.() ?? "granted");
    if (answer !== "granted") return this.parts.say(WORDS.noHead);
    this.head ??= this.parts.player.follow(new Head(window));
    this.parts.say(WORDS.headOn);
    bar.remove();
  }
}

/** From the address: `ipd` in millimetres, `convergence` in metres, `swap`, `squeezed`. */
export function eyeOptions(query: URLSearchParams): EyeOptions {
  const number = (name: string, otherwise: number, least: number, most: number) => {
    const value = Number.parseFloat(query.get(name) ?? "");
    return Number.isFinite(value) ? within(value, least, most) : otherwise;
  };
  return {
    ipdM: number("ipd", IPD_MM, LEAST_IPD_MM, MOST_IPD_MM) / 1_000,
    convergenceM: number("convergence", CONVERGENCE_M, 0, FARTHEST_M),
    isSwapped: query.has("swap") && query.get("swap") !== "0",
    isSqueezed: query.has("squeezed") && query.get("squeezed") !== "0",
  };
}

function within(value: number, least: number, most: number): number {
  return Math.max(least, Math.min(most, value));
}

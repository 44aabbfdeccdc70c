/** What is seen of a scene before there is anything to walk in: its frames, one after another, and how far it is. */

import type { GrowthState } from "../protocol/growth";
import { element } from "./dom";
import { STRINGS, percent } from "./strings";

const FRAME_MS = 1_600;

export class FrameShow {
  readonly element = element("div", { class: "frames", "aria-hidden": "true" });
  private frames: readonly string[] = [];
  private timer: ReturnType<typeof setInterval> | undefined;
  private shown = -1;

  /** Show these pictures in turn; the same ones again change nothing. */
  show(frames: readonly string[]): void {
    if (frames.length === 0 || frames.every((frame, at) => frame === this.frames[at])) return;
    this.frames = frames;
    const picture = (data: string) => element("img", { src: `data:image/webp;base64,${data}`, alt: "" });
    this.element.replaceChildren(...frames.map(picture));
    this.shown = frames.length - 2; // the newest first
    this.next();
    clearInterval(this.timer);
    // One picture is enough for whoever wants nothing to move.
    if (!matchMedia("(prefers-reduced-motion: reduce)").matches) this.timer = setInterval(() => this.next(), FRAME_MS);
  }

  stop(): void {
    clearInterval(this.timer);
  }

  private next(): void {
    const pictures = [...this.element.children];
    pictures[this.shown]?.classList.remove("is-shown");
    this.shown = (this.shown + 1) % pictures.length;
    pictures[this.shown]?.classList.add("is-shown");
  }
}

export function growthWords(state: GrowthState): string {
  if (state.is_stopped) return STRINGS.growthStopped;
  const label = state.label || STRINGS.growthBegins;
  return STRINGS.growth(label, percent(state.share), state.seconds_left ?? undefined);
}

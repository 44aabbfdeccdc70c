/** For the curious: how fast it draws, how much, and what the governor did last. Drawn only while it is shown. */

import { element } from "../ui/dom";
import { STRINGS, decimal, megabytes, percent } from "../ui/strings";
import "./figures.css";
import { FRAME_TIMES, type Stage } from "./stage";

export interface FiguresSource {
  readonly stage: Stage;
  readonly bytesReceived: number;
  readonly picture: { readonly aliveCount: number };
}

const KEY = "KeyG";
const REFRESH_MS = 250;
const WIDTH = 2 * FRAME_TIMES;
const HEIGHT = 48;
/** The graph's top, in frames of the target. */
const TALLEST = 3;
const INK = "#c6ced8";
const SLOW_INK = "#ffa79b";
const LINE = "#ffc978";

export class Figures {
  private readonly graph = element("canvas", { width: String(WIDTH), height: String(HEIGHT), "aria-hidden": "true" });
  private readonly lines = [0, 1, 2, 3].map(() => element("p"));
  private readonly board: HTMLElement = element(
    "div",
    { class: "figures", role: "group", "aria-label": STRINGS.figures.title, hidden: "" },
    this.graph,
    ...this.lines,
  );
  private timer: ReturnType<typeof setInterval> | undefined;
  private framesThen = 0;
  private thenMs = 0;

  constructor(
    parent: HTMLElement,
    private readonly source: FiguresSource,
  ) {
    parent.append(this.board);
    window.addEventListener("keydown", (event) => {
      const isElsewhere = event.target instanceof HTMLElement && event.target.closest("input, textarea, select, dialog[open]");
      if (event.code === KEY && !event.repeat && !event.ctrlKey && !event.metaKey && !event.altKey && !isElsewhere) this.toggle();
    });
  }

  toggle(): void {
    this.board.hidden = !this.board.hidden;
    clearInterval(this.timer);
    if (this.board.hidden) return;
    this.framesThen = this.source.stage.framesDrawn;
    this.thenMs = performance.now();
    this.timer = setInterval(() => this.refresh(), REFRESH_MS);
    this.refresh();
  }

  private refresh(): void {
    const { stage, picture, bytesReceived } = this.source;
    const { governor } = stage;
    const words = STRINGS.figures;
    const now = performance.now();
    const seconds = (now - this.thenMs) / 1_000;
    const fps = seconds > 0 ? (stage.framesDrawn - this.framesThen) / seconds : 0;
    if (seconds > 1) {
      this.framesThen = stage.framesDrawn;
      this.thenMs = now;
    }
    const last = governor.log.at(-1);
    const share = percent(stage.pixelRatio / stage.fullRatio);
    [
      stage.isResting ? words.resting : words.frame(decimal(fps), decimal(governor.frameMs, 1), decimal(governor.targetMs, 1)),
      words.splats(decimal(stage.backend.drawnCount), decimal(picture.aliveCount), megabytes(bytesReceived)),
      words.resolution(share),
      last ? words.step(words.dials[last.dial], short(last.from), short(last.to), words.whys[last.why]) : words.noStep,
    ].forEach((line, row) => this.lines[row]?.replaceChildren(line));
    this.draw(governor.targetMs);
  }

  /** Oldest on the left; the line is the target. */
  private draw(targetMs: number): void {
    const ink = this.graph.getContext("2d");
    if (!ink) return;
    const { frameTimes, framesDrawn } = this.source.stage;
    ink.clearRect(0, 0, WIDTH, HEIGHT);
    const perMs = HEIGHT / (TALLEST * targetMs);
    for (let frame = 0; frame < FRAME_TIMES; frame++) {
      const ms = frameTimes[(framesDrawn + frame) % FRAME_TIMES] ?? 0;
      const height = Math.min(HEIGHT, ms * perMs);
      ink.fillStyle = ms > 1.5 * targetMs ? SLOW_INK : INK;
      ink.fillRect(2 * frame, HEIGHT - height, 1, height);
    }
    ink.fillStyle = LINE;
    ink.fillRect(0, HEIGHT - targetMs * perMs, WIDTH, 1);
  }
}

function short(value: number): string {
  return decimal(value, value >= 100 ? 0 : 2);
}

/**
 * Keeps the frame rate by giving up what is missed least, and takes it back when there is room.
 *
 * Judged is the time from one drawn frame to the next: it grows whether the GPU or the CPU is behind. Behind a
 * display's fixed rate it never shows how much room there is, so going up means to try, and to wait twice as long
 * before the next try when that was too much. No clock and no renderer in here.
 */

import type { Quality } from "../device/quality";

/** In the order in which they give way; they come back in the other one. */
export const DIAL_NAMES = ["edges", "resolution", "splats", "maxStdDev", "shDegree"] as const;
export type DialName = (typeof DIAL_NAMES)[number];

/** What can be given up: `edges` 1 draws a headset's rim as sharp as its middle; the others as they are called. */
export interface Dial {
  readonly name: DialName;
  readonly least: number;
  readonly most: number;
}

export type Settings = Readonly<Partial<Record<DialName, number>>>;

export interface GovernorStep {
  readonly atMs: number;
  /** Median of the frames that led to it. */
  readonly frameMs: number;
  readonly dial: DialName;
  readonly from: number;
  readonly to: number;
  /** `vain`: giving this up had not helped. `back`: a try at more was too much. */
  readonly why: "slow" | "room" | "vain" | "back";
}

/** Longer than this nothing is drawn slowly: the tab slept. */
const SLEPT_MS = 1_500;
/** Frames judged together: few where it is plain, for comfort must not wait. */
const SPAN = 16;
const SLOW_SPAN = 5;
const VERY_SLOW_SPAN = 3;
/** Whatever the frames, this is long enough to look at them. */
const LONGEST_SPAN_MS = 800;
/** Frames after a step that show its making, not its effect. */
const SETTLING = 2;
/** Frames with chunks in them say little about those without; a flood must not blind it for good, though. */
const LONGEST_BURST_MS = 600;
/** Beyond the first it is slow; what is given up aims at the second. Together within 10 % of the target. */
const SLOW = 1.07;
const AIM = 0.96;
/** One step's factor of the frame time at the least; near a display's rate frames are doubled, not slow. */
const BOLDEST = 0.4;
const BOLDEST_NEAR = 0.7;
const SLIGHTEST = 0.93;
/** When so little of the cost should be left, a fifth of what went must show, or it went in vain. Half, because a
 * display that waits for its next tick may show twice the cost. */
const JUDGED_AT = 0.5;
const LEAST_GAIN = 0.2;
/** What a step of a dial in whole numbers should leave. */
const WHOLE_STEP = 0.85;
const VAIN_FOR_MS = 60_000;
/** Room: the factor of frame time that a try may cost. */
const TRY = 1.12;
const FIRST_WAIT_MS = 4_000;
const LONGEST_WAIT_MS = 120_000;
/** As far down as a chosen quality goes, between a dial's least and most. */
const SHARES: Readonly<Record<Exclude<Quality, "auto">, number>> = { low: 0.2, medium: 0.6, high: 1 };
const LOG_LENGTH = 60;

export class Governor {
  readonly log: GovernorStep[] = [];
  /** Median of the newest frames judged. */
  frameMs = 0;
  private readonly values = new Map<DialName, number>();
  private readonly dials: readonly Dial[];
  private quality: Quality = "auto";
  private span: number[] = [];
  private settling = 0;
  private burstMs = 0;
  private isBusy = false;
  private waitMs = FIRST_WAIT_MS;
  private changedAtMs = Number.NEGATIVE_INFINITY;
  /** What is being given up, since when. */
  private down: { readonly dial: Dial; readonly from: number; readonly frameMs: number; share: number } | undefined;
  private attempt: { readonly dial: Dial; readonly from: number } | undefined;
  private readonly vainUntilMs = new Map<DialName, number>();

  constructor(
    dials: readonly Dial[],
    public targetMs: number,
    private readonly apply: (settings: Settings) => void,
  ) {
    this.dials = DIAL_NAMES.flatMap((name) => dials.filter((dial) => dial.name === name && dial.least < dial.most));
    for (const dial of dials) this.values.set(dial.name, dial.most);
  }

  get settings(): Settings {
    return Object.fromEntries(this.values);
  }

  /** A chosen quality stays as it is; `auto` begins with the most. */
  choose(quality: Quality): void {
    this.quality = quality;
    const share = quality === "auto" ? 1 : SHARES[quality];
    for (const dial of this.dials) this.values.set(dial.name, fitting(dial, dial.least + share * (dial.most - dial.least)));
    this.span = [];
    this.down = this.attempt = undefined;
    this.vainUntilMs.clear();
    this.apply(this.settings);
  }

  /** The next frame does something else besides drawing, such as taking in chunks. */
  busy(): void {
    this.isBusy = true;
  }

  /** Note a drawn frame: when it was, how long after the one before, and how many splats it showed. */
  frame(atMs: number, milliseconds: number, splats: number): void {
    this.burstMs = this.isBusy ? this.burstMs + milliseconds : 0;
    const isBurst = this.isBusy && this.burstMs < LONGEST_BURST_MS;
    this.isBusy = false;
    if (milliseconds > SLEPT_MS) this.span = [];
    if (milliseconds > SLEPT_MS || isBurst || this.settling-- > 0) return;
    this.span.push(milliseconds);
    const frameMs = median(this.span);
    const ratio = frameMs / this.targetMs;
    const enough = ratio > 3 || frameMs * this.span.length > LONGEST_SPAN_MS ? VERY_SLOW_SPAN : ratio > 1.4 ? SLOW_SPAN : SPAN;
    if (this.span.length < enough) return;
    this.span = [];
    this.frameMs = frameMs;
    if (this.quality !== "auto") return;
    if (ratio > SLOW) this.giveUp(atMs, frameMs, splats);
    else this.takeBack(atMs, frameMs);
  }

  private giveUp(atMs: number, frameMs: number, splats: number): void {
    if (this.attempt) {
      // Twice as long until the next try, so that the picture does not swing.
      this.waitMs = Math.min(LONGEST_WAIT_MS, 2 * this.waitMs);
      return this.set(this.attempt.dial, this.attempt.from, "back", atMs, frameMs);
    }
    const { down } = this;
    const isJudged = down && (down.share <= JUDGED_AT || this.value(down.dial.name) <= down.dial.least);
    if (isJudged && frameMs > (1 - LEAST_GAIN * (1 - down.share)) * down.frameMs) {
      this.vainUntilMs.set(down.dial.name, atMs + VAIN_FOR_MS);
      this.down = undefined;
      this.set(down.dial, down.from, "vain", atMs, frameMs);
    }
    const dial = this.dials.find(
      ({ name, least }) => this.value(name) > least && (this.vainUntilMs.get(name) ?? Number.NEGATIVE_INFINITY) <= atMs,
    );
    if (!dial) return;
    const from = this.value(dial.name);
    const boldest = frameMs < 2.1 * this.targetMs ? BOLDEST_NEAR : BOLDEST;
    const factor = Math.max(boldest, Math.min(SLIGHTEST, (AIM * this.targetMs) / frameMs));
    // A budget that nothing fills gives nothing up.
    const base = dial.name === "splats" ? Math.min(from, splats) : from;
    const to = fitting(dial, lowered(dial, base, factor));
    if (this.down?.dial !== dial) this.down = { dial, from, frameMs, share: 1 };
    this.down.share *= costShare(dial, to / base);
    this.set(dial, to, "slow", atMs, frameMs);
  }

  private takeBack(atMs: number, frameMs: number): void {
    this.down = undefined;
    if (this.attempt && atMs - this.changedAtMs > this.waitMs) {
      this.attempt = undefined; // it has held
      this.waitMs = Math.max(FIRST_WAIT_MS, this.waitMs / 2);
    }
    if (atMs - this.changedAtMs < this.waitMs) return;
    const dial = this.dials.findLast(({ name, most }) => this.value(name) < most);
    if (!dial) return;
    const from = this.value(dial.name);
    this.attempt = { dial, from };
    this.set(dial, fitting(dial, raised(dial, from)), "room", atMs, frameMs);
  }

  private set(dial: Dial, to: number, why: GovernorStep["why"], atMs: number, frameMs: number): void {
    const from = this.value(dial.name);
    if (why === "back") this.attempt = undefined;
    this.values.set(dial.name, to);
    this.changedAtMs = atMs;
    this.settling = SETTLING;
    this.log.push({ atMs, frameMs, dial: dial.name, from, to, why });
    if (this.log.length > LOG_LENGTH) this.log.shift();
    this.apply(this.settings);
  }

  private value(name: DialName): number {
    return this.values.get(name) ?? 0;
  }
}

/** Pixels, and those under a splat, go with the square; the fewest steps of all are those in whole numbers. */
function lowered({ name, least }: Dial, value: number, factor: number): number {
  if (name === "edges") return least;
  if (name === "shDegree") return Math.ceil(value) - 1;
  return value * (name === "splats" ? factor : Math.sqrt(factor));
}

function costShare({ name }: Dial, change: number): number {
  if (name === "edges" || name === "shDegree") return WHOLE_STEP;
  return name === "splats" ? change : change ** 2;
}

function raised({ name, most }: Dial, value: number): number {
  if (name === "edges") return most;
  if (name === "shDegree") return value + 1;
  return value * (name === "splats" ? TRY : Math.sqrt(TRY));
}

function fitting({ name, least, most }: Dial, value: number): number {
  const within = Math.max(least, Math.min(most, value));
  return name === "shDegree" || name === "splats" || name === "edges" ? Math.round(within) : within;
}

/** The lower one of two in the middle: with few frames, a spike must not be half of the answer. */
function median(values: readonly number[]): number {
  const sorted = [...values].sort((a, b) => a - b);
  return sorted[(sorted.length - 1) >> 1] ?? 0;
}

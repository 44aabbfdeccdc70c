/** Keeps the picture fluent by drawing fewer pixels when frames take long, and more again when they do not. */

const SLOW_MS = 28;
const FAST_MS = 13;
/** Frames judged together; single slow ones come from chunks arriving. */
const SPAN = 24;

export class ResolutionGovernor {
  private ratio: number;
  private spent = 0;
  private frames = 0;
  private fastSpans = 0;

  constructor(
    private readonly least: number,
    private readonly most: number,
  ) {
    this.ratio = most;
  }

  /** Note one drawn frame; returns the new pixel ratio when it changes. */
  frame(milliseconds: number): number | undefined {
    if (milliseconds > 1_000) return undefined; // the tab slept
    this.spent += milliseconds;
    if (++this.frames < SPAN) return undefined;
    const mean = this.spent / this.frames;
    this.spent = this.frames = 0;
    const before = this.ratio;
    this.fastSpans = mean < FAST_MS ? this.fastSpans + 1 : 0;
    if (mean > SLOW_MS) this.ratio = Math.max(this.least, this.ratio * (mean > 2 * SLOW_MS ? 0.7 : 0.85));
    // Growing is tried seldom: a ratio that swings is seen, a slightly low one is not.
    else if (this.fastSpans >= 8) {
      this.fastSpans = 0;
      this.ratio = Math.min(this.most, this.ratio * 1.15);
    }
    return this.ratio === before ? undefined : this.ratio;
  }
}

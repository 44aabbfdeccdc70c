/** Which slots of the splat textures are free. First fit, because chunks come in few sizes and room is plenty. */

import type { Run } from "./ranges";

export class Slots {
  /** Free runs below `end`, in order, never touching each other. */
  private free: Run[] = [];
  private end = 0;

  /** One past the last slot ever used and not given back since. */
  get highest(): number {
    return this.end;
  }

  /** Return the first of `count` slots in a row. */
  take(count: number): number {
    const at = this.free.findIndex(({ start, stop }) => stop - start >= count);
    const run = this.free[at];
    if (run && count > 0) {
      const rest = { start: run.start + count, stop: run.stop };
      this.free.splice(at, 1, ...(rest.start < rest.stop ? [rest] : []));
      return run.start;
    }
    this.end += count;
    return this.end - count;
  }

  giveBack({ start, stop }: Run): void {
    if (stop <= start) return;
    const before = this.free.findLast((run) => run.stop === start);
    const after = this.free.find((run) => run.start === stop);
    const merged = { start: before?.start ?? start, stop: after?.stop ?? stop };
    this.free = this.free.filter((run) => run !== before && run !== after);
    if (merged.stop === this.end) this.end = merged.start;
    else this.free.push(merged);
    this.free.sort((a, b) => a.start - b.start);
  }
}

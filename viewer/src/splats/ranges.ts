/**
 * Which splats are drawn: chunk c takes the place of `[rangeStart, rangeStop)` of its parent.
 *
 * A replaced splat stays replaced; nothing here ever leaves a hole, because a child's splats are in place
 * before the parent's are struck out.
 */

export interface ChunkPlace {
  readonly parent: number; // -1 for a root
  readonly rangeStart: number;
  readonly rangeStop: number;
}

/** A run of slots `[start, stop)` in the splat textures. */
export interface Run {
  readonly start: number;
  readonly stop: number;
}

interface Held {
  readonly base: number;
  readonly count: number;
  readonly place: ChunkPlace;
}

export class RangeReplacement {
  private readonly held = new Map<number, Held>();
  /** Children that came before their parent: after a resume a server may send them in any order. */
  private readonly waiting = new Map<number, number[]>();
  private alive = 0;

  /** Splats drawn now, replaced ones not counted. */
  get aliveCount(): number {
    return this.alive;
  }

  has(chunk: number): boolean {
    return this.held.has(chunk);
  }

  chunks(): IterableIterator<number> {
    return this.held.keys();
  }

  /**
   * Take in a chunk whose splats lie in slots `[base, base + count)`. Returns the runs to strike out:
   * ranges of its parent, and ranges of its own that children already here replace.
   */
  add(chunk: number, place: ChunkPlace, base: number, count: number): Run[] {
    if (this.held.has(chunk)) throw new Error(`chunk ${chunk} must be added once`);
    this.held.set(chunk, { base, count, place });
    this.alive += count;
    const runs: Run[] = [];
    if (place.parent >= 0) {
      const parent = this.held.get(place.parent);
      if (parent) this.strike(parent, place, runs);
      else this.waiting.set(place.parent, [...(this.waiting.get(place.parent) ?? []), chunk]);
    }
    for (const child of this.waiting.get(chunk) ?? []) {
      const early = this.held.get(child);
      const self = this.held.get(chunk);
      if (early && self) this.strike(self, early.place, runs);
    }
    this.waiting.delete(chunk);
    return runs;
  }

  private strike(parent: Held, place: ChunkPlace, runs: Run[]): void {
    const start = parent.base + Math.min(place.rangeStart, parent.count);
    const stop = parent.base + Math.min(place.rangeStop, parent.count);
    if (stop <= start) return;
    runs.push({ start, stop });
    this.alive -= stop - start;
  }
}

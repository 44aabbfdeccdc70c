/**
 * Which splats are drawn: chunk c takes the place of `[rangeStart, rangeStop)` of its parent.
 *
 * Nothing here ever leaves a hole: a child's splats are in place before the parent's are struck out, and
 * the parent's are brought back when the child goes.
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

/** Part of a chunk: its splats `[from, to)`. */
export interface ChunkPart {
  readonly chunk: number;
  readonly from: number;
  readonly to: number;
}

interface Held {
  readonly base: number;
  readonly count: number;
  readonly place: ChunkPlace;
}

export class RangeReplacement {
  private readonly held = new Map<number, Held>();
  private readonly order = new Set<number>();
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

  /** The chunks held, as a set that follows. */
  get chunks(): ReadonlySet<number> {
    return this.order;
  }

  /**
   * Take in a chunk whose splats lie in slots `[base, base + count)`. Returns the runs to strike out:
   * ranges of its parent, and ranges of its own that children already here replace.
   */
  add(chunk: number, place: ChunkPlace, base: number, count: number): Run[] {
    if (this.held.has(chunk)) throw new Error(`chunk ${chunk} must be added once`);
    this.held.set(chunk, { base, count, place });
    this.order.add(chunk);
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

  /**
   * Let go of a chunk that no held chunk replaces a part of. Returns its slots, and the part of its parent
   * that is drawn again.
   */
  remove(chunk: number): { readonly freed: Run; readonly restored: ChunkPart | undefined } {
    const gone = this.held.get(chunk);
    if (!gone) throw new Error(`chunk ${chunk} must be held to be removed`);
    this.held.delete(chunk);
    this.order.delete(chunk);
    this.alive -= gone.count;
    const { parent, rangeStart, rangeStop } = gone.place;
    const holder = this.held.get(parent);
    const freed = { start: gone.base, stop: gone.base + gone.count };
    if (!holder) return { freed, restored: undefined };
    const from = Math.min(rangeStart, holder.count);
    const to = Math.min(rangeStop, holder.count);
    this.alive += to - from;
    return { freed, restored: { chunk: parent, from, to } };
  }

  /** The slots of all chunks held, replaced splats included. */
  get runs(): Run[] {
    return [...this.held.values()].map(({ base, count }) => ({ start: base, stop: base + count }));
  }

  /** The slot of a held chunk's first splat. */
  baseOf(chunk: number): number {
    const base = this.held.get(chunk)?.base;
    if (base === undefined) throw new Error(`chunk ${chunk} must be held`);
    return base;
  }

  /** How many splats a held chunk has, those replaced included. */
  countOf(chunk: number): number {
    return this.held.get(chunk)?.count ?? 0;
  }

  private strike(parent: Held, place: ChunkPlace, runs: Run[]): void {
    const start = parent.base + Math.min(place.rangeStart, parent.count);
    const stop = parent.base + Math.min(place.rangeStop, parent.count);
    if (stop <= start) return;
    runs.push({ start, stop });
    this.alive -= stop - start;
  }
}

import { describe, expect, it } from "vitest";
import type { ShadeWords, SplatWords } from "../src/decode/words";
import type { TreeMessage } from "../src/protocol/generated";
import type { ViewPose } from "../src/protocol/sceneStream";
import type { SplatBackend } from "../src/render/backend";
import { chooseEvictions } from "../src/splats/eviction";
import { SplatPicture } from "../src/splats/picture";
import { RangeReplacement, type ChunkPlace, type Run } from "../src/splats/ranges";
import { Slots as FreeSlots } from "../src/splats/slots";
import { dice } from "./builders";

interface TestChunk extends ChunkPlace {
  readonly count: number;
  /** The finest splats that each splat of the chunk stands for, as `[start, stop)` of leaf numbers. */
  readonly covers: readonly (readonly [number, number])[];
}

/** A tree of `levels` levels over numbered leaf splats; children partition their parent's splats unevenly. */
function tree(levels: number, seed: number): { chunks: TestChunk[]; leaves: number } {
  const roll = dice(seed);
  let leaves = 0;
  const build = (level: number, parent: number, start: number, stop: number, count: number, out: TestChunk[]): [number, number] => {
    const index = out.length;
    out.push({ parent, rangeStart: start, rangeStop: stop, count, covers: [] });
    const covers: [number, number][] = [];
    if (level === levels) {
      for (let i = 0; i < count; i++) covers.push([leaves, ++leaves]);
    } else {
      for (let from = 0; from < count; ) {
        const to = Math.min(count, from + 1 + Math.floor(roll() * 3));
        const before = leaves;
        const childCount = (to - from) * (2 + Math.floor(roll() * 3));
        build(level + 1, index, from, to, childCount, out);
        // Merged splats stand for equal shares of what the child holds; the last one for the rest.
        const share = Math.floor((leaves - before) / (to - from));
        for (let i = from; i < to; i++) {
          covers.push([before + (i - from) * share, i === to - 1 ? leaves : before + (i - from + 1) * share]);
        }
        from = to;
      }
    }
    out[index] = { parent, rangeStart: start, rangeStop: stop, count, covers };
    return [start, stop];
  };
  const chunks: TestChunk[] = [];
  build(0, -1, 0, 0, 3, chunks);
  return { chunks, leaves };
}

/** Slots as a renderer holds them: which chunk and splat, and whether it is drawn. */
class Slots {
  readonly drawn: { chunk: number; splat: number; isDrawn: boolean }[] = [];

  append(chunk: number, count: number): number {
    const base = this.drawn.length;
    for (let splat = 0; splat < count; splat++) this.drawn.push({ chunk, splat, isDrawn: true });
    return base;
  }

  show(first: number, last: number): void {
    for (const slot of this.drawn.slice(first, last)) slot.isDrawn = true;
  }

  strike(runs: readonly Run[]): void {
    for (const { start, stop } of runs) {
      for (const slot of this.drawn.slice(start, stop)) {
        expect(slot.isDrawn, "a splat is struck once").toBe(true);
        slot.isDrawn = false;
      }
    }
  }
}

describe("range replacement", () => {
  it.each([1, 2, 3, 4, 5])("never leaves a hole while chunks come in any order that keeps parents first (seed %d)", (seed) => {
    const { chunks, leaves } = tree(3, seed);
    const roll = dice(seed + 100);
    const ranges = new RangeReplacement();
    const slots = new Slots();
    const waiting = new Set(chunks.keys());

    while (waiting.size > 0) {
      const ready = [...waiting].filter((index) => !waiting.has(chunks[index]?.parent ?? -1));
      const index = ready[Math.floor(roll() * ready.length)] ?? 0;
      const chunk = chunks[index];
      if (!chunk) throw new Error("a chunk must be ready");
      waiting.delete(index);
      slots.strike(ranges.add(index, chunk, slots.append(index, chunk.count), chunk.count));

      // Merged splats of a shown level may stand for leaves that a finer chunk shows too, only at the seams
      // of unequal shares; no leaf may be without any.
      const shown = new Uint8Array(leaves);
      for (const slot of slots.drawn) {
        if (!slot.isDrawn) continue;
        const [from, to] = chunks[slot.chunk]?.covers[slot.splat] ?? [0, 0];
        shown.fill(1, from, to);
      }
      expect(shown.includes(0)).toBe(false);
      expect(ranges.aliveCount).toBe(slots.drawn.filter((slot) => slot.isDrawn).length);
    }
    expect(ranges.aliveCount).toBe(leaves);
  });

  it.each([1, 2, 3])("brings a parent's splats back when chunks are dropped, down to the root (seed %d)", (seed) => {
    const { chunks, leaves } = tree(3, seed);
    const roll = dice(seed + 50);
    const ranges = new RangeReplacement();
    const slots = new Slots();
    chunks.forEach((chunk, index) => slots.strike(ranges.add(index, chunk, slots.append(index, chunk.count), chunk.count)));

    while (ranges.chunks.size > 1) {
      const parents = new Set([...ranges.chunks].map((index) => chunks[index]?.parent));
      const childless = [...ranges.chunks].filter((index) => !parents.has(index));
      const { freed, restored } = ranges.remove(childless[Math.floor(roll() * childless.length)] ?? 0);
      slots.strike([freed]);
      if (restored) slots.show(ranges.baseOf(restored.chunk) + restored.from, ranges.baseOf(restored.chunk) + restored.to);

      const shown = new Uint8Array(leaves);
      const drawn = slots.drawn.filter((slot) => slot.isDrawn);
      for (const slot of drawn) shown.fill(1, ...(chunks[slot.chunk]?.covers[slot.splat] ?? [0, 0]));
      expect(shown.includes(0)).toBe(false);
      expect(ranges.aliveCount).toBe(drawn.length);
    }
    expect(ranges.aliveCount).toBe(chunks[0]?.count);
  });

  it("strikes a parent's range also when the child came first", () => {
    const ranges = new RangeReplacement();

    expect(ranges.add(5, { parent: 2, rangeStart: 10, rangeStop: 30 }, 0, 100)).toEqual([]);
    expect(ranges.add(2, { parent: -1, rangeStart: 0, rangeStop: 0 }, 100, 50)).toEqual([{ start: 110, stop: 130 }]);
    expect(ranges.aliveCount).toBe(130);
  });

  it("strikes no further than the parent goes", () => {
    const ranges = new RangeReplacement();
    ranges.add(0, { parent: -1, rangeStart: 0, rangeStop: 0 }, 0, 8);

    expect(ranges.add(1, { parent: 0, rangeStart: 6, rangeStop: 4_000_000 }, 8, 4)).toEqual([{ start: 6, stop: 8 }]);
  });

  it("refuses a chunk twice", () => {
    const ranges = new RangeReplacement();
    ranges.add(0, { parent: -1, rangeStart: 0, rangeStop: 0 }, 0, 8);

    expect(() => ranges.add(0, { parent: -1, rangeStart: 0, rangeStop: 0 }, 8, 8)).toThrow("once");
  });
});

describe("slots", () => {
  it("are handed out again, never two at once, and the end moves back", () => {
    const roll = dice(9);
    const slots = new FreeSlots();
    const taken: Run[] = [];
    let most = 0;
    for (let turn = 0; turn < 3_000; turn++) {
      if (roll() < 0.5 || taken.length === 0) {
        const count = 1 + Math.floor(roll() * 40);
        const start = slots.take(count);
        for (const other of taken) expect(start >= other.stop || start + count <= other.start).toBe(true);
        taken.push({ start, stop: start + count });
      } else {
        const [run] = taken.splice(Math.floor(roll() * taken.length), 1);
        if (run) slots.giveBack(run);
      }
      most = Math.max(most, taken.reduce((sum, { start, stop }) => sum + stop - start, 0));
      expect(slots.highest).toBe(Math.max(slots.highest, ...taken.map(({ stop }) => stop)));
    }
    expect(slots.highest).toBeLessThan(2 * most);
    for (const run of taken) slots.giveBack(run);
    expect(slots.highest).toBe(0);
  });
});

/** A backend that notes what it is told. */
class NotingBackend implements SplatBackend {
  readonly said: string[] = [];
  readonly isSettled = true;
  readonly drawnCount = 0;
  private readonly slots = new FreeSlots();

  reserve(splats: number): void {
    this.said.push(`reserve ${splats}`);
  }

  append(words: SplatWords): number {
    const base = this.slots.take(words.count);
    this.said.push(`append ${words.count} at ${base}`);
    return base;
  }

  shade(words: ShadeWords, base: number): void {
    this.said.push(`shade ${words.count} at ${base}`);
  }

  clear(): void {
    this.said.push("clear");
  }

  restore(_words: SplatWords, base: number, from: number, to: number): void {
    this.said.push(`restore ${base + from}-${base + to}`);
  }

  strike(runs: readonly Run[]): void {
    for (const { start, stop } of runs) this.said.push(`strike ${start}-${stop}`);
  }

  free(run: Run): void {
    this.said.push(`free ${run.start}-${run.stop}`);
    this.slots.giveBack(run);
  }

  dispose(): void {
    this.said.push("dispose");
  }
}

/** A root of four splats, a chunk of eight over each half of it: one ahead at -Z, one behind. */
const HALVES = {
  type: "tree",
  count: 3,
  parent: Int32Array.of(-1, 0, 0),
  rangeStart: Uint32Array.of(0, 0, 2),
  rangeStop: Uint32Array.of(0, 2, 4),
  splatCount: Uint32Array.of(4, 8, 8),
  byteLength: Uint32Array.of(100, 100, 100),
  center: Float32Array.of(0, 0, 0, 0, 0, -10, 0, 0, 10),
  radius: Float32Array.of(15, 2, 2),
  error: Float32Array.of(1, 0, 0),
  kind: Uint8Array.of(0, 0, 0),
  level: Uint8Array.of(0, 1, 1),
  hash: new Uint8Array(48),
} satisfies TreeMessage;
/** The same with a layer of colour over each half. */
const LAYERED = {
  ...HALVES,
  count: 5,
  parent: Int32Array.of(-1, 0, 0, 1, 2),
  rangeStart: Uint32Array.of(0, 0, 2, 0, 0),
  rangeStop: Uint32Array.of(0, 2, 4, 8, 8),
  splatCount: Uint32Array.of(4, 8, 8, 8, 8),
  byteLength: Uint32Array.of(100, 100, 100, 50, 50),
  center: Float32Array.of(0, 0, 0, 0, 0, -10, 0, 0, 10, 0, 0, -10, 0, 0, 10),
  radius: Float32Array.of(15, 2, 2, 2, 2),
  error: Float32Array.of(1, 0, 0, 0, 0),
  kind: Uint8Array.of(0, 0, 0, 1, 1),
  level: Uint8Array.of(0, 1, 1, 1, 1),
  hash: new Uint8Array(80),
} satisfies TreeMessage;
const shades = (count: number): ShadeWords => ({ count, shDegree: 2, texels: [] });
const AHEAD: ViewPose = { position: [0, 0, 0], forward: [0, 0, -1], fovDeg: 90 };
const BEHIND: ViewPose = { ...AHEAD, forward: [0, 0, 2] };
const words = (count: number): SplatWords => ({ count, shDegree: 0, texels: [] });

describe("the picture", () => {
  it("begins anew with another scene", () => {
    const backend = new NotingBackend();
    const picture = new SplatPicture(backend);
    picture.plan(HALVES, 100);
    picture.add(0, words(4));
    picture.add(2, words(8));

    picture.clear();
    const { aliveCount } = picture;
    picture.add(2, words(3)); // a root of the next scene, whose table has not come yet

    expect(aliveCount).toBe(0);
    expect(picture.aliveCount).toBe(3);
    expect(picture.chunkCount).toBe(1);
    expect(backend.said).toContain("clear");
    expect(backend.said.slice(backend.said.indexOf("clear") + 1).join()).not.toContain("strike");
  });

  it("shows a child in the same step in which its parent's range goes", () => {
    const backend = new NotingBackend();
    const picture = new SplatPicture(backend);

    picture.add(0, words(4));
    picture.plan(HALVES, 1_000);
    picture.add(2, words(8));
    picture.add(2, words(8)); // sent twice

    expect(backend.said).toEqual(["append 4 at 0", "reserve 20", "append 8 at 4", "strike 2-4"]);
    expect(picture.aliveCount).toBe(10);
    expect(picture.chunkCount).toBe(2);
  });

  it("gives up what is behind for what is in view, once the budget is full", () => {
    const backend = new NotingBackend();
    const picture = new SplatPicture(backend);
    picture.add(0, words(4));
    picture.plan(HALVES, 12);
    picture.add(1, words(8));
    backend.said.length = 0;

    expect(picture.makeRoom(AHEAD)).toEqual([]); // what is seen is here
    expect(picture.makeRoom(BEHIND)).toEqual([1]);
    expect(backend.said).toEqual(["restore 0-2", "free 4-12"]);
    expect(picture.aliveCount).toBe(4);

    picture.add(2, words(8));
    expect(backend.said.slice(2)).toEqual(["append 8 at 4", "strike 2-4"]);
    expect(picture.makeRoom(BEHIND)).toEqual([]);
  });

  it("colours a chunk when its layer comes, before or after it, and never another's slots", () => {
    const backend = new NotingBackend();
    const picture = new SplatPicture(backend);
    picture.add(0, words(4));
    picture.plan(LAYERED, 1_000);
    picture.shade(3, shades(8));
    picture.add(1, words(8));
    picture.add(2, words(8));
    picture.shade(4, shades(8));
    picture.shade(4, shades(7)); // of something else

    expect(backend.said.filter((said) => said.startsWith("shade"))).toEqual(["shade 8 at 4", "shade 8 at 12"]);
    expect(picture.chunkCount).toBe(3);
  });

  it("drops the layer with the chunk, so that both come again", () => {
    const picture = new SplatPicture(new NotingBackend());
    picture.add(0, words(4));
    picture.plan(LAYERED, 12);
    picture.add(1, words(8));
    picture.shade(3, shades(8));

    expect(picture.makeRoom(BEHIND)).toEqual([1, 3]);
    picture.add(2, words(8));
    picture.shade(4, shades(8));
    expect(picture.makeRoom(AHEAD)).toEqual([2, 4]);
  });

  it("forgets layers with the scene", () => {
    const backend = new NotingBackend();
    const picture = new SplatPicture(backend);
    picture.add(0, words(4));
    picture.plan(LAYERED, 1_000);
    picture.shade(3, shades(8));

    picture.clear();
    picture.plan(LAYERED, 1_000);
    picture.add(1, words(8));

    expect(backend.said.filter((said) => said.startsWith("shade"))).toEqual([]);
  });

  it("never drops anything while the whole scene fits", () => {
    const picture = new SplatPicture(new NotingBackend());
    picture.add(0, words(4));
    picture.plan(HALVES, 16);
    picture.add(1, words(8));

    expect(picture.makeRoom(BEHIND)).toEqual([]);
  });

  it("goes down to a smaller budget: what is behind first, then what is ahead, never the root", () => {
    const backend = new NotingBackend();
    const picture = new SplatPicture(backend);
    picture.plan(LAYERED, 1_000);
    picture.add(0, words(4));
    picture.add(1, words(8));
    picture.add(2, words(8));
    picture.shade(4, shades(8));
    expect(picture.trim(AHEAD)).toEqual([]);
    backend.said.length = 0;

    picture.setBudget(12);
    expect(picture.trim(AHEAD)).toEqual([2, 4]);
    expect(backend.said).toEqual(["restore 2-4", "free 12-20"]);
    expect(picture.aliveCount).toBe(10);
    expect(picture.trim(AHEAD)).toEqual([]);
    picture.setBudget(1);
    expect(picture.trim(AHEAD)).toEqual([1]);
    expect(picture.trim(AHEAD)).toEqual([]);
    expect(picture.aliveCount).toBe(4);
  });

  it("takes a few at a time, and a parent only after its children", () => {
    const count = 40;
    const row = (of: (chunk: number) => number) => Array.from({ length: count }, (_, chunk) => of(chunk));
    // A root of 38 splats; a chunk of 3 over each of them, and one of 9 over all of the first of those.
    const broad = {
      ...HALVES,
      count,
      parent: Int32Array.from(row((chunk) => (chunk === 0 ? -1 : chunk === 39 ? 1 : 0))),
      rangeStart: Uint32Array.from(row((chunk) => (chunk === 0 || chunk === 39 ? 0 : chunk - 1))),
      rangeStop: Uint32Array.from(row((chunk) => (chunk === 0 ? 0 : chunk === 39 ? 3 : chunk))),
      splatCount: Uint32Array.from(row((chunk) => (chunk === 0 ? 38 : chunk === 39 ? 9 : 3))),
      center: Float32Array.from(row((chunk) => (chunk === 1 ? -400 : -chunk)).flatMap((z) => [0, 0, z])),
      radius: new Float32Array(count).fill(1),
      error: new Float32Array(count).fill(1),
      kind: new Uint8Array(count),
    };
    const picture = new SplatPicture(new NotingBackend());
    picture.plan(broad, 1_000);
    for (const chunk of row((chunk) => chunk)) picture.add(chunk, words(broad.splatCount[chunk] ?? 0));
    picture.setBudget(0);

    const batches: number[][] = [];
    for (let last = picture.trim(AHEAD); last.length > 0; last = picture.trim(AHEAD)) batches.push(last);

    const order = batches.flat();
    expect(Math.max(...batches.map(({ length }) => length))).toBe(8);
    expect([...order].sort((a, b) => a - b)).toEqual(row((chunk) => chunk).slice(1));
    expect(order.indexOf(39)).toBeLessThan(order.indexOf(1));
    expect(picture.aliveCount).toBe(38);
  });

  it("drops nothing that is in view, and nothing for what is not", () => {
    const side = { ...HALVES, center: Float32Array.of(0, 0, 0, -3, 0, -10, 3, 0, -9) };
    const holding = { tree: side, held: new Set([0, 1]), aliveCount: 10, budget: 12 };

    expect(chooseEvictions(holding, AHEAD)).toEqual([]);
    expect(chooseEvictions(holding, BEHIND)).toEqual([]);
  });

  it("does not drop a chunk whose child is to come", () => {
    const deeper = {
      ...HALVES,
      parent: Int32Array.of(-1, 0, 1),
      rangeStop: Uint32Array.of(0, 2, 8),
      splatCount: Uint32Array.of(4, 8, 16),
    };
    const holding = { tree: deeper, held: new Set([0, 1]), aliveCount: 10, budget: 12 };

    expect(chooseEvictions(holding, BEHIND)).toEqual([]);
  });
});

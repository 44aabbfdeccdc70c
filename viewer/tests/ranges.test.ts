import { describe, expect, it } from "vitest";
import type { SplatWords } from "../src/decode/words";
import type { TreeMessage } from "../src/protocol/generated";
import type { SplatBackend } from "../src/render/backend";
import { SplatPicture } from "../src/splats/picture";
import { RangeReplacement, type ChunkPlace, type Run } from "../src/splats/ranges";
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

describe("the picture", () => {
  it("shows a child in the same step in which its parent's range goes", () => {
    const said: string[] = [];
    const backend: SplatBackend = {
      isSettled: true,
      drawnCount: 0,
      reserve: (splats) => said.push(`reserve ${splats}`),
      append: (words) => (said.push(`append ${words.count}`), said.filter((line) => line.startsWith("append")).length === 1 ? 0 : 3),
      strike: (runs) => said.push(`strike ${runs.map(({ start, stop }) => `${start}-${stop}`).join()}`),
      dispose: () => undefined,
    };
    const picture = new SplatPicture(backend);
    const words = (count: number): SplatWords => ({ count, shDegree: 0, texels: [] });
    const plan = { count: 2, parent: Int32Array.of(-1, 0), rangeStart: Uint32Array.of(0, 1), rangeStop: Uint32Array.of(0, 3), splatCount: Uint32Array.of(3, 8) };

    picture.add(0, words(3));
    picture.plan(plan as unknown as TreeMessage, 1_000);
    picture.add(1, words(8));
    picture.add(1, words(8)); // sent twice

    expect(said).toEqual(["append 3", "strike ", "reserve 11", "append 8", "strike 1-3"]);
    expect(picture.aliveCount).toBe(9);
    expect(picture.chunkCount).toBe(2);
  });
});

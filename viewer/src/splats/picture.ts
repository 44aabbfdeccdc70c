/** The scene's splats as they come: keeps what is drawn free of holes and of doubles. */

import type { SplatWords } from "../decode/words";
import type { TreeMessage } from "../protocol/generated";
import type { SplatBackend } from "../render/backend";
import { RangeReplacement, type ChunkPlace } from "./ranges";

const ROOT: ChunkPlace = { parent: -1, rangeStart: 0, rangeStop: 0 };

export class SplatPicture {
  private readonly ranges = new RangeReplacement();
  private tree: TreeMessage | undefined;
  private chunksShown = 0;

  constructor(private readonly backend: SplatBackend) {}

  get aliveCount(): number {
    return this.ranges.aliveCount;
  }

  get chunkCount(): number {
    return this.chunksShown;
  }

  /** The chunk table; `budget` bounds what will be asked for, so no more room than that is made. */
  plan(tree: TreeMessage, budget: number): void {
    this.tree = tree;
    const total = tree.splatCount.reduce((sum, count) => sum + count, 0);
    this.backend.reserve(Math.min(total, 2 * budget));
  }

  has(chunk: number): boolean {
    return this.ranges.has(chunk);
  }

  add(chunk: number, words: SplatWords): void {
    if (this.ranges.has(chunk)) return;
    const base = this.backend.append(words);
    this.backend.strike(this.ranges.add(chunk, this.place(chunk), base, words.count));
    this.chunksShown++;
  }

  /** Roots come before the table does. */
  private place(chunk: number): ChunkPlace {
    const { tree } = this;
    if (!tree || chunk >= tree.count) return ROOT;
    return {
      parent: tree.parent[chunk] ?? -1,
      rangeStart: tree.rangeStart[chunk] ?? 0,
      rangeStop: tree.rangeStop[chunk] ?? 0,
    };
  }
}

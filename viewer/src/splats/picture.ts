/** The scene's splats as they come: keeps what is drawn free of holes and of doubles. */

import type { ShadeWords, SplatWords } from "../decode/words";
import { ChunkKind, type TreeMessage } from "../protocol/generated";
import type { ViewPose } from "../protocol/sceneStream";
import type { SplatBackend } from "../render/backend";
import { chooseEvictions, growth } from "./eviction";
import { RangeReplacement, type ChunkPlace } from "./ranges";

const ROOT: ChunkPlace = { parent: -1, rangeStart: 0, rangeStop: 0 };

export class SplatPicture {
  private ranges = new RangeReplacement();
  /** What is held, to bring back what a dropped chunk had replaced; kept only where chunks may be dropped. */
  private readonly words = new Map<number, SplatWords>();
  /** By the chunk that they colour: layers that came before it, and layers shown. */
  private readonly early = new Map<number, { readonly layer: number; readonly words: ShadeWords }>();
  private readonly shaded = new Map<number, number>();
  private tree: TreeMessage | undefined;
  private budget = Number.POSITIVE_INFINITY;

  constructor(private readonly backend: SplatBackend) {}

  get aliveCount(): number {
    return this.ranges.aliveCount;
  }

  get chunkCount(): number {
    return this.ranges.chunks.size;
  }

  /** The chunk table; `budget` bounds what will be asked for, so no more room than that is made. */
  plan(tree: TreeMessage, budget: number): void {
    this.tree = tree;
    let all = 0;
    let finest = 0;
    for (let chunk = 0; chunk < tree.count; chunk++) {
      if (tree.kind[chunk] !== ChunkKind.splats) continue;
      all += tree.splatCount[chunk] ?? 0;
      finest += growth(tree, chunk);
    }
    this.budget = finest > budget ? budget : Number.POSITIVE_INFINITY;
    if (this.budget === Number.POSITIVE_INFINITY) this.words.clear();
    this.backend.reserve(Math.min(all, 2 * budget));
  }

  /** Let go of a scene; the next one begins with nothing. */
  clear(): void {
    this.backend.clear();
    this.forget();
  }

  /** Let go of a scene for another, which `show` adds: one goes in the picture in which the other comes. */
  succeed(show: () => void): void {
    const { runs } = this.ranges;
    this.forget();
    show();
    for (const run of runs) this.backend.free(run);
  }

  private forget(): void {
    this.ranges = new RangeReplacement();
    this.words.clear();
    this.early.clear();
    this.shaded.clear();
    this.tree = undefined;
    this.budget = Number.POSITIVE_INFINITY;
  }

  has(chunk: number): boolean {
    return this.ranges.has(chunk);
  }

  add(chunk: number, words: SplatWords): void {
    if (this.ranges.has(chunk)) return;
    const base = this.backend.append(words);
    this.backend.strike(this.ranges.add(chunk, this.place(chunk), base, words.count));
    if (!this.tree || this.budget !== Number.POSITIVE_INFINITY) this.words.set(chunk, words);
    const early = this.early.get(chunk);
    this.early.delete(chunk);
    if (early) this.shade(early.layer, early.words);
  }

  /** A layer of view-dependent colour came; without its chunk it waits. */
  shade(layer: number, words: ShadeWords): void {
    const chunk = this.place(layer).parent;
    if (!this.ranges.has(chunk)) this.early.set(chunk, { layer, words });
    else if (this.ranges.countOf(chunk) === words.count) {
      this.backend.shade(words, this.ranges.baseOf(chunk));
      this.shaded.set(chunk, layer);
    }
  }

  /** Drop chunks out of view for missing ones in view; returns which, and their layers, for the server to know. */
  makeRoom(pose: ViewPose): number[] {
    const { tree, ranges, budget } = this;
    if (!tree || budget === Number.POSITIVE_INFINITY) return [];
    const holding = { tree, held: ranges.chunks, aliveCount: ranges.aliveCount, budget };
    const dropped = chooseEvictions(holding, pose);
    for (const chunk of dropped) {
      const { freed, restored } = ranges.remove(chunk);
      const words = restored && this.words.get(restored.chunk);
      if (words) this.backend.restore(words, ranges.baseOf(restored.chunk), restored.from, restored.to);
      this.backend.free(freed);
      this.words.delete(chunk);
    }
    const layers = dropped.map((chunk) => this.shaded.get(chunk)).filter((layer) => layer !== undefined);
    for (const chunk of dropped) this.shaded.delete(chunk);
    return [...dropped, ...layers];
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

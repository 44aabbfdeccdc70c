/** The scene's splats as they come: keeps what is drawn free of holes and of doubles. */

import type { ShadeWords, SplatWords } from "../decode/words";
import { ChunkKind, type TreeMessage } from "../protocol/generated";
import type { ViewPose } from "../protocol/sceneStream";
import type { SplatBackend } from "../render/backend";
import { chooseEvictions, chooseTrim, growth } from "./eviction";
import { RangeReplacement, type ChunkPlace } from "./ranges";

const ROOT: ChunkPlace = { parent: -1, rangeStart: 0, rangeStop: 0 };

/** Chunks dropped in one frame: more would be felt. */
const MOST_TRIMMED = 8;

export class SplatPicture {
  private ranges = new RangeReplacement();
  /** Of chunks that others may replace, to bring them back when those are dropped. */
  private readonly words = new Map<number, SplatWords>();
  /** By the chunk that they colour: layers that came before it, and layers shown. */
  private readonly early = new Map<number, { readonly layer: number; readonly words: ShadeWords }>();
  private readonly shaded = new Map<number, number>();
  private tree: TreeMessage | undefined;
  private budget = Number.POSITIVE_INFINITY;
  /** Splats of the whole scene at its finest. */
  private finest = 0;
  private readonly parents = new Set<number>();

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
    this.finest = 0;
    this.parents.clear();
    for (let chunk = 0; chunk < tree.count; chunk++) {
      if (tree.kind[chunk] !== ChunkKind.splats) continue;
      all += tree.splatCount[chunk] ?? 0;
      this.finest += growth(tree, chunk);
      this.parents.add(tree.parent[chunk] ?? -1);
    }
    for (const chunk of this.words.keys()) if (!this.parents.has(chunk)) this.words.delete(chunk);
    this.setBudget(budget);
    this.backend.reserve(Math.min(all, 2 * budget));
  }

  /** Splats to be drawn at most from now on; `trim` makes it true. */
  setBudget(budget: number): void {
    this.budget = this.finest > budget ? budget : Number.POSITIVE_INFINITY;
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
    this.finest = 0;
    this.parents.clear();
  }

  has(chunk: number): boolean {
    return this.ranges.has(chunk);
  }

  add(chunk: number, words: SplatWords): void {
    if (this.ranges.has(chunk)) return;
    const base = this.backend.append(words);
    this.backend.strike(this.ranges.add(chunk, this.place(chunk), base, words.count));
    if (!this.tree || this.parents.has(chunk)) this.words.set(chunk, words);
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
    return this.drop(chooseEvictions(holding, pose));
  }

  /** Drop some of what a smaller budget has no room for; returns which, as `makeRoom` does. */
  trim(pose: ViewPose): number[] {
    const { tree, ranges, budget } = this;
    if (!tree || ranges.aliveCount <= budget) return [];
    return this.drop(chooseTrim({ tree, held: ranges.chunks, aliveCount: ranges.aliveCount, budget }, pose, MOST_TRIMMED));
  }

  private drop(dropped: readonly number[]): number[] {
    const { ranges } = this;
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

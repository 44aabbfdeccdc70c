/** The next version of a scene while it comes: held back until it shows no less than what it takes the place of. */

import type { ShadeWords, SplatWords } from "../decode/words";
import type { TreeMessage } from "../protocol/generated";
import type { SplatPicture } from "./picture";

/** The coarse levels hold the whole place; the rest sharpens it where one looks. */
const ENOUGH = 0.6;
/** On a slow line something new beats something sharp. */
const LONGEST_MS = 6_000;

export class Successor {
  private readonly splats = new Map<number, SplatWords>();
  private readonly layers = new Map<number, ShadeWords>();
  private tree: TreeMessage | undefined;
  private since: number | undefined;

  constructor(private readonly now: () => number = () => performance.now()) {}

  plan(tree: TreeMessage): void {
    this.tree = tree;
  }

  add(chunk: number, words: SplatWords): void {
    this.since ??= this.now();
    this.splats.set(chunk, words);
  }

  shade(chunk: number, words: ShadeWords): void {
    this.layers.set(chunk, words);
  }

  /** `planned`: splat chunks of the whole scene; `isSettled`: nothing more will come. */
  isReady(planned: number, isSettled: boolean): boolean {
    if (this.splats.size === 0 || !this.tree || this.since === undefined) return false;
    return isSettled || this.splats.size >= ENOUGH * planned || this.now() - this.since > LONGEST_MS;
  }

  /** Take the place of what `picture` shows, within one frame. */
  replace(picture: SplatPicture, budget: number): void {
    picture.succeed(() => {
      if (this.tree) picture.plan(this.tree, budget);
      for (const [chunk, words] of this.splats) picture.add(chunk, words);
      for (const [chunk, words] of this.layers) picture.shade(chunk, words);
    });
  }
}

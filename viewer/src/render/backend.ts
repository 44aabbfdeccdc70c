/** What the page asks of a splat renderer. Spark is the one we have; see README.md for why. */

import type { ShadeWords, SplatWords } from "../decode/words";
import type { Run } from "../splats/ranges";

export interface SplatBackend {
  /** Make room for this many splats at once, so that the textures need not grow while chunks come. */
  reserve(splats: number): void;
  /** Take in splats and return the slot of the first. They show from the next sorted picture on. */
  append(words: SplatWords): number;
  /** Give the splats in the slots from `base` on colour that changes with the view. */
  shade(words: ShadeWords, base: number): void;
  /** Draw splats `[from, to)` of `words` again in the slots from `base + from` on, where they were struck. */
  restore(words: SplatWords, base: number, from: number, to: number): void;
  /** Stop drawing runs of slots, in the same picture in which what was appended before shows. */
  strike(runs: readonly Run[]): void;
  /** Stop drawing a run of slots and let other splats have them. */
  free(run: Run): void;
  /** Stop drawing everything, and let what comes next have all slots. */
  clear(): void;
  /** True when the picture shows everything that was appended and struck. */
  readonly isSettled: boolean;
  /** Splats in the newest depth order. */
  readonly drawnCount: number;
  dispose(): void;
}

/**
 * What to give up when the budget is full and the visitor has moved on.
 *
 * Only chunks out of view go, and only for missing ones in view: those the server never sends back while
 * they are out of view, so nothing is dropped twice for the same look. Which of the missing ones come is
 * the server's choice; it knows more about them.
 */

import { ChunkKind, type TreeMessage } from "../protocol/generated";
import type { ViewPose } from "../protocol/sceneStream";

/** What lies behind counts this much of what lies ahead. */
const UNSEEN_WORTH = 0.02;
/** Wider than the server's cone: what it may count as in view must not be dropped. */
const CONE_MARGIN = 1.5;
const NEAREST_M = 0.25;
/** Chunks wanted, and dropped, in one go: one look around should not empty the scene. */
const MOST_WANTED = 8;
const MOST_DROPPED = 16;

export interface Holding {
  readonly tree: TreeMessage;
  readonly held: ReadonlySet<number>;
  readonly aliveCount: number;
  readonly budget: number;
}

/** Splats that a chunk adds to those drawn when it takes its parent's range. */
export function growth(tree: TreeMessage, chunk: number): number {
  return (tree.splatCount[chunk] ?? 0) - ((tree.rangeStop[chunk] ?? 0) - (tree.rangeStart[chunk] ?? 0));
}

/** Return held chunks to drop, none of which has a child that is held. */
export function chooseEvictions({ tree, held, aliveCount, budget }: Holding, pose: ViewPose): number[] {
  const keep = new Set<number>(); // parents of what is held, and of what is to come
  for (const chunk of held) keep.add(tree.parent[chunk] ?? -1);
  let need = aliveCount - budget;
  let wanted = 0;
  const unseen: { readonly chunk: number; readonly worth: number }[] = [];
  for (let chunk = 0; chunk < tree.count; chunk++) {
    const parent = tree.parent[chunk] ?? -1;
    if (tree.kind[chunk] !== ChunkKind.splats || parent < 0) continue;
    const { isInView, distance } = look(tree, chunk, pose);
    if (held.has(chunk)) {
      // What it shows, at that distance: far and alike chunks go first.
      if (!isInView) unseen.push({ chunk, worth: (tree.error[parent] ?? 0) / distance ** 2 });
    } else if (isInView && held.has(parent) && wanted < MOST_WANTED) {
      wanted++;
      need += growth(tree, chunk);
      keep.add(parent);
    }
  }
  if (wanted === 0) return [];
  unseen.sort((a, b) => a.worth - b.worth);
  const dropped: number[] = [];
  for (const { chunk } of unseen) {
    if (need <= 0 || dropped.length >= MOST_DROPPED) break;
    if (keep.has(chunk)) continue;
    need -= growth(tree, chunk);
    dropped.push(chunk);
  }
  return dropped;
}

/**
 * Return at most `most` held chunks to drop towards a smaller budget, unseen and fine ones first. None has a child
 * that is held, and roots stay: without them there is a hole.
 */
export function chooseTrim({ tree, held, aliveCount, budget }: Holding, pose: ViewPose, most: number): number[] {
  const parents = new Set<number>();
  for (const chunk of held) parents.add(tree.parent[chunk] ?? -1);
  const leaves: { readonly chunk: number; readonly worth: number }[] = [];
  for (const chunk of held) {
    const parent = tree.parent[chunk] ?? -1;
    if (parent < 0 || parents.has(chunk) || growth(tree, chunk) <= 0) continue;
    const { isInView, distance } = look(tree, chunk, pose);
    leaves.push({ chunk, worth: ((isInView ? 1 : UNSEEN_WORTH) * (tree.error[parent] ?? 0)) / distance ** 2 });
  }
  leaves.sort((a, b) => a.worth - b.worth);
  let over = aliveCount - budget;
  const dropped: number[] = [];
  for (const { chunk } of leaves) {
    if (over <= 0 || dropped.length >= most) break;
    over -= growth(tree, chunk);
    dropped.push(chunk);
  }
  return dropped;
}

function look(tree: TreeMessage, chunk: number, pose: ViewPose): { isInView: boolean; distance: number } {
  const [fx, fy, fz] = pose.forward;
  const dx = (tree.center[chunk * 3] ?? 0) - pose.position[0];
  const dy = (tree.center[chunk * 3 + 1] ?? 0) - pose.position[1];
  const dz = (tree.center[chunk * 3 + 2] ?? 0) - pose.position[2];
  const radius = tree.radius[chunk] ?? 0;
  const distance = Math.hypot(dx, dy, dz);
  const along = (dx * fx + dy * fy + dz * fz) / Math.max(1e-9, Math.hypot(fx, fy, fz));
  const across = Math.sqrt(Math.max(0, distance * distance - along * along));
  const slope = Math.tan((Math.min(pose.fovDeg, 170) * Math.PI) / 360) * CONE_MARGIN;
  const isInView = along > -radius && across < Math.max(0, along) * slope + radius;
  return { isInView, distance: Math.max(NEAREST_M, distance) };
}

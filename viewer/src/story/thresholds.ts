/** When the visitor goes through a doorway. */

import type { Portal } from "../protocol/generated";

/** Feet this near to the plane of a doorway go through it. */
const THRESHOLD_M = 0.3;
/** A slow frame may bring them past it; longer moves are no steps, but a teleport over it. */
const LONGEST_STEP_M = 1.5;
/** Who came out of a doorway must be this far from it before it takes them again. */
const ARMED_BEYOND_M = 0.8;
/** Doorways stand on ground that is rough by this much, and a visitor may come by a step. */
const STEP_M = 1;

interface Feet {
  readonly x: number;
  readonly y: number;
  readonly z: number;
}

export class Thresholds {
  private isArmed = false;
  private last: Feet | undefined;

  /** Who stands in a doorway when this begins has come out of it. */
  constructor(private readonly portals: readonly Portal[]) {}

  /** The doorway in which the feet are, as an index, or undefined. */
  entered(feet: Feet): number | undefined {
    let found: number | undefined;
    let isNear = false;
    const last = this.last ?? feet;
    this.last = { x: feet.x, y: feet.y, z: feet.z };
    const isStep = Math.hypot(feet.x - last.x, feet.z - last.z) < LONGEST_STEP_M;
    this.portals.forEach((portal, index) => {
      const now = seenFrom(portal, feet);
      const before = seenFrom(portal, last);
      if (Math.abs(feet.y - portal.position[1]) > STEP_M) return;
      if (Math.hypot(now.along, now.across) < ARMED_BEYOND_M) isNear = true;
      const isIn = Math.abs(now.along) < THRESHOLD_M || (isStep && now.along * before.along < 0);
      if (isIn && Math.abs(now.across) < portal.width_m / 2) found = index;
    });
    if (!isNear) this.isArmed = true;
    if (found === undefined || !this.isArmed) return undefined;
    this.isArmed = false;
    return found;
  }
}

/** How far feet are past a doorway, and to the right of its middle. */
function seenFrom({ position: [x, , z], yaw_deg }: Portal, feet: Feet): { readonly along: number; readonly across: number } {
  const yaw = (yaw_deg * Math.PI) / 180;
  const [dx, dz] = [feet.x - x, feet.z - z];
  return { along: -dx * Math.sin(yaw) - dz * Math.cos(yaw), across: dx * Math.cos(yaw) - dz * Math.sin(yaw) };
}

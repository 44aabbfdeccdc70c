/**
 * A body that walks: stopped by walls, climbs steps, follows slopes, falls a little, never out of the world.
 *
 * The capsule hangs a step's height above the feet, so stairs and the bumps of a reconstructed floor
 * never touch it; the floor is felt with rays instead. Where no floor lies below, the body does not go.
 */

import * as THREE from "three";
import type { Solid } from "./collider";

export const BODY_RADIUS_M = 0.25;
/** Stairs are 0.17-0.20 m; twice that also clears kerbs and reconstruction noise. */
const STEP_M = 0.36;
/** A visitor may jump down a wall of this height, not off a cliff. */
const DEEPEST_DROP_M = 3;
/** Steeper than 50 degrees is a wall. */
const WALKABLE_NORMAL_Y = Math.cos((50 * Math.PI) / 180);
const GRAVITY = 9.8;
/** A run's longest move is then 7 cm, a fraction of the body's radius: no wall is stepped over. */
const LONGEST_STEP_S = 1 / 60;
/** A tab that slept, or a software renderer, must not make the body leap. */
const LONGEST_FRAME_S = 0.25;
/** How fast the feet follow the floor: 95 % of a step in 0.2 s. */
const FOLLOW_PER_S = 15;
/** Below the scene by this much counts as fallen out. */
const LOST_BELOW_M = 2;
/** Where feet are felt for: the middle, and a ring that a hole in the mesh cannot swallow whole. */
const PROBES: readonly (readonly [number, number])[] = [
  [0, 0],
  [0.14, 0],
  [-0.14, 0],
  [0, 0.14],
  [0, -0.14],
];
/** Ways around what blocks the straight one: turn in degrees, and how much of the speed is left. */
const DETOURS: readonly (readonly [number, number])[] = [
  [0, 1],
  [40, 0.75],
  [-40, 0.75],
  [75, 0.3],
  [-75, 0.3],
];
/**
 * A move must bring the body ahead by this share of what was asked for. Walls push sideways and back: with
 * less, a visitor who leans into a corner would be sent to and fro between its sides for as long as they lean.
 */
const LEAST_PROGRESS = 0.05;
const DOWN = new THREE.Vector3(0, -1, 0);
const UP = new THREE.Vector3(0, 1, 0);

export interface Floor {
  readonly y: number;
  readonly isWalkable: boolean;
}

export class Walker {
  /** Where the feet are, metres, world. */
  readonly feet = new THREE.Vector3();
  /** Times that the body had to be put back after falling out; stays 0 in a sound scene. */
  rescues = 0;
  private solid: Solid | undefined;
  private fallSpeed = 0;
  private grounded = true;
  private readonly bounds: THREE.Box3;
  private readonly lastSafe = new THREE.Vector3();
  private readonly probe = new THREE.Vector3();
  private readonly low = new THREE.Vector3();
  private readonly high = new THREE.Vector3();
  private readonly trial = new THREE.Vector3();
  private readonly path = new THREE.Vector3();
  private readonly delta = new THREE.Vector3();

  constructor(
    private readonly heightM: number,
    bounds: THREE.Box3,
  ) {
    this.bounds = bounds.clone();
  }

  get isGrounded(): boolean {
    return this.grounded;
  }

  /** Give the body a world to stand on; until then it walks on a level plane. */
  enter(solid: Solid): void {
    this.solid = solid;
    this.place(this.feet);
  }

  /** Leave a world for one with other bounds, whose floor is still to come. */
  leave(bounds: THREE.Box3): void {
    this.solid = undefined;
    this.bounds.copy(bounds);
    this.rescues = 0;
  }

  /** Put the feet on the floor at, or just above or below, `point`. */
  place(point: THREE.Vector3): void {
    this.feet.copy(point);
    this.fallSpeed = 0;
    const floor = this.floorAt(this.feet, STEP_M, DEEPEST_DROP_M) ?? this.floorAt(this.feet, 1.5, DEEPEST_DROP_M);
    if (floor) this.feet.y = floor.y;
    this.grounded = true;
    this.lastSafe.copy(this.feet);
  }

  /** Whether a body fits at `point`, feet on the floor there. */
  fits(point: THREE.Vector3): boolean {
    const floor = this.floorAt(point, 0.2, 0.2);
    if (!floor?.isWalkable || !this.isInside(point)) return false;
    this.trial.copy(point).setY(floor.y);
    return this.clear(this.trial) === "free";
  }

  /** Walk with `velocity` (horizontal, metres per second) for one frame. */
  advance(seconds: number, velocity: THREE.Vector3): void {
    const time = Math.min(seconds, LONGEST_FRAME_S);
    const speed = Math.hypot(velocity.x, velocity.z);
    const steps = Math.max(1, Math.ceil(time / LONGEST_STEP_S - 1e-6));
    for (let step = 0; step < steps; step++) {
      this.delta.set(velocity.x, 0, velocity.z).multiplyScalar(time / steps);
      if (speed > 0) this.walk();
      this.settle(time / steps);
    }
  }

  private walk(): void {
    for (const [turnDeg, share] of DETOURS) {
      this.path.copy(this.delta).applyAxisAngle(UP, (turnDeg * Math.PI) / 180).multiplyScalar(share);
      this.trial.copy(this.feet).add(this.path);
      if (this.accepts() && this.progress() >= LEAST_PROGRESS) {
        this.feet.x = this.trial.x;
        this.feet.z = this.trial.z;
        return;
      }
    }
  }

  /** How far `trial` lies ahead of the feet, as a share of the move asked for. */
  private progress(): number {
    const { trial, feet, delta } = this;
    return ((trial.x - feet.x) * delta.x + (trial.z - feet.z) * delta.z) / (delta.x ** 2 + delta.z ** 2);
  }

  /** Whether the body may stand at `trial`; moves it out of walls that it grazes. */
  private accepts(): boolean {
    if (!this.solid) return this.isInside(this.trial);
    if (this.clear(this.trial) === "blocked" || !this.isInside(this.trial)) return false;
    const floor = this.floorAt(this.trial, STEP_M, this.grounded ? DEEPEST_DROP_M : Number.POSITIVE_INFINITY);
    if (!floor) return false;
    return floor.isWalkable || floor.y <= this.feet.y + 0.01;
  }

  /** Push the capsule at `feet` out of walls, sideways only. */
  private clear(feet: THREE.Vector3): "free" | "moved" | "blocked" {
    if (!this.solid) return "free";
    let moved = false;
    for (let round = 0; round < 4; round++) {
      this.low.copy(feet).setY(feet.y + STEP_M + BODY_RADIUS_M);
      this.high.copy(feet).setY(Math.max(this.low.y + 0.01, feet.y + this.heightM - BODY_RADIUS_M));
      if (!this.solid.pushOut(this.low, this.high, BODY_RADIUS_M)) return moved ? "moved" : "free";
      const dx = this.low.x - feet.x;
      const dz = this.low.z - feet.z;
      if (Math.hypot(dx, dz) < 1e-5) return "blocked"; // a ceiling: sideways does not help
      feet.x += dx;
      feet.z += dz;
      moved = true;
    }
    // A corner narrower than the body never lets go; grazing it by a millimetre is no harm.
    this.low.copy(feet).setY(feet.y + STEP_M + BODY_RADIUS_M);
    this.high.copy(feet).setY(Math.max(this.low.y + 0.01, feet.y + this.heightM - BODY_RADIUS_M));
    return this.solid.pushOut(this.low, this.high, BODY_RADIUS_M - 0.02) ? "blocked" : "moved";
  }

  /** Follow the floor, or fall to it. */
  private settle(seconds: number): void {
    if (!this.solid) return;
    const floor = this.floorAt(this.feet, STEP_M, Number.POSITIVE_INFINITY);
    const gap = floor ? this.feet.y - floor.y : Number.POSITIVE_INFINITY;
    if (floor && gap <= (this.grounded ? STEP_M : 0) && this.fallSpeed <= 0) {
      this.feet.y -= gap * Math.min(1, FOLLOW_PER_S * seconds);
      this.grounded = true;
      this.fallSpeed = 0;
      if (floor.isWalkable) this.lastSafe.copy(this.feet);
      return;
    }
    this.grounded = false;
    this.fallSpeed += GRAVITY * seconds;
    this.feet.y -= this.fallSpeed * seconds;
    if (floor && this.feet.y <= floor.y) {
      this.feet.y = floor.y;
      this.grounded = true;
      this.fallSpeed = 0;
    } else if (this.feet.y < this.bounds.min.y - LOST_BELOW_M || !floor) {
      this.rescues++;
      this.place(this.lastSafe.clone());
    }
  }

  private isInside(point: THREE.Vector3): boolean {
    const { min, max } = this.bounds;
    return point.x > min.x && point.x < max.x && point.z > min.z && point.z < max.z;
  }

  /** The highest floor under the feet between `above` over and `below` under `point`. */
  floorAt(point: THREE.Vector3, above: number, below: number): Floor | undefined {
    if (!this.solid) return { y: point.y, isWalkable: true };
    const reach = above + Math.min(below, point.y + above - this.bounds.min.y + LOST_BELOW_M);
    let best: Floor | undefined;
    let steep: Floor | undefined;
    for (const [dx, dz] of PROBES) {
      this.probe.set(point.x + dx, point.y + above, point.z + dz);
      const hit = this.solid.raycast(this.probe, DOWN, Math.max(0, reach));
      if (!hit) continue;
      const y = this.probe.y - hit.distance;
      if (hit.normal.y >= WALKABLE_NORMAL_Y) {
        if (!best || y > best.y) best = { y, isWalkable: true };
      } else if (!steep || y > steep.y) steep = { y, isWalkable: false };
    }
    return best ?? steep;
  }
}

import * as THREE from "three";
import { describe, expect, it } from "vitest";
import type { ColliderMesh } from "../src/decode/messages";
import { Collider } from "../src/walk/collider";
import { BODY_RADIUS_M, Walker } from "../src/walk/walker";

type Point = readonly [number, number, number];

/** Quads as `[corner, corner, corner, corner]`, in order around the face. */
function mesh(...quads: readonly (readonly [Point, Point, Point, Point])[]): ColliderMesh {
  const positions = new Float32Array(quads.flat(2));
  const indices = quads.flatMap((_, quad) => [0, 1, 2, 0, 2, 3].map((corner) => quad * 4 + corner));
  return { positions, indices: new Uint32Array(indices) };
}

function floor(x0: number, x1: number, z0: number, z1: number, y = 0): readonly [Point, Point, Point, Point] {
  return [
    [x0, y, z0],
    [x0, y, z1],
    [x1, y, z1],
    [x1, y, z0],
  ];
}

/** A wall in the plane x = `x`. */
function wallAt(x: number, z0: number, z1: number, y0: number, y1: number): readonly [Point, Point, Point, Point] {
  return [
    [x, y0, z0],
    [x, y1, z0],
    [x, y1, z1],
    [x, y0, z1],
  ];
}

const BOUNDS = new THREE.Box3(new THREE.Vector3(-20, -5, -20), new THREE.Vector3(20, 10, 20));

function walkerIn(collider: ColliderMesh, at: Point): Walker {
  const walker = new Walker(1.7, BOUNDS);
  walker.place(new THREE.Vector3(...at));
  walker.enter(new Collider(collider));
  return walker;
}

function walk(walker: Walker, velocity: Point, seconds: number, fps = 60): void {
  const direction = new THREE.Vector3(...velocity);
  for (let frame = 0; frame < seconds * fps; frame++) walker.advance(1 / fps, direction);
}

/** A wall about the plane x = `x`, rough by up to `roughM` like one fused from depth; the same on every run. */
function roughWall(x: number, roughM: number): readonly (readonly [Point, Point, Point, Point])[] {
  const at = (i: number, j: number): Point => [
    x + roughM * Math.sin(i * 12.9898 + j * 78.233 + 3 * Math.sin(i * 7.1 + j * 3.7)),
    0.1 * j,
    0.1 * i,
  ];
  const quads: (readonly [Point, Point, Point, Point])[] = [];
  for (let i = -20; i < 20; i++) {
    for (let j = 0; j < 25; j++) quads.push([at(i, j), at(i, j + 1), at(i + 1, j + 1), at(i + 1, j)]);
  }
  return quads;
}

/** The way that the feet go in a frame, summed over `frames`, while the visitor keeps pressing. */
function restlessness(walker: Walker, velocity: Point, frames: number): number {
  let length = 0;
  for (let frame = 0; frame < frames; frame++) {
    const before = walker.feet.clone();
    walk(walker, velocity, 1 / 60);
    length += Math.hypot(walker.feet.x - before.x, walker.feet.z - before.z);
  }
  return length;
}

describe("a walker", () => {
  it("covers open ground at the speed it is given", () => {
    const walker = walkerIn(mesh(floor(-10, 10, -10, 10)), [1, 0, -2]);

    walk(walker, [0.6, 0, -1.3], 2);

    expect(walker.feet.x).toBeCloseTo(2.2, 2);
    expect(walker.feet.z).toBeCloseTo(-4.6, 2);
    expect(walker.feet.y).toBeCloseTo(0, 3);
  });

  it.each([60, 9, 3])("is stopped by a wall a body's radius away at %d frames a second", (fps) => {
    const room = mesh(floor(-10, 10, -10, 10), wallAt(2, -10, 10, 0, 3));
    const walker = walkerIn(room, [0, 0, 0.7]);

    walk(walker, [4.5, 0, 0], 6, fps);

    expect(walker.feet.x).toBeLessThanOrEqual(2 - BODY_RADIUS_M + 0.021);
    expect(walker.feet.x).toBeGreaterThan(2 - BODY_RADIUS_M - 0.1);
  });

  it.each([0, 0.02, 0.05])("comes to rest at a wall that is rough by %d m", (roughM) => {
    const room = mesh(
      floor(-10, 10, -10, 10),
      ...roughWall(2, roughM),
      [
        [-1, 0, -1],
        [-1, 3, -1],
        [3, 3, -1.4],
        [3, 0, -1.4],
      ],
      [
        [-1, 0, 1.2],
        [3, 0, 1.1],
        [3, 3, 1.1],
        [-1, 3, 1.2],
      ],
    );
    for (let heading = -60; heading <= 60; heading += 20) {
      const walker = walkerIn(room, [0.5, 0, 0.1]);
      const radians = (heading * Math.PI) / 180;
      const velocity: Point = [1.9 * Math.cos(radians), 0, 1.9 * Math.sin(radians)];

      walk(walker, velocity, 4);

      expect(restlessness(walker, velocity, 60), `heading ${heading}`).toBeLessThan(0.01);
      expect(walker.feet.x).toBeGreaterThan(1.4);
    }
  });

  it("does not leap when the page slept", () => {
    const walker = walkerIn(mesh(floor(-10, 10, -10, 10)), [0, 0, 0]);

    walker.advance(30, new THREE.Vector3(1.4, 0, 0));

    expect(walker.feet.x).toBeCloseTo(0.35, 2);
  });

  it("slides along a wall that it meets at an angle", () => {
    const walker = walkerIn(mesh(floor(-10, 10, -10, 10), wallAt(2, -10, 10, 0, 3)), [1.5, 0, 5]);

    walk(walker, [1, 0, -1], 3);

    expect(walker.feet.x).toBeLessThan(2 - BODY_RADIUS_M + 0.021);
    expect(walker.feet.z).toBeLessThan(3);
  });

  it("climbs stairs and comes down again", () => {
    const steps = Array.from({ length: 5 }, (_, i) => [
      floor(1 + i * 0.4, 1.4 + i * 0.4, -2, 2, 0.18 * (i + 1)),
      wallAt(1 + i * 0.4, -2, 2, 0.18 * i, 0.18 * (i + 1)),
    ]).flat();
    const stairs = mesh(floor(-10, 1, -10, 10), ...steps, floor(3, 10, -2, 2, 0.9));
    const walker = walkerIn(stairs, [0, 0, 0.3]);

    walk(walker, [1.4, 0, 0], 3.5);
    const top = walker.feet.clone();
    walk(walker, [-1.4, 0, 0], 3.5);

    expect(top.x).toBeGreaterThan(4);
    expect(top.y).toBeCloseTo(0.9, 2);
    expect(walker.feet.y).toBeCloseTo(0, 2);
  });

  it("does not climb a ledge higher than a step, even a thin one", () => {
    const walker = walkerIn(mesh(floor(-10, 10, -10, 10), wallAt(2, -10, 10, 0, 0.8)), [0, 0, 0]);

    walk(walker, [2, 0, 0], 3);

    expect(walker.feet.x).toBeLessThan(2);
    expect(walker.feet.y).toBeCloseTo(0, 2);
  });

  it("walks up a gentle slope and not up a steep one", () => {
    const slope = (rise: number) =>
      mesh(floor(-10, 1, -10, 10), [
        [1, 0, -10],
        [1, 0, 10],
        [7, rise, 10],
        [7, rise, -10],
      ]);
    const gentle = walkerIn(slope(2.5), [0, 0, 0]);
    const steep = walkerIn(slope(8), [0, 0, 0]); // 53 degrees, which the body alone would clear

    walk(gentle, [1.5, 0, 0], 3);
    walk(steep, [1.5, 0, 0], 3);

    expect(gentle.feet.y).toBeGreaterThan(1);
    expect(steep.feet.y).toBeLessThan(0.4);
  });

  it("falls from a low wall and stands below", () => {
    const walker = walkerIn(mesh(floor(-10, 1, -10, 10, 1.5), floor(0, 10, -10, 10, 0)), [0, 1.5, 0]);

    walk(walker, [1.5, 0, 0], 3);

    expect(walker.feet.y).toBeCloseTo(0, 3);
    expect(walker.isGrounded).toBe(true);
    expect(walker.rescues).toBe(0);
  });

  it("stays on an island, whichever way it runs", () => {
    for (let heading = 0; heading < 360; heading += 15) {
      const walker = walkerIn(mesh(floor(-2, 2.5, -3, 2)), [0.3, 0, -0.2]);
      const radians = (heading * Math.PI) / 180;

      walk(walker, [4.5 * Math.cos(radians), 0, 4.5 * Math.sin(radians)], 3, 20);

      expect(walker.rescues).toBe(0);
      expect(walker.feet.y).toBeCloseTo(0, 2);
      expect(walker.feet.x).toBeGreaterThan(-2.2);
      expect(walker.feet.x).toBeLessThan(2.7);
      expect(walker.feet.z).toBeGreaterThan(-3.2);
      expect(walker.feet.z).toBeLessThan(2.2);
    }
  });

  it("goes along an edge that it meets at an angle, rather than stick to it", () => {
    const walker = walkerIn(mesh(floor(-2, 2, -20, 20)), [0, 0, 10]);

    walk(walker, [1, 0, -1], 6);

    expect(walker.feet.z).toBeLessThan(6);
    expect(walker.feet.x).toBeLessThan(2.2);
  });

  it("does not fall through a hole smaller than its feet", () => {
    const holed = mesh(
      floor(-5, 5, -5, -0.1),
      floor(-5, 5, 0.1, 5),
      floor(-5, -0.1, -0.1, 0.1),
      floor(0.1, 5, -0.1, 0.1),
    );
    const walker = walkerIn(holed, [-1, 0, 0]);

    walk(walker, [0.5, 0, 0], 4);

    expect(walker.feet.y).toBeCloseTo(0, 2);
    expect(walker.feet.x).toBeCloseTo(1, 1);
  });

  it("is brought back when the floor under it ends", () => {
    const walker = walkerIn(mesh(floor(-2, 2, -2, 2)), [0, 0, 0]);
    walk(walker, [0.2, 0, 0], 0.5);
    walker.feet.set(9, 0, 9); // as after a bad teleport

    walk(walker, [0, 0, 0], 1);

    expect(walker.rescues).toBe(1);
    expect(walker.feet.x).toBeCloseTo(0.1, 1);
  });

  it("keeps to a level plane and the bounds before the collider is there", () => {
    const walker = new Walker(1.7, BOUNDS);
    walker.place(new THREE.Vector3(0, 1.25, 0));

    walk(walker, [10, 0, 0], 5);

    expect(walker.feet.y).toBe(1.25);
    expect(walker.feet.x).toBeLessThanOrEqual(20);
    expect(walker.feet.x).toBeGreaterThan(19);
  });

  it("knows where a body fits", () => {
    const walker = walkerIn(mesh(floor(-10, 10, -10, 10), wallAt(2, -10, 10, 0, 3)), [0, 0, 0]);

    expect(walker.fits(new THREE.Vector3(1, 0, 1))).toBe(true);
    expect(walker.fits(new THREE.Vector3(1.9, 0, 1))).toBe(false);
    expect(walker.fits(new THREE.Vector3(1, 1, 1))).toBe(false);
    expect(walker.fits(new THREE.Vector3(30, 0, 1))).toBe(false);
  });
});

import { describe, expect, it } from "vitest";
import { Motion } from "../src/headup/motion";

const start = { position: [1, 1.6, -2], yawDeg: 90 } as const;

function moved(motion: Motion, seconds: number): void {
  for (let time = 0; time < seconds; time += 0.05) motion.advance(0.05);
}

describe("walking with keys that only click", () => {
  it("turns to the left about +Y and walks where it faces", () => {
    const motion = new Motion(start);
    expect(motion.forward[0]).toBeCloseTo(-1);
    motion.walk(1);
    moved(motion, 2);
    expect(motion.eye[0]).toBeCloseTo(0.4);
    expect(motion.eye[2]).toBeCloseTo(-2);
    motion.turn(1);
    motion.turn(1);
    moved(motion, 2);
    expect(Math.atan2(-motion.forward[0], -motion.forward[2]) * (180 / Math.PI)).toBeCloseTo(120);
    expect(motion.isMoving).toBe(false);
  });

  it("keeps two presses ahead at most, and the other way stops", () => {
    const motion = new Motion(start);
    for (let press = 0; press < 10; press++) motion.walk(1);
    moved(motion, 5);
    expect(motion.eye[0]).toBeCloseTo(1 - 2 * 0.6);
    motion.walk(1);
    motion.walk(-1);
    expect(motion.isMoving).toBe(false);
  });

  it("walks where the body faces while the head looks elsewhere", () => {
    const motion = new Motion(start);
    motion.look(-90, 30);
    expect(motion.forward[1]).toBeCloseTo(0.5);
    expect(motion.forward[2]).toBeCloseTo(-Math.cos(Math.PI / 6));
    motion.walk(-1);
    moved(motion, 2);
    expect(motion.eye[0]).toBeCloseTo(1.6);
  });

  it("takes a correction of the past in and keeps the steps since", () => {
    const motion = new Motion({ position: [0, 1.6, 0], yawDeg: 0 });
    motion.walk(1);
    moved(motion, 1);
    motion.told(1); // at z = -0.6
    motion.walk(1);
    moved(motion, 1);
    motion.told(2); // at z = -1.2
    motion.correct(1, [0, 1.8, -0.4]);
    expect(motion.eye).toEqual([0, expect.closeTo(1.8), expect.closeTo(-1.0)]);
    // The server had the wall at 1 already: of pose 2 it tells the same correction, which is not taken twice.
    motion.correct(2, [0, 1.8, -1.0]);
    expect(motion.eye[2]).toBeCloseTo(-1.0);
    motion.correct(1, [9, 9, 9]); // long answered
    expect(motion.eye[0]).toBeCloseTo(0);
    motion.recentre();
    motion.correct(2, [5, 5, 5]);
    expect(motion.eye).toEqual([0, 1.6, 0]);
  });
});

import { describe, expect, it } from "vitest";
import type { Portal } from "../src/protocol/generated";
import { openLink } from "../src/protocol/link";
import { Thresholds } from "../src/story/thresholds";

/** Stands at (2, 1, -5); who walks into it heads 30 degrees to the left of -Z. */
const DOOR: Portal = {
  position: [2, 1, -5],
  yaw_deg: 30,
  width_m: 1.2,
  height_m: 2.1,
  title: "The kitchen",
  arrive_position: [0, 0, 3],
  arrive_yaw_deg: 180,
};
const AHEAD = [-Math.sin(Math.PI / 6), -Math.cos(Math.PI / 6)] as const;

/** Feet `along` metres past the doorway and `across` to the right of its middle. */
function feet(along: number, across = 0, up = 0) {
  const [x, z] = AHEAD;
  return { x: 2 + along * x - across * z, y: 1 + up, z: -5 + along * z + across * x };
}

describe("a doorway", () => {
  it("is gone through by who walks into it, once", () => {
    const thresholds = new Thresholds([{ ...DOOR, position: [9, 1, 9] }, DOOR]);
    const met: number[] = [];
    for (let along = -2; along < 2; along += 0.07) {
      const index = thresholds.entered(feet(along, 0.3));
      if (index !== undefined) met.push(index);
    }

    expect(met).toEqual([1]);
  });

  it("is not stepped over on a slow machine, and not met by who teleports past it", () => {
    const slow = new Thresholds([DOOR]);
    const far = new Thresholds([DOOR]);
    slow.entered(feet(-1.0));
    far.entered(feet(-1.0));

    expect(slow.entered(feet(0.35))).toBe(0);
    expect(far.entered(feet(3))).toBeUndefined();
  });

  it("is passed by beside its posts, over it and under it", () => {
    const thresholds = new Thresholds([DOOR]);
    for (const [across, up] of [[0.7, 0], [-0.7, 0], [0, 1.2], [0, -1.2]] as const) {
      for (let along = -2; along < 2; along += 0.07) {
        expect(thresholds.entered(feet(along, across, up))).toBeUndefined();
      }
    }
  });

  it("does not take back who has just come out of it", () => {
    const thresholds = new Thresholds([DOOR]);

    expect(thresholds.entered(feet(0.1))).toBeUndefined();
    expect(thresholds.entered(feet(-0.5))).toBeUndefined();
    expect(thresholds.entered(feet(0.1))).toBeUndefined();
    expect(thresholds.entered(feet(-1.5))).toBeUndefined();
    expect(thresholds.entered(feet(0.1))).toBe(0);
  });
});

describe("a link", () => {
  it("asks for the scene behind a doorway", async () => {
    const asked: unknown[] = [];
    const request = async (_url: unknown, init?: RequestInit) => {
      asked.push(JSON.parse(String(init?.body)));
      return new Response(JSON.stringify({ scene: { version: "v" }, ticket: "t", bearer: "b" }));
    };

    await openLink({ id: "a", secret: "s", scene: "b2" }, request as typeof fetch);
    await openLink({ id: "a", secret: "s" }, request as typeof fetch);

    expect(asked).toEqual([{ secret: "s", scene: "b2" }, { secret: "s" }]);
  });
});

import * as THREE from "three";
import { describe, expect, it, vi } from "vitest";
import { createIntent } from "../src/walk/intent";
import { Eyes, type EyeOptions } from "../src/sbs/eyes";
import { Head, direction } from "../src/sbs/head";
import { eyeOptions } from "../src/sbs/sideBySide";

const OPTIONS: EyeOptions = { ipdM: 0.064, convergenceM: 2.5, isSwapped: false, isSqueezed: false };

function looking(options: Partial<EyeOptions> = {}): Eyes {
  const head = new THREE.PerspectiveCamera(70, 1.6, 0.05, 100);
  head.position.set(1, 2, 3);
  head.rotation.set(0.2, 0.7, 0, "YXZ");
  head.updateMatrixWorld();
  const eyes = new Eyes({ ...OPTIONS, ...options });
  eyes.follow(head, 1_001, 313);
  return eyes;
}

/** Where both eyes see a point that lies so far ahead of the head, in their own pictures from -1 to 1. */
function seen(eyes: Eyes, metres: number): readonly [number, number] {
  const point = new THREE.Vector3(0, 0, -metres).applyMatrix4(eyes.camera.matrixWorld);
  const [left = 0, right = 0] = eyes.camera.cameras.map((camera) => point.clone().project(camera).x);
  return [left, right];
}

describe("two eyes", () => {
  it("see the convergence in the middle, what is nearer crossed, what is farther the other way", () => {
    const eyes = looking();

    expect(seen(eyes, 2.5)[0]).toBeCloseTo(0, 9);
    expect(seen(eyes, 2.5)[1]).toBeCloseTo(0, 9);
    const [left, right] = seen(eyes, 1);
    expect(left).toBeGreaterThan(0);
    expect(right).toBeCloseTo(-left, 9);
    expect(seen(eyes, 50)[0]).toBeLessThan(0);
  });

  it("look in parallel without a convergence", () => {
    const [left] = seen(looking({ convergenceM: 0 }), 4);
    const perHalfPicture = 1 / (Math.tan((35 * Math.PI) / 180) * 1.6);
    expect(left).toBeCloseTo((0.032 / 4) * perHalfPicture, 9);
  });

  it("have a half of the canvas each, and change places", () => {
    const columns = (eyes: Eyes) => eyes.camera.cameras.map((camera) => (camera as unknown as { viewport: THREE.Vector4 }).viewport.toArray());

    expect(columns(looking())).toEqual([[0, 0, 500, 313], [500, 0, 500, 313]]);
    expect(columns(looking({ isSwapped: true }))).toEqual([[500, 0, 500, 313], [0, 0, 500, 313]]);
    expect(looking().aspect(3_840, 1_080)).toBeCloseTo(16 / 9, 9);
    expect(looking({ isSqueezed: true }).aspect(1_920, 1_080)).toBeCloseTo(16 / 9, 9);
  });

  it("take what an address says, within reason", () => {
    const of = (query: string) => eyeOptions(new URLSearchParams(query));

    expect(of("view=sbs")).toEqual({ ipdM: 0.063, convergenceM: 4, isSwapped: false, isSqueezed: false });
    expect(of("ipd=58.5&convergence=0&swap&squeezed=1")).toEqual({ ipdM: 0.0585, convergenceM: 0, isSwapped: true, isSqueezed: true });
    expect(of("ipd=-9&convergence=1e9&swap=0")).toEqual({ ipdM: 0, convergenceM: 100, isSwapped: false, isSqueezed: false });
    expect(of("ipd=NaN&convergence=near")).toMatchObject({ ipdM: 0.063, convergenceM: 4 });
  });
});

describe("a phone as head", () => {
  const degrees = (reading: Parameters<typeof direction>[0], screen = 0) => {
    const found = direction(reading, screen);
    return found && [found.yaw, found.pitch].map((radians) => Math.round((radians * 180) / Math.PI) + 0);
  };

  it("looks where its back looks, however the screen is turned", () => {
    expect(degrees({ alpha: 0, beta: 90, gamma: 0 })).toEqual([0, 0]);
    expect(degrees({ alpha: 30, beta: 90, gamma: 0 })).toEqual([30, 0]);
    expect(degrees({ alpha: 30, beta: 70, gamma: 0 })).toEqual([30, -20]);
    // On its left edge: the same direction, by other angles.
    expect(degrees({ alpha: 30, beta: 0, gamma: -90 }, 90)).toEqual([-60, 0]);
    expect(degrees({ alpha: null, beta: 70, gamma: 0 })).toBeUndefined();
  });

  it("turns by what changed, the short way round, and not by how it was held first", () => {
    const head = new Head({ addEventListener: vi.fn(), screen: {} } as unknown as Window);
    const turned = (alpha: number, beta: number) => {
      head.read({ alpha, beta, gamma: 0 }, 0);
      const intent = createIntent();
      head.contribute(intent);
      return [intent.turn, intent.pitch].map((radians) => Math.round((radians * 180) / Math.PI) + 0);
    };

    expect(turned(170, 80)).toEqual([0, 0]);
    expect(turned(190, 85)).toEqual([20, 5]);
    head.read({ alpha: null, beta: null, gamma: null }, 0);
    expect(turned(190, 85)).toEqual([0, 0]);
  });
});

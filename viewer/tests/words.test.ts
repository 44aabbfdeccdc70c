import { utils } from "@sparkjsdev/spark";
import { describe, expect, it } from "vitest";
import { encodeWords, packRotation, packShared, toHalf } from "../src/decode/words";
import { dice, randomGaussians } from "./builders";

const at = (array: ArrayLike<number>, index: number) => array[index] ?? Number.NaN;

describe("texture words", () => {
  it("decode in Spark to the splats that were encoded", () => {
    const splats = randomGaussians(2_000, 0);
    const [near, far] = encodeWords(splats).texels;
    if (!near || !far) throw new Error("two texels must be made");

    for (let i = 0; i < splats.count; i++) {
      const got = utils.decodeExtSplat([near, far], i);
      expect([got.center.x, got.center.y, got.center.z]).toEqual([...splats.means.subarray(i * 3, i * 3 + 3)]);
      expect(got.opacity).toBeCloseTo(at(splats.opacities, i), 3);
      expect(got.color.r).toBeCloseTo(at(splats.colors, i * 3), 2);
      expect(got.color.b).toBeCloseTo(at(splats.colors, i * 3 + 2), 2);
      // A half float between 4 and 16 has steps of 2^-8 to 2^-7: half of one, as a ratio of scales.
      expect(Math.abs(Math.log(got.scales.y / at(splats.scales, i * 3 + 1)))).toBeLessThan(2 ** -8);
      const quat = splats.quats.subarray(i * 4, i * 4 + 4);
      const { x, y, z, w } = got.quaternion;
      expect(Math.abs(x * at(quat, 0) + y * at(quat, 1) + z * at(quat, 2) + w * at(quat, 3))).toBeGreaterThan(0.99999);
    }
  });

  it("are those that Spark's own encoder makes", () => {
    // Spark truncates half floats where the engine has no Float16Array, so they may differ by the last bit.
    const splats = randomGaussians(2_000, 0, 11);
    const [near, far] = encodeWords(splats).texels;
    const theirs: [Uint32Array, Uint32Array] = [new Uint32Array(8_000), new Uint32Array(8_000)];
    const three = (array: Float32Array, i: number) => [...array.subarray(i * 3, i * 3 + 3)] as [number, number, number];
    const halfSteps = (a: number, b: number) => Math.abs((a & 0xffff) - (b & 0xffff)) + Math.abs((a >>> 16) - (b >>> 16));
    let worst = 0;

    for (let i = 0; i < splats.count; i++) {
      const quat = [...splats.quats.subarray(i * 4, i * 4 + 4)] as [number, number, number, number];
      utils.encodeExtSplat(theirs, i, ...three(splats.means, i), ...three(splats.scales, i), ...quat, at(splats.opacities, i), ...three(splats.colors, i));
      for (let word = i * 4; word < i * 4 + 3; word++) {
        expect(near?.[word]).toBe(theirs[0][word]);
        worst = Math.max(worst, halfSteps(at(far ?? [], word), at(theirs[1], word)));
      }
      expect(far?.[i * 4 + 3]).toBe(theirs[1][i * 4 + 3]);
      worst = Math.max(worst, halfSteps(at(near ?? [], i * 4 + 3), at(theirs[0], i * 4 + 3)));
    }

    expect(worst).toBeLessThanOrEqual(2);
  });

  it("round to the nearest half float", () => {
    for (const [value, half] of [
      [0, 0],
      [-0, 0x8000],
      [1, 0x3c00],
      [-2, 0xc000],
      [65504, 0x7bff],
      [1e9, 0x7bff],
      [-1e9, 0xfbff],
      [1 + 2 ** -11, 0x3c00], // a tie: to even
      [1 + 3 * 2 ** -11, 0x3c02],
      [1 + 2 ** -11 + 2 ** -20, 0x3c01],
      [2 ** -24, 1],
      [3 * 2 ** -25, 2],
      [2 ** -14 - 2 ** -25, 0x400],
      [Number.NaN, 0],
    ] as const) {
      expect(toHalf(value), String(value)).toBe(half);
    }
  });

  it("keep spherical harmonics to half of a 255th of their largest channel's power of two", () => {
    const roll = dice(5);
    for (let i = 0; i < 2_000; i++) {
      const rgb = [roll() - 0.5, (roll() - 0.5) * 3, (roll() - 0.5) * 0.1] as const;
      const got = utils.decodeExtRgb(packShared(...rgb));
      const step = 2 ** Math.ceil(Math.log2(Math.max(...rgb.map(Math.abs)))) / 255;
      [got.r, got.g, got.b].forEach((value, channel) => {
        expect(Math.abs(value - at(rgb, channel))).toBeLessThanOrEqual(step / 2 + 1e-9);
      });
    }
    expect(packShared(0, 0, 0) & 0xffffff).toBe(0);
  });

  it("lay spherical harmonics out over texels as Spark reads them", () => {
    const splats = randomGaussians(3, 3);
    const { texels } = encodeWords(splats);
    const coefficient = (base: number, splat: number) => packShared(...([...splats.rest.subarray((splat * 15 + base) * 3, (splat * 15 + base) * 3 + 3)] as [number, number, number]));

    expect(texels).toHaveLength(6);
    expect(texels[2]?.[1 * 4 + 3]).toBe(coefficient(3, 1)); // sh1.w: the first of degree 2
    expect(texels[3]?.[2 * 4 + 0]).toBe(coefficient(4, 2)); // sh2.x
    expect(texels[4]?.[0 * 4 + 0]).toBe(coefficient(8, 0)); // sh3a.x
    expect(texels[5]?.[2 * 4 + 2]).toBe(coefficient(14, 2)); // sh3b.z
  });

  it("take a rotation and its negative for the same", () => {
    expect(packRotation(-0.1, 0.2, -0.3, -0.9273618)).toBe(packRotation(0.1, -0.2, 0.3, 0.9273618));
    expect(packRotation(0, 0, 0, 1) >>> 20).toBe(0);
  });
});

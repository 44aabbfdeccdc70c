/**
 * Gaussians -> the words that Spark's `ExtSplats` textures hold: two RGBA32UI texels per splat, and up to
 * four more for SH. Layout: Spark 2.2 `utils.encodeExtSplat`, which the tests compare with.
 *
 * Chosen over `PackedSplats` because its centres are float32: half floats are 8 mm apart at 10 m from the
 * origin, which a visitor standing there sees as steps. The textures are read once per change of view.
 */

import type { Gaussians } from "./gaussians";
import type { Harmonics } from "./harmonics";

export const WORDS_PER_TEXEL = 4;

export interface SplatWords {
  readonly count: number;
  readonly shDegree: number;
  /** `[centre+opacity, colour+scale+rotation]`, then the SH texels of `shTexels(shDegree)`. */
  readonly texels: readonly Uint32Array[];
}

/** View-dependent colour over splats that are there already. */
export interface ShadeWords {
  readonly count: number;
  readonly shDegree: number;
  /** The SH texels of `shTexels(shDegree)`. */
  readonly texels: readonly Uint32Array[];
}

/** How many SH texels per splat Spark reads for a degree. */
export function shTexels(degree: number): number {
  return [0, 1, 2, 4][degree] ?? 4;
}

const float = new Float32Array(1);
const bits = new Uint32Array(float.buffer);

/** Round to the nearest half float, ties to even; beyond the range the largest finite one. */
export function toHalf(value: number): number {
  float[0] = value;
  const word = bits[0] ?? 0;
  const sign = (word >>> 16) & 0x8000;
  const magnitude = word & 0x7fffffff;
  if (magnitude > 0x7f800000) return 0; // NaN draws nothing better than zero
  if (magnitude >= 0x477ff000) return sign | 0x7bff;
  if (magnitude >= 0x38800000) {
    const rebased = magnitude - 0x38000000;
    return sign | ((rebased + 0xfff + ((rebased >>> 13) & 1)) >>> 13);
  }
  // Subnormal halves count in steps of 2^-24.
  const steps = Math.abs(value) * 2 ** 24;
  const floor = Math.floor(steps);
  const up = steps - floor > 0.5 || (steps - floor === 0.5 && floor % 2 === 1);
  return sign | (up ? floor + 1 : floor);
}

/** Pack a unit quaternion: octahedral axis in 2x10 bits, angle in 12. */
export function packRotation(x: number, y: number, z: number, w: number): number {
  const flip = w < 0 ? -1 : 1;
  const angle = 2 * Math.acos(Math.min(1, w * flip));
  const length = Math.hypot(x, y, z);
  const ax = length < 1e-6 ? 1 : (x * flip) / length;
  const ay = length < 1e-6 ? 0 : (y * flip) / length;
  const az = length < 1e-6 ? 0 : (z * flip) / length;
  const sum = Math.abs(ax) + Math.abs(ay) + Math.abs(az);
  let u = ax / sum;
  let v = ay / sum;
  if (az < 0) {
    const folded = (1 - Math.abs(v)) * (u >= 0 ? 1 : -1);
    v = (1 - Math.abs(u)) * (v >= 0 ? 1 : -1);
    u = folded;
  }
  const quantU = Math.round((u * 0.5 + 0.5) * 1023);
  const quantV = Math.round((v * 0.5 + 0.5) * 1023);
  return ((Math.round(angle * (4095 / Math.PI)) << 20) | (quantV << 10) | quantU) >>> 0;
}

/**
 * Pack an RGB SH coefficient: 8-bit magnitudes under one 5-bit exponent, three signs.
 *
 * Spark's own encoder takes the exponent one too low and clips everything above the power of two below
 * the largest channel; its decoder is right, so we only choose the exponent better.
 */
export function packShared(r: number, g: number, b: number): number {
  const largest = Math.max(Math.abs(r), Math.abs(g), Math.abs(b));
  const exponent = largest > 0 ? Math.max(0, Math.min(31, Math.ceil(Math.log2(largest)) + 15)) : 0;
  const steps = 255 / 2 ** (exponent - 15);
  const level = (value: number) => Math.min(255, Math.round(Math.abs(value) * steps));
  const signs = (r < 0 ? 1 : 0) | (g < 0 ? 2 : 0) | (b < 0 ? 4 : 0);
  return (level(r) | (level(g) << 8) | (level(b) << 16) | (((exponent << 3) | signs) << 24)) >>> 0;
}

/** Half floats end at e^-17 as a logarithm too, far below any splat that can be seen. */
const SMALLEST_SCALE_M = 1e-7;

/** Encode all splats. */
export function encodeWords(splats: Gaussians): SplatWords {
  const { count, means, quats, scales, opacities, colors, shDegree, rest } = splats;
  const near = new Uint32Array(count * WORDS_PER_TEXEL);
  const far = new Uint32Array(count * WORDS_PER_TEXEL);
  const centres = new Float32Array(near.buffer);
  const lnScale = (at: number) => toHalf(Math.log(Math.max(scales[at] ?? 0, SMALLEST_SCALE_M)));
  for (let i = 0; i < count; i++) {
    const at = i * WORDS_PER_TEXEL;
    const p = i * 3;
    centres[at] = means[p] ?? 0;
    centres[at + 1] = means[p + 1] ?? 0;
    centres[at + 2] = means[p + 2] ?? 0;
    near[at + 3] = toHalf(opacities[i] ?? 0);
    far[at] = toHalf(colors[p] ?? 0) | (toHalf(colors[p + 1] ?? 0) << 16);
    far[at + 1] = toHalf(colors[p + 2] ?? 0) | (lnScale(p) << 16);
    far[at + 2] = lnScale(p + 1) | (lnScale(p + 2) << 16);
    far[at + 3] = packRotation(quats[at] ?? 0, quats[at + 1] ?? 0, quats[at + 2] ?? 0, quats[at + 3] ?? 1);
  }
  return { count, shDegree, texels: [near, far, ...encodeSh(rest, count, shDegree)] };
}

/** Encode a layer. */
export function encodeShades({ count, shDegree, rest }: Harmonics): ShadeWords {
  return { count, shDegree, texels: encodeSh(rest, count, shDegree) };
}

/** Degrees 1 and 2 share texels 0 and 1; degree 3 has texels 2 and 3, the eighth word unused. */
function encodeSh(rest: Float32Array, count: number, degree: number): Uint32Array[] {
  const bases = (degree + 1) ** 2 - 1;
  const texels = Array.from({ length: shTexels(degree) }, () => new Uint32Array(count * WORDS_PER_TEXEL));
  for (let i = 0; i < count; i++) {
    for (let base = 0; base < bases; base++) {
      const from = (i * bases + base) * 3;
      const word = packShared(rest[from] ?? 0, rest[from + 1] ?? 0, rest[from + 2] ?? 0);
      const texel = texels[base >> 2];
      if (texel) texel[i * WORDS_PER_TEXEL + (base & 3)] = word;
    }
  }
  return texels;
}

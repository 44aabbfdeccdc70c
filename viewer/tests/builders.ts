/** Small GLBs and scenes for tests, built here so that what a reader must accept stands in plain sight. */

import type { Gaussians } from "../src/decode/gaussians";

export interface Attribute {
  readonly type: "SCALAR" | "VEC3" | "VEC4";
  readonly componentType: number;
  readonly normalized?: boolean;
  readonly stride?: number;
  readonly values: readonly number[];
}

const WRITERS: Readonly<Record<number, [bytes: number, write: (view: DataView, at: number, value: number) => void]>> = {
  5120: [1, (view, at, value) => view.setInt8(at, value)],
  5121: [1, (view, at, value) => view.setUint8(at, value)],
  5122: [2, (view, at, value) => view.setInt16(at, value, true)],
  5123: [2, (view, at, value) => view.setUint16(at, value, true)],
  5125: [4, (view, at, value) => view.setUint32(at, value, true)],
  5126: [4, (view, at, value) => view.setFloat32(at, value, true)],
};
const WIDTHS = { SCALAR: 1, VEC3: 3, VEC4: 4 } as const;

export interface GlbParts {
  readonly attributes: Readonly<Record<string, Attribute>>;
  readonly indices?: Attribute;
  readonly primitive?: Readonly<Record<string, unknown>>;
  readonly node?: Readonly<Record<string, unknown>>;
}

/** Write a GLB of one primitive; every attribute gets a bufferView of its own, four bytes aligned. */
export function glb({ attributes, indices, primitive = {}, node = {} }: GlbParts): ArrayBuffer {
  const accessors: unknown[] = [];
  const bufferViews: unknown[] = [];
  const parts: Uint8Array[] = [];
  let length = 0;
  const add = (attribute: Attribute): number => {
    const width = WIDTHS[attribute.type];
    const [bytes, write] = WRITERS[attribute.componentType] ?? [0, () => undefined];
    const stride = attribute.stride ?? width * bytes;
    const count = attribute.values.length / width;
    const part = new Uint8Array(Math.ceil((count * stride) / 4) * 4);
    const view = new DataView(part.buffer);
    attribute.values.forEach((value, at) => {
      write(view, Math.floor(at / width) * stride + (at % width) * bytes, value);
    });
    bufferViews.push({
      buffer: 0,
      byteOffset: length,
      byteLength: part.byteLength,
      ...(attribute.stride ? { byteStride: attribute.stride } : {}),
    });
    parts.push(part);
    length += part.byteLength;
    const { componentType, type, normalized = false } = attribute;
    accessors.push({ bufferView: bufferViews.length - 1, componentType, type, normalized, count });
    return accessors.length - 1;
  };
  const places = Object.fromEntries(Object.entries(attributes).map(([name, attribute]) => [name, add(attribute)]));
  const mesh = { primitives: [{ attributes: places, ...(indices ? { indices: add(indices) } : {}), ...primitive }] };
  const json = {
    asset: { version: "2.0" },
    scene: 0,
    scenes: [{ nodes: [0] }],
    nodes: [{ mesh: 0, ...node }],
    meshes: [mesh],
    accessors,
    bufferViews,
    buffers: [{ byteLength: length }],
  };
  return container(JSON.stringify(json), parts, length);
}

export function container(json: string, parts: readonly Uint8Array[], binLength: number): ArrayBuffer {
  const text = new TextEncoder().encode(json);
  const jsonLength = Math.ceil(text.byteLength / 4) * 4;
  const bytes = new Uint8Array(12 + 8 + jsonLength + 8 + binLength).fill(0x20);
  const view = new DataView(bytes.buffer);
  view.setUint32(0, 0x46546c67, true);
  view.setUint32(4, 2, true);
  view.setUint32(8, bytes.byteLength, true);
  view.setUint32(12, jsonLength, true);
  view.setUint32(16, 0x4e4f534a, true);
  bytes.set(text, 20);
  let at = 20 + jsonLength;
  view.setUint32(at, binLength, true);
  view.setUint32(at + 4, 0x004e4942, true);
  at += 8;
  for (const part of parts) {
    bytes.set(part, at);
    at += part.byteLength;
  }
  return bytes.buffer;
}

/** The two splats that our own chunks would hold as in streaming/README.md; nothing in them is symmetric. */
export function splatGlb(changes: Partial<Record<string, Attribute>> = {}, rules: Record<string, unknown> = {}): ArrayBuffer {
  const attributes: Record<string, Attribute> = {
    POSITION: { type: "VEC3", componentType: 5126, values: [1, -2, 3.5, -0.25, 0.5, -7] },
    "KHR_gaussian_splatting:ROTATION": {
      type: "VEC4",
      componentType: 5120,
      normalized: true,
      values: [70, -30, 20, 98, 0, 90, 0, 90],
    },
    "KHR_gaussian_splatting:SCALE": { type: "VEC3", componentType: 5126, values: [0.1, 0.02, 0.5, 0.003, 1.5, 0.04] },
    "KHR_gaussian_splatting:OPACITY": { type: "SCALAR", componentType: 5121, normalized: true, stride: 4, values: [255, 51] },
    "KHR_gaussian_splatting:SH_DEGREE_0_COEF_0": { type: "VEC3", componentType: 5126, values: [1, -1, 0.5, 0, 2, -2] },
  };
  for (const [name, attribute] of Object.entries(changes)) {
    if (attribute) attributes[name] = attribute;
    else delete attributes[name];
  }
  const extension = { kernel: "ellipse", colorSpace: "srgb_rec709_display", ...rules };
  return glb({ attributes, primitive: { mode: 0, extensions: { KHR_gaussian_splatting: extension } } });
}

/** A generator of numbers in [0, 1) that is the same in every run. */
export function dice(seed: number): () => number {
  let state = seed >>> 0;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}

export function randomGaussians(count: number, shDegree: number, seed = 7): Gaussians {
  const roll = dice(seed);
  const fill = (length: number, draw: () => number) => Float32Array.from({ length }, draw);
  const bases = (shDegree + 1) ** 2 - 1;
  const quats = fill(count * 4, () => roll() * 2 - 1);
  for (let at = 0; at < quats.length; at += 4) {
    const length = Math.hypot(...quats.subarray(at, at + 4));
    for (let axis = at; axis < at + 4; axis++) quats[axis] = (quats[axis] ?? 0) / length;
  }
  return {
    count,
    means: fill(count * 3, () => roll() * 80 - 40),
    quats,
    scales: fill(count * 3, () => Math.exp(roll() * 10 - 9)),
    opacities: fill(count, roll),
    colors: fill(count * 3, () => roll() * 1.6 - 0.3),
    shDegree,
    rest: fill(count * bases * 3, () => (roll() - 0.5) * 1.5),
  };
}

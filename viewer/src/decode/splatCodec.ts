/**
 * Reader of `streaming/splat_codec.py` and `splat_steps.py`, where layout and reasons are written down.
 *
 * All that decides how many bits follow is integers, so both sides agree; floats are only the last step.
 */

import { DecodeError } from "./glb";
import type { Gaussians } from "./gaussians";
import { decodeSymbols } from "./rans";

const HEADER_BYTES = 48;
const VERSION = 1;
export const MAX_COUNT = 4096;
const CELL_BITS = 20;
const LOW_BITS = 30;
export const MAX_CLASS = 6;
const MIDDLE_CLASS = 3;
const MAX_DIRECTION_BITS = 12;
const DIRECT = 64;
const DIRECT_BITS = 6;
const FAINTEST = 0.25;
const MOST_LOG2 = 100;
const REST_STREAM = 8;
const SH_C0 = 0.28209479177387814;

/** Decode a payload; SH above `maxShDegree` is left out. */
export function decodeSplats(payload: Uint8Array, maxShDegree: number): Gaussians {
  const head = readHeader(payload);
  const { count, scaleSteps, levels } = head;
  const restStreams = 3 * ((head.degree + 1) ** 2 - 1);
  const symbols = decodeSymbols(head.block, REST_STREAM + restStreams, count);
  const fields = new FieldReader(head.fields);
  const stream = (index: number) => readIntegers(symbols.subarray(index * count, (index + 1) * count), fields);

  const means = readMeans(symbols.subarray(0, count), fields, head);
  const sizes = stream(1);
  const drops = stream(2);
  const moreDrops = stream(3);
  const faded = stream(4);
  const luma = stream(5);
  const orange = stream(6);
  const green = stream(7);
  const shDegree = Math.min(head.degree, maxShDegree);
  const bases = (shDegree + 1) ** 2 - 1;
  const restIntegers: Int32Array[] = [];
  for (let index = 0; index < restStreams; index++) {
    const integers = stream(REST_STREAM + index); // what is left out has to be read past, too
    if (index < 3 * bases) restIntegers.push(integers);
  }

  const scales = new Float32Array(count * 3);
  const opacities = new Float32Array(count);
  const classes = new Uint8Array(count);
  const fadedLogs = Int32Array.from({ length: levels + 1 }, (_, level) =>
    Math.round(2 * scaleSteps * Math.log2(Math.max(level, FAINTEST) / levels)),
  );
  // One chunk's sizes are a few dozen different numbers; powers are dear.
  const most = MOST_LOG2 * scaleSteps;
  const metres = new Float32Array(6 * most + 1);
  const axis = (log: number) => metres[log + 4 * most] || (metres[log + 4 * most] = 2 ** (log / scaleSteps));
  let first = 0;
  let second = 0;
  let third = 0;
  let fourth = 0;
  for (let i = 0; i < count; i++) {
    const size = unzigzag(sizes[i] as number) + ((first + second + third + fourth + 2) >> 2);
    fourth = third;
    third = second;
    second = first;
    first = size;
    const drop = drops[i] as number;
    const more = moreDrops[i] as number;
    const level = levels - (faded[i] as number);
    if (Math.abs(size) > most || drop > most || more > most || drop < 0 || more < 0 || level < 0) {
      throw new DecodeError("sizes and opacities of packed splats must be in range");
    }
    const shown = 2 * size - drop + (fadedLogs[level] as number);
    const steps = Math.floor((3 * (head.sizeRef - shown) + 4 * scaleSteps) / (8 * scaleSteps));
    classes[i] = Math.max(0, Math.min(MAX_CLASS, steps + MIDDLE_CLASS));
    scales[3 * i] = axis(size);
    scales[3 * i + 1] = axis(size - drop);
    scales[3 * i + 2] = axis(size - drop - more);
    opacities[i] = Math.max(FAINTEST / levels, Math.min(1 - 1 / 512, level / levels));
  }
  unguess(luma, classes);
  unguess(orange, classes);
  unguess(green, classes);
  const colors = new Float32Array(count * 3);
  for (let i = 0; i < count; i++) {
    const wide = 1 << (classes[i] as number);
    const y = (luma[i] as number) * wide * head.colorStep;
    const co = (orange[i] as number) * wide * head.chromaStep;
    const cg = (green[i] as number) * wide * head.chromaStep;
    const pink = y - cg / 2;
    colors[3 * i] = 0.5 + pink + co / 2;
    colors[3 * i + 1] = 0.5 + y + cg / 2;
    colors[3 * i + 2] = 0.5 + pink - co / 2;
  }
  const quats = readQuats(fields, head, drops, moreDrops, classes);
  return { count, means, quats, scales, opacities, colors, shDegree, rest: readRest(restIntegers, classes, head.restStep, head.restChromaStep) };
}

interface Header {
  readonly degree: number;
  readonly scaleSteps: number;
  readonly levels: number;
  readonly count: number;
  readonly normalBits: number;
  readonly angleBits: number;
  readonly sizeRef: number;
  readonly origin: readonly [number, number, number];
  readonly meanStep: number;
  readonly colorStep: number;
  readonly chromaStep: number;
  readonly restStep: number;
  readonly restChromaStep: number;
  readonly block: Uint8Array;
  readonly fields: Uint8Array;
}

function readHeader(payload: Uint8Array): Header {
  if (payload.length < HEADER_BYTES) throw new DecodeError("packed splats must have a whole header");
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const float = (at: number) => view.getFloat32(at, true);
  const blockBytes = view.getUint32(44, true);
  const head: Header = {
    degree: view.getUint8(1),
    scaleSteps: view.getUint8(2),
    levels: view.getUint8(3),
    count: view.getUint32(4, true),
    normalBits: view.getInt8(8),
    angleBits: view.getInt8(9),
    sizeRef: view.getInt16(10, true),
    origin: [float(12), float(16), float(20)],
    meanStep: float(24),
    colorStep: float(28),
    chromaStep: float(32),
    restStep: float(36),
    restChromaStep: float(40),
    block: payload.subarray(HEADER_BYTES, HEADER_BYTES + blockBytes),
    fields: payload.subarray(HEADER_BYTES + blockBytes),
  };
  if (view.getUint8(0) !== VERSION) throw new DecodeError(`packed splats must be of version ${VERSION}`);
  const steps = [head.meanStep, head.colorStep, head.chromaStep, head.restStep, head.restChromaStep];
  if (
    head.degree > 3 ||
    head.scaleSteps === 0 ||
    head.levels === 0 ||
    head.count < 1 ||
    head.count > MAX_COUNT ||
    payload.length < HEADER_BYTES + blockBytes ||
    !steps.every((step) => step > 0 && step < 1e30) ||
    !head.origin.every((value) => Math.abs(value) < 1e30)
  ) {
    throw new DecodeError("the header of packed splats must name what can be");
  }
  return head;
}

/** Fields of 0 to 31 bits, lowest bit first. */
export class FieldReader {
  private at = 0; // next byte
  private kept = 0; // bits not handed out yet
  private held = 0; // how many; fewer than 8 between calls

  constructor(private readonly data: Uint8Array) {}

  read(width: number): number {
    if (width > 24) {
      const low = this.read(16);
      return low + this.read(width - 16) * 65_536;
    }
    while (this.held < width) {
      const byte = this.data[this.at++];
      if (byte === undefined) throw new DecodeError("packed fields must end inside their block");
      this.kept |= byte << this.held;
      this.held += 8;
    }
    const value = this.kept & ((1 << width) - 1);
    this.kept >>>= width;
    this.held -= width;
    return value;
  }
}

export function readIntegers(symbols: Uint8Array, fields: FieldReader): Int32Array {
  const integers = new Int32Array(symbols.length);
  for (let i = 0; i < symbols.length; i++) {
    const symbol = symbols[i] as number;
    if (symbol < DIRECT) {
      integers[i] = symbol;
      continue;
    }
    const octaves = DIRECT_BITS + ((symbol - DIRECT) >> 2);
    if (octaves >= 31) throw new DecodeError("a coded integer must be below 2^31");
    const width = octaves - 2;
    integers[i] = ((4 + ((symbol - DIRECT) & 3)) << width) + fields.read(width);
  }
  return integers;
}

function unzigzag(value: number): number {
  return value & 1 ? -((value + 1) >>> 1) : value >>> 1;
}

/** Steps along a Morton curve of 60 bits, kept as two halves of 30: three times ten bits each. */
function readMeans(symbols: Uint8Array, fields: FieldReader, head: Header): Float32Array {
  const count = symbols.length;
  const lows = new Int32Array(count);
  for (let i = 0; i < count; i++) {
    const below = Math.max(0, (symbols[i] as number) - 1);
    if (below >= 3 * CELL_BITS) throw new DecodeError("a step along the curve must stay inside its chunk");
    lows[i] = fields.read(Math.min(below, LOW_BITS));
  }
  const half = 2 ** LOW_BITS;
  const means = new Float32Array(3 * count);
  const [x, y, z] = head.origin;
  let high = 0;
  let low = 0;
  for (let i = 0; i < count; i++) {
    const bits = symbols[i] as number;
    low += lows[i] as number;
    if (bits > LOW_BITS) {
      high += fields.read(bits - 1 - LOW_BITS) + 2 ** (bits - 1 - LOW_BITS);
    } else if (bits > 0) {
      low += 2 ** (bits - 1);
    }
    if (low >= half) {
      low -= half;
      high++;
    }
    high %= half; // a step back is a step around the curve
    means[3 * i] = (everyThird(low) + 1024 * everyThird(high)) * head.meanStep + x;
    means[3 * i + 1] = (everyThird(low >> 1) + 1024 * everyThird(high >> 1)) * head.meanStep + y;
    means[3 * i + 2] = (everyThird(low >> 2) + 1024 * everyThird(high >> 2)) * head.meanStep + z;
  }
  return means;
}

/** Bits 0, 3, 6 .. 27 of a number, side by side. */
function everyThird(value: number): number {
  let bits = value & 0x09249249;
  bits = (bits | (bits >> 2)) & 0x030c30c3;
  bits = (bits | (bits >> 4)) & 0x0300f00f;
  bits = (bits | (bits >> 8)) & 0x030000ff;
  return (bits | (bits >> 16)) & 0x3ff;
}

/** In place: differences to the mean of the last four, in steps of 2^class. */
function unguess(values: Int32Array, classes: Uint8Array): void {
  let first = 0;
  let second = 0;
  let third = 0;
  let fourth = 0;
  for (let i = 0; i < values.length; i++) {
    const shift = classes[i] as number;
    const mean = (first + second + third + fourth + 2) >> 2;
    const value = unzigzag(values[i] as number) + ((mean + ((1 << shift) >> 1)) >> shift);
    values[i] = value;
    fourth = third;
    third = second;
    second = first;
    first = value << shift;
  }
}

function directionWorth(scaleSteps: number): Int32Array {
  return Int32Array.from({ length: 4 * scaleSteps + 1 }, (_, drop) =>
    drop === 0 ? -99 : Math.round(Math.log2(2 ** (drop / scaleSteps) - 2 ** (-drop / scaleSteps))),
  );
}

function readQuats(
  fields: FieldReader,
  head: Header,
  drops: Int32Array,
  moreDrops: Int32Array,
  classes: Uint8Array,
): Float32Array {
  const { count } = head;
  const worth = directionWorth(head.scaleSteps);
  const widthOf = (drop: number, bits: number, shift: number) =>
    Math.max(0, Math.min(MAX_DIRECTION_BITS, bits + (worth[Math.min(drop, worth.length - 1)] as number) - shift));
  const widths = new Uint8Array(count);
  const us = new Uint16Array(count);
  const vs = new Uint16Array(count);
  for (let i = 0; i < count; i++) {
    widths[i] = widthOf((drops[i] as number) + (moreDrops[i] as number), head.normalBits, classes[i] as number);
    us[i] = fields.read(widths[i] as number);
  }
  for (let i = 0; i < count; i++) vs[i] = fields.read(widths[i] as number);
  const quats = new Float32Array(4 * count);
  for (let i = 0; i < count; i++) {
    const angleWidth = widthOf(drops[i] as number, head.angleBits, classes[i] as number);
    const half = ((fields.read(angleWidth) + 0.5) * 2 ** -angleWidth * Math.PI) / 2;
    const cell = 2 ** (1 - (widths[i] as number));
    const u = ((us[i] as number) + 0.5) * cell - 1;
    const v = ((vs[i] as number) + 0.5) * cell - 1;
    const x = (u + v) / 2;
    const y = (u - v) / 2;
    const z = 1 - Math.abs(x) - Math.abs(y);
    const length = Math.sqrt(x * x + y * y + z * z);
    // The shortest turn from +Z to the normal, after one about +Z.
    const qw = 1 + z / length;
    const qx = -y / length;
    const qy = x / length;
    const norm = 1 / Math.sqrt(qw * qw + qx * qx + qy * qy);
    const c = Math.cos(half) * norm;
    const s = Math.sin(half) * norm;
    quats[4 * i] = qx * c + qy * s;
    quats[4 * i + 1] = qy * c - qx * s;
    quats[4 * i + 2] = qw * s;
    quats[4 * i + 3] = qw * c;
  }
  return quats;
}

/** Three streams for each coefficient -> [N, K - 1, 3]. */
export function readRest(
  streams: readonly Int32Array[],
  classes: Uint8Array,
  restStep: number,
  restChromaStep: number,
): Float32Array {
  const count = classes.length;
  const bases = streams.length / 3;
  const rest = new Float32Array(count * bases * 3);
  const lumaStep = restStep / SH_C0;
  const chromaStep = restChromaStep / SH_C0;
  for (let base = 0; base < bases; base++) {
    const luma = streams[3 * base] as Int32Array;
    const orange = streams[3 * base + 1] as Int32Array;
    const green = streams[3 * base + 2] as Int32Array;
    for (let i = 0; i < count; i++) {
      const wide = 1 << (classes[i] as number);
      const y = unzigzag(luma[i] as number) * wide * lumaStep;
      const co = unzigzag(orange[i] as number) * wide * chromaStep;
      const cg = unzigzag(green[i] as number) * wide * chromaStep;
      const pink = y - cg / 2;
      const at = (i * bases + base) * 3;
      rest[at] = pink + co / 2;
      rest[at + 1] = y + cg / 2;
      rest[at + 2] = pink - co / 2;
    }
  }
  return rest;
}

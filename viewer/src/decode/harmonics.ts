/** Reader of `streaming/harmonics_codec.py`, where the layout is written down: colour over one chunk's splats. */

import { DecodeError, readView, type Glb } from "./glb";
import { decodeSymbols } from "./rans";
import { FieldReader, MAX_CLASS, MAX_COUNT, readIntegers, readRest } from "./splatCodec";

const EXTENSION = "IMMERSIVE_splat_harmonics";
const HEADER_BYTES = 20;
const VERSION = 1;

/** SH of degree 1 and up of N splats: `rest` as in `Gaussians`. */
export interface Harmonics {
  readonly count: number;
  readonly shDegree: number;
  readonly rest: Float32Array; // [N, K - 1, 3]
}

/** Read a layer; degrees above `maxShDegree` are left out. */
export function readHarmonics(glb: Glb, maxShDegree: number): Harmonics {
  const entry = glb.json.extensions?.[EXTENSION];
  if (!entry) throw new DecodeError(`a layer of harmonics must be a GLB with ${EXTENSION}`);
  const payload = readView(glb, entry.bufferView);
  if (payload.length < HEADER_BYTES) throw new DecodeError("a layer of harmonics must have a whole header");
  const view = new DataView(payload.buffer, payload.byteOffset, payload.byteLength);
  const degree = view.getUint8(1);
  const count = view.getUint32(4, true);
  const lumaStep = view.getFloat32(8, true);
  const chromaStep = view.getFloat32(12, true);
  const end = HEADER_BYTES + view.getUint32(16, true);
  const isPossible = view.getUint8(0) === VERSION && degree >= 1 && degree <= 3 && count >= 1 && count <= MAX_COUNT;
  const isScaled = lumaStep > 0 && lumaStep < 1e30 && chromaStep > 0 && chromaStep < 1e30;
  if (!isPossible || !isScaled || payload.length < end) {
    throw new DecodeError("the header of a layer of harmonics must name what can be");
  }
  const streams = 1 + 3 * ((degree + 1) ** 2 - 1);
  const symbols = decodeSymbols(payload.subarray(HEADER_BYTES, end), streams, count);
  const fields = new FieldReader(payload.subarray(end));
  const stream = (index: number) => readIntegers(symbols.subarray(index * count, (index + 1) * count), fields);
  const classes = Uint8Array.from(stream(0));
  if (classes.some((one) => one > MAX_CLASS)) throw new DecodeError("classes of a layer of harmonics must be in range");
  const shDegree = Math.min(degree, maxShDegree);
  const wanted = 3 * ((shDegree + 1) ** 2 - 1);
  const integers = Array.from({ length: wanted }, (_, index) => stream(1 + index));
  return { count, shDegree, rest: readRest(integers, classes, lumaStep, chromaStep) };
}

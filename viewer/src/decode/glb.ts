/**
 * The glTF container: finds the JSON and the bytes of a GLB and reads accessors out of them.
 *
 * Only what splat chunks and collider meshes need. Every count and offset is checked against the bytes
 * that are there before anything is allocated.
 */

/** A chunk that cannot be drawn; the page answers it with a NACK. */
export class DecodeError extends Error {
  override readonly name = "DecodeError";
}

const GLB_MAGIC = 0x46546c67;
const CHUNK_JSON = 0x4e4f534a;
const CHUNK_BIN = 0x004e4942;

export interface GltfAccessor {
  readonly bufferView?: number;
  readonly byteOffset?: number;
  readonly componentType: number;
  readonly normalized?: boolean;
  readonly count: number;
  readonly type: string;
  readonly sparse?: unknown;
}

interface GltfBufferView {
  readonly buffer?: number;
  readonly byteOffset?: number;
  readonly byteLength: number;
  readonly byteStride?: number;
}

interface GltfSplats {
  readonly kernel?: string;
  readonly colorSpace?: string;
  readonly extensions?: Readonly<Record<string, { readonly bufferView?: number }>>;
}

export interface GltfPrimitive {
  readonly mode?: number;
  readonly indices?: number;
  readonly attributes: Readonly<Record<string, number>>;
  readonly extensions?: Readonly<Record<string, GltfSplats>>;
}

export interface GltfNode {
  readonly mesh?: number;
  readonly children?: readonly number[];
  readonly translation?: readonly number[];
  readonly rotation?: readonly number[];
  readonly scale?: readonly number[];
  readonly matrix?: readonly number[];
}

export interface GltfJson {
  readonly extensions?: Readonly<Record<string, { readonly bufferView?: number }>>;
  readonly extensionsRequired?: readonly string[];
  readonly scene?: number;
  readonly scenes?: readonly { readonly nodes?: readonly number[] }[];
  readonly nodes?: readonly GltfNode[];
  readonly meshes?: readonly { readonly primitives: readonly GltfPrimitive[] }[];
  readonly accessors?: readonly GltfAccessor[];
  readonly bufferViews?: readonly GltfBufferView[];
}

export interface Glb {
  readonly json: GltfJson;
  readonly bin: DataView;
}

/** Take a GLB apart. Throws `DecodeError` when the container is not what its header says. */
export function readGlb(bytes: ArrayBuffer): Glb {
  const view = new DataView(bytes);
  if (bytes.byteLength < 20 || view.getUint32(0, true) !== GLB_MAGIC) {
    throw new DecodeError("a chunk must be a GLB");
  }
  const total = view.getUint32(8, true);
  if (view.getUint32(4, true) !== 2 || total > bytes.byteLength) {
    throw new DecodeError(`a GLB must be version 2 and whole, got ${bytes.byteLength} of ${total} bytes`);
  }
  let json: GltfJson | undefined;
  let bin = new DataView(bytes, 0, 0);
  for (let at = 12; at + 8 <= total; ) {
    const length = view.getUint32(at, true);
    const kind = view.getUint32(at + 4, true);
    at += 8;
    if (at + length > total) throw new DecodeError("a GLB chunk must end inside the file");
    if (kind === CHUNK_JSON && !json) json = parseJson(new Uint8Array(bytes, at, length));
    if (kind === CHUNK_BIN) bin = new DataView(bytes, at, length);
    at += length;
  }
  if (!json) throw new DecodeError("a GLB must hold JSON");
  return { json, bin };
}

function parseJson(bytes: Uint8Array): GltfJson {
  try {
    const value: unknown = JSON.parse(new TextDecoder().decode(bytes));
    if (typeof value === "object" && value !== null) return value;
  } catch {
    // Falls through to the one error below.
  }
  throw new DecodeError("a GLB must hold valid JSON");
}

interface ComponentKind {
  readonly bytes: number;
  readonly scale: number;
  readonly read: (view: DataView, at: number) => number;
}

/** glTF component types; `scale` turns a normalized integer into -1..1 or 0..1. */
const COMPONENTS: Readonly<Record<number, ComponentKind>> = {
  5120: { bytes: 1, scale: 1 / 127, read: (view, at) => view.getInt8(at) },
  5121: { bytes: 1, scale: 1 / 255, read: (view, at) => view.getUint8(at) },
  5122: { bytes: 2, scale: 1 / 32767, read: (view, at) => view.getInt16(at, true) },
  5123: { bytes: 2, scale: 1 / 65535, read: (view, at) => view.getUint16(at, true) },
  5125: { bytes: 4, scale: 1, read: (view, at) => view.getUint32(at, true) },
  5126: { bytes: 4, scale: 1, read: (view, at) => view.getFloat32(at, true) },
};
const FLOAT = 5126;
const WIDTHS: Readonly<Record<string, number>> = { SCALAR: 1, VEC2: 2, VEC3: 3, VEC4: 4 };

interface Column {
  readonly count: number;
  readonly width: number;
  readonly start: number;
  readonly stride: number;
  readonly kind: ComponentKind;
  readonly factor: number;
  readonly isFloat: boolean;
}

function column(glb: Glb, index: number): Column {
  const accessor = glb.json.accessors?.[index];
  const width = accessor && WIDTHS[accessor.type];
  const kind = accessor && COMPONENTS[accessor.componentType];
  if (!accessor || !width || !kind || accessor.sparse !== undefined) {
    throw new DecodeError(`accessor ${index} must exist, be dense and of a known type`);
  }
  const view = glb.json.bufferViews?.[accessor.bufferView ?? -1];
  if (!view || (view.buffer ?? 0) !== 0) throw new DecodeError(`accessor ${index} must have bytes in the GLB`);
  const stride = view.byteStride ?? width * kind.bytes;
  const start = (view.byteOffset ?? 0) + (accessor.byteOffset ?? 0);
  const end = accessor.count > 0 ? start + (accessor.count - 1) * stride + width * kind.bytes : start;
  if (!Number.isInteger(accessor.count) || accessor.count < 0 || !(end <= glb.bin.byteLength)) {
    throw new DecodeError(`accessor ${index} must end inside the GLB`);
  }
  return {
    count: accessor.count,
    width,
    start,
    stride,
    kind,
    factor: accessor.normalized ? kind.scale : 1,
    isFloat: accessor.componentType === FLOAT,
  };
}

/** Read an accessor as floats, normalized integers brought to their range. [count * width] */
export function readFloats(glb: Glb, index: number, type: string): Float32Array {
  const from = column(glb, index);
  if (from.width !== WIDTHS[type]) throw new DecodeError(`accessor ${index} must be a ${type}`);
  const { count, width, start, stride, kind, factor } = from;
  if (from.isFloat && stride === width * 4 && (glb.bin.byteOffset + start) % 4 === 0) {
    return new Float32Array(glb.bin.buffer, glb.bin.byteOffset + start, count * width).slice();
  }
  const out = new Float32Array(count * width);
  for (let row = 0, to = 0; row < count; row++) {
    for (let axis = 0; axis < width; axis++) {
      const value = kind.read(glb.bin, start + row * stride + axis * kind.bytes) * factor;
      out[to++] = factor < 1 && value < -1 ? -1 : value; // -128 and -32768 mean -1 too
    }
  }
  return out;
}

/** The bytes of a buffer view, not copied. */
export function readView(glb: Glb, index: number | undefined): Uint8Array {
  const view = glb.json.bufferViews?.[index ?? -1];
  const start = view?.byteOffset ?? 0;
  const fits = view && start >= 0 && view.byteLength >= 0 && start + view.byteLength <= glb.bin.byteLength;
  if (!fits || (view.buffer ?? 0) !== 0) throw new DecodeError(`buffer view ${index} must have bytes in the GLB`);
  return new Uint8Array(glb.bin.buffer, glb.bin.byteOffset + start, view.byteLength);
}

/** Read a scalar integer accessor, such as triangle indices. */
export function readIndices(glb: Glb, index: number): Uint32Array {
  const { count, width, start, stride, kind } = column(glb, index);
  if (width !== 1) throw new DecodeError(`accessor ${index} must be a SCALAR`);
  const out = new Uint32Array(count);
  for (let row = 0; row < count; row++) out[row] = kind.read(glb.bin, start + row * stride);
  return out;
}

/** Undo the gzip member that a chunk may be wrapped in; a GLB passes through. */
export async function unwrapGzip(bytes: ArrayBuffer, maxBytes: number): Promise<ArrayBuffer> {
  const head = new Uint8Array(bytes, 0, Math.min(2, bytes.byteLength));
  if (head[0] !== 0x1f || head[1] !== 0x8b) return bytes;
  const reader = new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip")).getReader();
  const parts: Uint8Array[] = [];
  let length = 0;
  try {
    for (let part = await reader.read(); !part.done; part = await reader.read()) {
      length += part.value.byteLength;
      if (length > maxBytes) throw new DecodeError(`a chunk must unpack to at most ${maxBytes} bytes`);
      parts.push(part.value);
    }
  } catch (error) {
    await reader.cancel().catch(() => undefined);
    throw error instanceof DecodeError ? error : new DecodeError("a chunk must be whole gzip");
  }
  const out = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    out.set(part, at);
    at += part.byteLength;
  }
  return out.buffer;
}

/**
 * KHR_gaussian_splatting, ellipse kernel: GLB -> arrays in the world frame.
 *
 * Source: KhronosGroup/glTF, extensions/2.0/Khronos/KHR_gaussian_splatting. Scales and opacities are
 * linear, quaternions xyzw, SH coefficients display-referred with 0.5 added to their sum.
 */

import { DecodeError, readFloats, readView, type Glb, type GltfNode, type GltfPrimitive } from "./glb";
import { decodeSplats } from "./splatCodec";

const EXTENSION = "KHR_gaussian_splatting";
const PACKED_EXTENSION = "IMMERSIVE_gaussian_splatting_packed";
const PREFIX = `${EXTENSION}:`;
const SH_C0 = 0.28209479177387814;
const POINTS = 0;

/** N Gaussians, activated; `rest` holds SH degrees 1.. as [N, K - 1, 3]. */
export interface Gaussians {
  readonly count: number;
  readonly means: Float32Array; // [N, 3] metres, world
  readonly quats: Float32Array; // [N, 4] xyzw, unit
  readonly scales: Float32Array; // [N, 3] metres
  readonly opacities: Float32Array; // [N] 0..1
  readonly colors: Float32Array; // [N, 3] sRGB, degree 0 only; may leave 0..1
  readonly shDegree: number;
  readonly rest: Float32Array;
}

interface Placed {
  readonly primitive: GltfPrimitive;
  readonly node: GltfNode;
}

/** Read the splats of a GLB. Throws `DecodeError` when there are none or they break the format's rules. */
export function readGaussians(glb: Glb, maxShDegree = 3): Gaussians {
  const placed = splatPrimitives(glb);
  const first = placed[0];
  if (!first || placed.length > 1) {
    throw new DecodeError(`a chunk must hold one splat primitive, got ${placed.length}`);
  }
  const { primitive, node } = first;
  const rules = primitive.extensions?.[EXTENSION];
  if ((primitive.mode ?? 4) !== POINTS || rules?.kernel !== "ellipse") {
    throw new DecodeError("a splat primitive must be POINTS with kernel ellipse");
  }
  if (rules.colorSpace !== undefined && rules.colorSpace !== "srgb_rec709_display") {
    throw new DecodeError(`colorSpace must be srgb_rec709_display, got ${rules.colorSpace}`);
  }
  const packed = rules.extensions?.[PACKED_EXTENSION];
  if (packed) {
    const splats = decodeSplats(readView(glb, packed.bufferView), maxShDegree);
    place(splats.means, splats.scales, node);
    return splats;
  }
  const means = attribute(glb, primitive, "POSITION", "VEC3");
  const count = means.length / 3;
  const quats = normalized(attribute(glb, primitive, `${PREFIX}ROTATION`, "VEC4"));
  const scales = attribute(glb, primitive, `${PREFIX}SCALE`, "VEC3");
  const opacities = attribute(glb, primitive, `${PREFIX}OPACITY`, "SCALAR");
  const colors = attribute(glb, primitive, `${PREFIX}SH_DEGREE_0_COEF_0`, "VEC3");
  if (quats.length !== count * 4 || scales.length !== count * 3 || opacities.length !== count) {
    throw new DecodeError("splat attributes must have one row per splat");
  }
  if (colors.length !== count * 3) throw new DecodeError("splat attributes must have one row per splat");
  for (let i = 0; i < colors.length; i++) colors[i] = 0.5 + SH_C0 * (colors[i] ?? 0);
  place(means, scales, node);
  const { shDegree, rest } = readRest(glb, primitive, count, maxShDegree);
  return { count, means, quats, scales, opacities, colors, shDegree, rest };
}

function splatPrimitives(glb: Glb): Placed[] {
  const found: Placed[] = [];
  for (const node of glb.json.nodes ?? []) {
    if (node.mesh === undefined) continue;
    for (const primitive of glb.json.meshes?.[node.mesh]?.primitives ?? []) {
      if (primitive.extensions?.[EXTENSION]) found.push({ primitive, node });
    }
  }
  return found;
}

function attribute(glb: Glb, primitive: GltfPrimitive, name: string, type: string): Float32Array {
  const index = primitive.attributes[name];
  if (index === undefined) throw new DecodeError(`a splat primitive must have ${name}`);
  return readFloats(glb, index, type);
}

/** int8 quaternions are up to 0.6 % off unit length, which would shear the splat. */
function normalized(quats: Float32Array): Float32Array {
  for (let at = 0; at < quats.length; at += 4) {
    const length = Math.hypot(quats[at] ?? 0, quats[at + 1] ?? 0, quats[at + 2] ?? 0, quats[at + 3] ?? 0);
    if (!(length > 1e-6)) throw new DecodeError("a splat rotation must not be zero");
    for (let axis = at; axis < at + 4; axis++) quats[axis] = (quats[axis] ?? 0) / length;
  }
  return quats;
}

/** Our chunks stand on a plain node; other writers may shift and scale theirs, which costs nothing to honour. */
function place(means: Float32Array, scales: Float32Array, node: GltfNode): void {
  if (node.matrix || node.rotation) throw new DecodeError("a splat node must not be turned");
  const [tx = 0, ty = 0, tz = 0] = node.translation ?? [];
  const [sx = 1, sy = 1, sz = 1] = node.scale ?? [];
  if (sx !== sy || sy !== sz || !(sx > 0)) throw new DecodeError("a splat node must scale all axes alike");
  for (let at = 0; at < means.length; at += 3) {
    means[at] = (means[at] ?? 0) * sx + tx;
    means[at + 1] = (means[at + 1] ?? 0) * sx + ty;
    means[at + 2] = (means[at + 2] ?? 0) * sx + tz;
  }
  if (sx !== 1) for (let at = 0; at < scales.length; at++) scales[at] = (scales[at] ?? 0) * sx;
}

function readRest(
  glb: Glb,
  primitive: GltfPrimitive,
  count: number,
  maxShDegree: number,
): { shDegree: number; rest: Float32Array } {
  let shDegree = 0;
  while (shDegree < maxShDegree && primitive.attributes[`${PREFIX}SH_DEGREE_${shDegree + 1}_COEF_0`] !== undefined) {
    shDegree++;
  }
  const bases = (shDegree + 1) ** 2 - 1;
  const rest = new Float32Array(count * bases * 3);
  let base = 0;
  for (let degree = 1; degree <= shDegree; degree++) {
    for (let order = 0; order < 2 * degree + 1; order++, base++) {
      const values = attribute(glb, primitive, `${PREFIX}SH_DEGREE_${degree}_COEF_${order}`, "VEC3");
      if (values.length !== count * 3) throw new DecodeError("splat attributes must have one row per splat");
      for (let splat = 0; splat < count; splat++) {
        for (let axis = 0; axis < 3; axis++) {
          rest[(splat * bases + base) * 3 + axis] = values[splat * 3 + axis] ?? 0;
        }
      }
    }
  }
  return { shDegree, rest };
}

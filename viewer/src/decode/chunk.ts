/** One chunk's bytes -> what the page draws or walks on. Runs in the worker and in tests. */

import { DecodeError, readFloats, readGlb, readIndices, unwrapGzip, type Glb } from "./glb";
import type { ColliderMesh, Decoded, DecodeReply, DecodeRequest } from "./messages";
import { MAX_CHUNK_BYTES, readLayer, readSplatChunk } from "./splatReader";
import { encodeShades, encodeWords } from "./words";

const TRIANGLES = 4;

export async function decodeChunk(request: DecodeRequest): Promise<DecodeReply> {
  const { id, bytes, hash } = request;
  try {
    if (hash && !(await matches(bytes, hash))) {
      return { id, ok: false, reason: "hash", message: "the bytes are not those that the chunk table names" };
    }
    return { id, ok: true, decoded: await decodeAs(request) };
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    return { id, ok: false, reason: "decode", message };
  }
}

async function decodeAs({ bytes, isCollider, isHarmonics, maxShDegree }: DecodeRequest): Promise<Decoded> {
  if (isCollider) return { kind: "collider", mesh: readCollider(readGlb(await unwrapGzip(bytes, MAX_CHUNK_BYTES))) };
  if (isHarmonics) return { kind: "harmonics", words: encodeShades(await readLayer(bytes, maxShDegree)) };
  return { kind: "splats", words: encodeWords(await readSplatChunk(bytes, maxShDegree)) };
}

/** Pages on plain http have no SubtleCrypto; there TCP's checksums have to do. */
async function matches(bytes: ArrayBuffer, prefix: Uint8Array): Promise<boolean> {
  const subtle = globalThis.crypto?.subtle as SubtleCrypto | undefined;
  if (!subtle) return true;
  const digest = new Uint8Array(await subtle.digest("SHA-256", bytes));
  return prefix.every((byte, at) => byte === digest[at]);
}

function readCollider(glb: Glb): ColliderMesh {
  const primitive = glb.json.meshes?.[0]?.primitives[0];
  const position = primitive?.attributes["POSITION"];
  if (!primitive || position === undefined || (primitive.mode ?? TRIANGLES) !== TRIANGLES) {
    throw new DecodeError("a collider must be a mesh of triangles");
  }
  const positions = readFloats(glb, position, "VEC3");
  const vertices = positions.length / 3;
  const indices =
    primitive.indices === undefined
      ? Uint32Array.from({ length: vertices }, (_, vertex) => vertex)
      : readIndices(glb, primitive.indices);
  if (indices.length % 3 !== 0 || indices.some((vertex) => vertex >= vertices)) {
    throw new DecodeError("collider indices must be whole triangles of vertices that exist");
  }
  return { positions, indices };
}

/** A splat chunk's bytes -> arrays, for the worker and for programs that measure or compare. */

import { readGlb, unwrapGzip } from "./glb";
import { readGaussians, type Gaussians } from "./gaussians";
import { readHarmonics, type Harmonics } from "./harmonics";

export async function readLayer(bytes: ArrayBuffer, maxShDegree: number): Promise<Harmonics> {
  return readHarmonics(readGlb(await unwrapGzip(bytes, MAX_CHUNK_BYTES)), maxShDegree);
}

export { encodeWords } from "./words";

/** A chunk holds at most 4096 splats of at most 240 bytes, a collider some 200 000 triangles. */
export const MAX_CHUNK_BYTES = 32 * 1024 * 1024;

export async function readSplatChunk(bytes: ArrayBuffer, maxShDegree: number): Promise<Gaussians> {
  return readGaussians(readGlb(await unwrapGzip(bytes, MAX_CHUNK_BYTES)), maxShDegree);
}

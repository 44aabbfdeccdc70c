/** What the page and its decode worker say to each other. */

import type { ShadeWords, SplatWords } from "./words";

export interface DecodeRequest {
  readonly id: number;
  readonly isCollider: boolean;
  readonly isHarmonics: boolean;
  readonly maxShDegree: number;
  readonly bytes: ArrayBuffer;
  /** First bytes of the sha256 that the chunk table names, once it is known. */
  readonly hash: Uint8Array | undefined;
}

export interface ColliderMesh {
  readonly positions: Float32Array; // [V, 3] metres, world
  readonly indices: Uint32Array; // [T, 3]
}

export type Decoded =
  | { readonly kind: "splats"; readonly words: SplatWords }
  | { readonly kind: "harmonics"; readonly words: ShadeWords }
  | { readonly kind: "collider"; readonly mesh: ColliderMesh };

/** What a worker says, with the milliseconds that it took. */
export type TimedReply = DecodeReply & { readonly ms: number };

export type DecodeReply =
  | { readonly id: number; readonly ok: true; readonly decoded: Decoded }
  | { readonly id: number; readonly ok: false; readonly reason: "hash" | "decode"; readonly message: string };

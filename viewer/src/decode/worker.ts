/** The decode worker: chunks in, texture words out, so that the frame loop never waits for a decoder. */

import { decodeChunk } from "./chunk";
import type { DecodeReply, DecodeRequest, TimedReply } from "./messages";

// The page's types describe a window, where postMessage takes a target origin.
const scope = self as unknown as { postMessage(reply: TimedReply, transfer: Transferable[]): void };

/** One after the other: begun together they would all be late. */
let last: Promise<void> = Promise.resolve();

self.addEventListener("message", (event: MessageEvent<DecodeRequest>) => {
  last = last.then(() => decode(event.data));
});

async function decode(request: DecodeRequest): Promise<void> {
  const began = performance.now();
  const reply = await decodeChunk(request);
  scope.postMessage({ ...reply, ms: performance.now() - began }, transferables(reply));
}

function transferables(reply: DecodeReply): Transferable[] {
  if (!reply.ok) return [];
  if (reply.decoded.kind === "collider") {
    return [reply.decoded.mesh.positions.buffer, reply.decoded.mesh.indices.buffer];
  }
  return reply.decoded.words.texels.map((texel) => texel.buffer);
}

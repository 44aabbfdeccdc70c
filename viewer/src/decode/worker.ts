/** The decode worker: chunks in, texture words out, so that the frame loop never waits for a decoder. */

import { decodeChunk } from "./chunk";
import type { DecodeReply, DecodeRequest } from "./messages";

// The page's types describe a window, where postMessage takes a target origin.
const scope = self as unknown as { postMessage(reply: DecodeReply, transfer: Transferable[]): void };

self.addEventListener("message", (event: MessageEvent<DecodeRequest>) => {
  void decodeChunk(event.data).then((reply) => scope.postMessage(reply, transferables(reply)));
});

function transferables(reply: DecodeReply): Transferable[] {
  if (!reply.ok) return [];
  if (reply.decoded.kind === "collider") {
    return [reply.decoded.mesh.positions.buffer, reply.decoded.mesh.indices.buffer];
  }
  return reply.decoded.words.texels.map((texel) => texel.buffer);
}

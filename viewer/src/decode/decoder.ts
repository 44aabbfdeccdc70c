/** The page's side of the decode workers: replies come back in the order of the requests. */

import type { TimedReply, DecodeRequest } from "./messages";

export type DecodeWork = Omit<DecodeRequest, "id">;

export class Decoder {
  private readonly workers: Worker[];
  private readonly replies = new Map<number, TimedReply>();
  private readonly takers = new Map<number, (reply: TimedReply) => void>();
  private asked = 0;
  private given = 0;

  constructor(workerCount = (navigator.hardwareConcurrency || 2) > 3 ? 2 : 1) {
    this.workers = Array.from({ length: workerCount }, () => {
      const worker = new Worker(new URL("./worker.ts", import.meta.url), { type: "module" });
      worker.addEventListener("message", (event: MessageEvent<TimedReply>) => this.settle(event.data));
      return worker;
    });
  }

  /**
   * Decode one chunk; its bytes are moved away. `take` is called in the order of the calls to `decode`,
   * because a child may only be shown once its parent is there.
   */
  decode(work: DecodeWork, take: (reply: TimedReply) => void): void {
    const id = this.asked++;
    this.takers.set(id, take);
    this.workers[id % this.workers.length]?.postMessage({ id, ...work } satisfies DecodeRequest, [work.bytes]);
  }

  dispose(): void {
    for (const worker of this.workers) worker.terminate();
    this.takers.clear();
  }

  private settle(reply: TimedReply): void {
    this.replies.set(reply.id, reply);
    for (let next = this.replies.get(this.given); next; next = this.replies.get(this.given)) {
      const take = this.takers.get(this.given);
      this.replies.delete(this.given);
      this.takers.delete(this.given++);
      take?.(next);
    }
  }
}

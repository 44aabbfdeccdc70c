/**
 * Keeps a stream's events until the renderer has been loaded, then passes them straight on. Only that the
 * link opened, or that the visit failed, is told at once.
 */

import type { ChunkMessage, SceneJson, TreeMessage } from "./generated";
import type { Failure, SceneSummary } from "./link";
import type { PeopleMessage, StreamEvents } from "./sceneStream";

export class DeferredEvents implements StreamEvents {
  private target: StreamEvents | undefined;
  private waiting: ((target: StreamEvents) => void)[] = [];

  constructor(private readonly atOnce: Pick<StreamEvents, "opened" | "failed">) {}

  attach(target: StreamEvents): void {
    this.target = target;
    for (const call of this.waiting) call(target);
    this.waiting = [];
  }

  opened(scene: SceneSummary): void {
    this.atOnce.opened(scene);
    this.pass((target) => target.opened(scene));
  }

  renewed(scene: SceneSummary): void {
    this.pass((target) => target.renewed(scene));
  }

  scene(scene: SceneJson): void {
    this.pass((target) => target.scene(scene));
  }

  tree(tree: TreeMessage): void {
    this.pass((target) => target.tree(tree));
  }

  chunk(chunk: ChunkMessage): void {
    this.pass((target) => target.chunk(chunk));
  }

  settled(leftOut: number): void {
    this.pass((target) => target.settled(leftOut));
  }

  people(message: PeopleMessage): void {
    this.pass((target) => target.people(message));
  }

  reconnecting(waitMs: number): void {
    this.pass((target) => target.reconnecting(waitMs));
  }

  connected(): void {
    this.pass((target) => target.connected());
  }

  failed(failure: Failure): void {
    this.atOnce.failed(failure);
    this.pass((target) => target.failed(failure));
  }

  private pass(call: (target: StreamEvents) => void): void {
    if (this.target) call(this.target);
    else this.waiting.push(call);
  }
}

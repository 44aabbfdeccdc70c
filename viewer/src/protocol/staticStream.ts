/**
 * A scene of plain files on any web host, written by `immersive publish`: the table first, then chunks of the
 * pack by HTTP Range, in the order that a server would choose. A host that ignores Range sends the whole pack
 * once, and the chunks are cut out of that.
 */

import { ChunkKind, decodeServerMessage, type SceneJson, type TreeMessage } from "./generated";
import { Failure, type SceneSummary } from "./link";
import type { ChunkStream, StreamEvents, ViewPose } from "./sceneStream";

/** `scene.json` beside the page. */
export interface StaticScene {
  readonly opened: SceneSummary;
  readonly scene: SceneJson;
}

/** Chunks on the way or not yet taken in. */
const MOST_AT_ONCE = 4;
const MOST_TRIES = 4;
const FIRST_RETRY_MS = 500;
/** As in streaming/priority.py. */
const OUT_OF_VIEW_WEIGHT = 0.02;
const NEAREST_M2 = 0.0625;
const SH_WEIGHT = 0.1;

export class StaticStream implements ChunkStream {
  private tree: TreeMessage | undefined;
  private offsets: readonly number[] = [];
  private pose: ViewPose | undefined;
  private readonly asked = new Set<number>();
  private readonly busy = new Set<number>();
  private readonly refused = new Set<number>();
  private whole: Promise<ArrayBuffer> | undefined;
  private hasProbed = false;
  private alive = 0;
  private received = 0;
  private seq = 0;
  private ended = false;
  private isSettled = false;

  constructor(
    private readonly events: StreamEvents,
    private maxSplats: number,
    private readonly request: typeof fetch = (input, init) => fetch(input, init),
  ) {}

  get bytesReceived(): number {
    return this.received;
  }

  start(): void {
    this.begin().catch((error: unknown) => this.finish(error));
  }

  setPose(pose: ViewPose): void {
    this.pose = pose;
  }

  release(chunk: number): void {
    this.busy.delete(chunk);
    this.pump();
  }

  refuse(chunk: number): void {
    if (!this.refused.has(chunk)) {
      this.refused.add(chunk);
      this.forget(chunk);
    }
    this.release(chunk);
  }

  drop(chunks: readonly number[]): void {
    for (const chunk of chunks) this.forget(chunk);
    this.isSettled = false;
    this.pump();
  }

  setBudget(maxSplats: number): void {
    this.maxSplats = maxSplats;
    this.isSettled = false;
    this.pump();
  }

  tell(): void {
    // Files tell nobody.
  }

  dispose(): void {
    this.ended = true;
  }

  private async begin(): Promise<void> {
    const [about, table] = await Promise.all([this.get("scene.json"), this.get("tree.bin")]);
    const { opened, scene } = (await about.json()) as StaticScene;
    const tree = decodeServerMessage(await table.arrayBuffer());
    if (tree?.type !== "tree") throw new Failure("protocol", "tree.bin is no chunk table");
    if (this.ended) return;
    const { position, yaw_deg } = opened.spawn;
    const yaw = (yaw_deg * Math.PI) / 180;
    this.pose ??= {
      position: [position[0], position[1] + opened.eye_height_m, position[2]],
      forward: [-Math.sin(yaw), 0, -Math.cos(yaw)],
      fovDeg: 90,
    };
    this.tree = tree;
    let offset = 0;
    this.offsets = Array.from(tree.byteLength, (length) => (offset += length) - length);
    this.events.opened(opened);
    this.events.connected();
    this.events.scene(scene);
    this.events.tree(tree);
    this.pump();
  }

  /** Ask for as many chunks as may be on the way; the first alone, which shows whether the host knows Range. */
  private pump(): void {
    const { tree } = this;
    if (!tree || this.ended) return;
    while (this.busy.size < (this.hasProbed ? MOST_AT_ONCE : 1)) {
      const chunk = this.next(tree);
      if (chunk === undefined) break;
      this.asked.add(chunk);
      this.busy.add(chunk);
      this.alive += growth(tree, chunk);
      this.bring(tree, chunk).catch((error: unknown) => this.finish(error));
    }
    if (this.busy.size > 0 || this.isSettled) return;
    this.isSettled = true;
    this.events.settled(tree.count - this.asked.size);
  }

  /** The chunk that is wanted most and may come: its parent is there, and there is room for it. */
  private next(tree: TreeMessage): number | undefined {
    let best: number | undefined;
    let bestScore = -1;
    for (let chunk = 0; chunk < tree.count; chunk++) {
      const parent = tree.parent[chunk] ?? -1;
      if (this.asked.has(chunk) || (parent >= 0 && !this.asked.has(parent))) continue;
      const score = this.score(tree, chunk, parent);
      const isRoot = score === Number.POSITIVE_INFINITY;
      if (score <= bestScore || (!isRoot && this.alive + growth(tree, chunk) > this.maxSplats)) continue;
      best = chunk;
      bestScore = score;
    }
    return best;
  }

  private score(tree: TreeMessage, chunk: number, parent: number): number {
    const kind = tree.kind[chunk];
    if (kind === ChunkKind.collider) return Number.MAX_VALUE;
    if (kind === ChunkKind.sound) return 0;
    if (parent < 0) return Number.POSITIVE_INFINITY;
    const share = ((tree.rangeStop[chunk] ?? 0) - (tree.rangeStart[chunk] ?? 0)) / Math.max(1, tree.splatCount[parent] ?? 1);
    const gain = (share * (tree.error[parent] ?? 0) * (kind === ChunkKind.splats ? 1 : SH_WEIGHT)) / Math.max(1, tree.byteLength[chunk] ?? 1);
    const radius = tree.radius[chunk] ?? 0;
    let distance2 = (radius * radius) / 3 + NEAREST_M2;
    let along = 0;
    for (let axis = 0; axis < 3; axis++) {
      const away = (tree.center[3 * chunk + axis] ?? 0) - (this.pose?.position[axis] ?? 0);
      distance2 += away * away;
      along += away * (this.pose?.forward[axis] ?? 0);
    }
    return (gain / distance2) * (along > -radius ? 1 : OUT_OF_VIEW_WEIGHT);
  }

  private async bring(tree: TreeMessage, chunk: number): Promise<void> {
    const glb = new Uint8Array(await this.bytes(this.offsets[chunk] ?? 0, tree.byteLength[chunk] ?? 0));
    if (this.ended) return;
    this.hasProbed = true;
    this.received += glb.byteLength;
    const [kind, level] = [tree.kind[chunk] ?? 0, tree.level[chunk] ?? 0];
    this.events.chunk({ type: "chunk", kind, level, chunk, epoch: 0, seq: this.seq++, glb });
    this.pump();
  }

  private async bytes(offset: number, length: number): Promise<ArrayBuffer> {
    if (this.whole) return (await this.whole).slice(offset, offset + length);
    const response = await this.get("pack.bin", { range: `bytes=${offset}-${offset + length - 1}` });
    if (response.status !== 206) {
      this.whole = response.arrayBuffer();
      return (await this.whole).slice(offset, offset + length);
    }
    const part = await response.arrayBuffer();
    if (part.byteLength !== length) throw new Failure("protocol", `the host sent ${part.byteLength} bytes of ${length}`);
    return part;
  }

  private async get(name: string, headers: Record<string, string> = {}): Promise<Response> {
    for (let tries = 1; ; tries++) {
      let trouble: string;
      try {
        const response = await this.request(name, { headers });
        if (response.ok) return response;
        if (response.status === 404) throw new Failure("scene_gone", name);
        trouble = `status ${response.status}`;
      } catch (error) {
        if (error instanceof Failure) throw error;
        trouble = String(error);
      }
      if (tries >= MOST_TRIES || this.ended) throw new Failure("unreachable", trouble);
      await new Promise((resolve) => setTimeout(resolve, FIRST_RETRY_MS * 2 ** tries));
    }
  }

  private forget(chunk: number): void {
    if (!this.tree || !this.asked.delete(chunk)) return;
    this.alive -= growth(this.tree, chunk);
  }

  private finish(error: unknown): void {
    if (this.ended) return;
    this.dispose();
    this.events.failed(error instanceof Failure ? error : new Failure("page_broken", String(error)));
  }
}

/** Splats that showing a chunk adds to what is alive. */
function growth(tree: TreeMessage, chunk: number): number {
  if (tree.kind[chunk] !== ChunkKind.splats) return 0;
  return (tree.splatCount[chunk] ?? 0) - ((tree.rangeStop[chunk] ?? 0) - (tree.rangeStart[chunk] ?? 0));
}

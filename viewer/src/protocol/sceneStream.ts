/**
 * One visit to a scene: opens the link, holds the socket, comes back after a loss with what it has.
 *
 * Chunks are handed on as they come; the owner calls `release` when one has been taken in, which is what
 * gives the server its credit back, so a busy renderer slows the server down by itself.
 */

import { sharedChunkCache, type ChunkCache } from "./chunkCache";
import { CreditWindow, FIRST_WINDOW_BYTES, HOLD_MS } from "./creditWindow";
import {
  CHUNK_HEADER_BYTES,
  CloseCode,
  HASH_PREFIX_BYTES,
  MAX_CLIENT_MESSAGE_BYTES,
  PROTOCOL_VERSION,
  ProtocolError,
  SUBPROTOCOL,
  TREE_HASH_BYTES,
  decodeServerMessage,
  encodeClientMessage,
  type ChunkMessage,
  type ClientMessage,
  type PeerJoinMessage,
  type PeerLeaveMessage,
  type PeerNamesMessage,
  type PeerPoseMessage,
  type PeerSayMessage,
  type PeersMessage,
  type SayMessage,
  type SceneJson,
  type TreeMessage,
} from "./generated";
import { KeptChunks } from "./keptChunks";
import { ReadyState, RequestSocket, type MessageSocket } from "./requestSocket";
import { Failure, type Link, type OpenedLink, type SceneSummary } from "./link";

export interface ViewPose {
  readonly position: readonly [number, number, number];
  readonly forward: readonly [number, number, number];
  readonly fovDeg: number;
}

/** What the others do, and what this visitor tells them. */
export type PeopleMessage = PeersMessage | PeerLeaveMessage | PeerNamesMessage | PeerSayMessage;
export type OwnMessage = PeerPoseMessage | PeerJoinMessage | SayMessage;

export interface StreamEvents {
  opened(scene: SceneSummary): void;
  /** The scene has a newer version, which comes from here on; what was shown stays until that can be shown. */
  renewed(scene: SceneSummary): void;
  scene(scene: SceneJson): void;
  tree(tree: TreeMessage): void;
  chunk(chunk: ChunkMessage): void;
  /** Nothing more to come for this pose and budget. */
  settled(leftOut: number): void;
  /** Of others in the scene. */
  people(message: PeopleMessage): void;
  reconnecting(waitMs: number): void;
  connected(): void;
  failed(failure: Failure): void;
}

export interface StreamOptions {
  readonly maxSplats: number;
  /** Above 0 the server sends view-dependent colour too, in chunks of its own. */
  readonly maxShDegree: number;
  readonly host: { readonly protocol: string; readonly host: string };
  readonly openLink: (link: Link) => Promise<OpenedLink>;
  readonly connect?: (url: string, subprotocol: string) => MessageSocket;
  /** Chunks of earlier visits; null keeps and reads none. */
  readonly cache?: ChunkCache | null;
  readonly connectByRequests?: (query: string) => MessageSocket;
}

const POSE_INTERVAL_MS = 100;
const PING_INTERVAL_MS = 500;
/** After so many pings without a word (20 s: a chunk may take that long at 25 kbit/s) the socket is dead, as after a
 * sleep, whatever it says. Counted, since the clock goes on in a sleep and pings do not: a socket that lived
 * through it has its chance to answer. */
const MOST_SILENT_PINGS = 40;
const LOST = 1006;
/** A proxy that swallows the upgrade answers nothing at all. */
const SOCKET_DEADLINE_MS = 5_000;
const FIRST_RETRY_MS = 500;
const LONGEST_RETRY_MS = 15_000;
/** Passing trouble is borne for this many tries in a row before the page says so and stops. */
const MAX_RETRIES = 8;
/** Hashes that fit one HELLO. */
const MAX_HAVE = Math.floor((MAX_CLIENT_MESSAGE_BYTES - 16) / HASH_PREFIX_BYTES);

/** Where the chunks of a visit come from. */
export interface ChunkStream {
  /** Bytes of chunks received in this visit. */
  readonly bytesReceived: number;
  start(): void;
  /** The view from now on. */
  setPose(pose: ViewPose): void;
  /** A chunk was taken in. */
  release(chunk: number): void;
  /** A chunk cannot be drawn: ask for it once more. */
  refuse(chunk: number, reason: number): void;
  /** Chunks were dropped for want of room; they may come again when they are in view. */
  drop(chunks: readonly number[]): void;
  /** Hold no more splats than this; those held beyond it are to be dropped. */
  setBudget(maxSplats: number): void;
  /** Tell the others in the scene; not where there is no way to, and nothing is kept for later. */
  tell(message: OwnMessage): void;
  /** Close for good. Safe to call twice. */
  dispose(): void;
}

export class SceneStream implements ChunkStream {
  private readonly window = new CreditWindow();
  private maxSplats: number;
  private readonly held = new Set<number>();
  /** Bytes of chunks that this connection brought and that still wait to be taken in. */
  private readonly owed = new Map<number, number>();
  private kept: KeptChunks;
  private socket: MessageSocket | undefined;
  /** The last socket never opened though the link did: something between here and there blocks sockets. */
  private areSocketsBlocked = false;
  private deadline: ReturnType<typeof setTimeout> | undefined;
  private version: string | undefined;
  private tree: TreeMessage | undefined;
  private pose: ViewPose | undefined;
  private sentPose: ViewPose | undefined;
  private poseTimer: ReturnType<typeof setInterval> | undefined;
  private pingTimer: ReturnType<typeof setInterval> | undefined;
  private holdTimer: ReturnType<typeof setTimeout> | undefined;
  private retryTimer: ReturnType<typeof setTimeout> | undefined;
  private silentPings = 0;
  private retries = 0;
  private retryAfterMs = 0;
  /** The server has something newer at once: no connection was lost. */
  private isSentBack = false;
  private epoch = 0;
  private ended = false;
  private received = 0;

  constructor(
    private readonly link: Link,
    private readonly events: StreamEvents,
    private readonly options: StreamOptions,
  ) {
    this.kept = this.newKept();
    this.maxSplats = options.maxSplats;
  }

  /** Bytes of chunks received in this visit, over all connections. */
  get bytesReceived(): number {
    return this.received;
  }

  start(): void {
    this.connect().catch((error: unknown) => this.fall(error));
  }

  /** The view from now on; sent at most ten times a second, and only when it changed. */
  setPose(pose: ViewPose): void {
    this.pose = pose;
  }

  /** A chunk was taken in: give the server its bytes back. */
  release(chunk: number): void {
    this.held.add(chunk);
    this.credit(chunk);
  }

  /** A chunk cannot be drawn: ask for it once more. */
  refuse(chunk: number, reason: number): void {
    this.kept.forget([chunk]);
    this.send({ type: "nack", chunk, reason });
    this.credit(chunk);
  }

  /** Chunks were dropped for want of room; the server may send them again when they come into view. */
  drop(chunks: readonly number[]): void {
    for (const chunk of chunks) this.held.delete(chunk);
    this.kept.forget(chunks);
    this.send({ type: "evicted", chunks: Uint32Array.from(chunks) });
  }

  setBudget(maxSplats: number): void {
    this.maxSplats = maxSplats;
    this.send({ type: "budget", maxSplats });
  }

  tell(message: OwnMessage): void {
    // Twenty requests a second are too many, and their answers come too late.
    if (!this.areSocketsBlocked) this.send(message);
  }

  /** Close for good. Safe to call twice. */
  dispose(): void {
    this.ended = true;
    clearTimeout(this.retryTimer);
    clearTimeout(this.deadline);
    this.stopTimers();
    this.socket?.close(1000);
    this.socket = undefined;
  }

  private async connect(): Promise<void> {
    const opened = await this.options.openLink(this.link);
    if (this.ended) return;
    const isReturning = this.version === opened.scene.version;
    if (this.version !== undefined && !isReturning) this.forgetVersion();
    const isRenewed = this.version !== undefined && !isReturning;
    this.version = opened.scene.version;
    if (isRenewed) {
      this.events.renewed(opened.scene);
      await this.recall();
      if (this.ended) return;
    } else if (!isReturning) {
      const { position, yaw_deg } = opened.scene.spawn;
      const yaw = (yaw_deg * Math.PI) / 180;
      const [x, y, z] = position;
      this.pose ??= {
        position: [x, y + opened.scene.eye_height_m, z],
        forward: [-Math.sin(yaw), 0, -Math.cos(yaw)],
        fovDeg: 90,
      };
      this.events.opened(opened.scene);
      await this.recall();
      if (this.ended) return;
    }
    const hasChunks = isReturning || this.kept.count > 0;
    const byRequests = this.areSocketsBlocked;
    const query = this.query(opened.ticket, hasChunks);
    const socket = byRequests ? this.openRequests(query) : this.openSocket(query);
    if (socket === undefined) return this.sidestep();
    this.socket = socket;
    socket.binaryType = "arraybuffer";
    const began = performance.now();
    let hasOpened = false;
    this.deadline = setTimeout(() => socket.close(), SOCKET_DEADLINE_MS);
    socket.addEventListener("open", () => {
      clearTimeout(this.deadline);
      hasOpened = true;
      // SYN, perhaps TLS, upgrade: nothing of the stream has queued in front of them, as it has before a PONG.
      const trips = this.options.host.protocol === "https:" ? 3 : 2;
      this.window.measureRoundTrip((performance.now() - began) / trips);
      this.begin(hasChunks);
    });
    socket.addEventListener("message", (event: MessageEvent<unknown>) => {
      if (this.socket === socket) this.receive(event.data); // not of one that was given up
    });
    socket.addEventListener("close", (event) => {
      clearTimeout(this.deadline);
      if (this.socket !== socket) return;
      if (hasOpened || this.ended || event.code >= 4000) return this.closed(event.code);
      // The link opened and the socket did not. If requests fail as well, sockets are tried again.
      this.areSocketsBlocked = !byRequests;
      if (byRequests) return this.closed(event.code);
      this.socket = undefined;
      this.sidestep();
    });
  }

  private newKept(): KeptChunks {
    const { cache } = this.options;
    return new KeptChunks(cache === undefined ? sharedChunkCache() : (cache ?? undefined));
  }

  private forgetVersion(): void {
    this.held.clear();
    this.tree = undefined;
    this.kept = this.newKept();
  }

  /** Look up what an earlier visit left here, and begin to show it. */
  private async recall(): Promise<void> {
    const { kept } = this;
    // Another budget or degree of colour holds other chunks of the same version.
    await kept.recall(`${this.version}/${this.options.maxSplats}/${this.options.maxShDegree}`, MAX_HAVE);
    void kept.replay(
      (chunk) => !this.ended && kept === this.kept && !this.held.has(chunk), // else it came by the line after all
      (chunk) => this.events.chunk(chunk),
      (chunk) => this.drop([chunk]),
    );
  }

  private openSocket(query: string): MessageSocket | undefined {
    const { protocol, host } = this.options.host;
    const url = `${protocol === "https:" ? "wss" : "ws"}://${host}/ws?${query}`;
    try {
      return this.options.connect?.(url, SUBPROTOCOL) ?? new WebSocket(url, SUBPROTOCOL);
    } catch {
      return undefined; // by a policy, or there is no such thing here
    }
  }

  private openRequests(query: string): MessageSocket {
    return this.options.connectByRequests?.(query) ?? new RequestSocket(query);
  }

  /** Go on by requests, with a ticket of their own. */
  private sidestep(): void {
    this.areSocketsBlocked = true;
    this.start();
  }

  /** A first visit puts everything into the upgrade, so that the root chunk comes with the first reply. */
  private query(ticket: string, isReturning: boolean): string {
    const query = new URLSearchParams({ ticket, v: String(PROTOCOL_VERSION) });
    if (this.pose) {
      query.set("pose", [...this.pose.position, ...this.pose.forward].map((value) => value.toFixed(3)).join(","));
      query.set("fov", this.pose.fovDeg.toFixed(1));
    }
    query.set("budget", String(this.maxSplats));
    query.set("sh", String(this.options.maxShDegree));
    if (!isReturning) query.set("credit", String(FIRST_WINDOW_BYTES));
    return query.toString();
  }

  private begin(isReturning: boolean): void {
    if (isReturning) {
      this.send({
        type: "hello",
        version: PROTOCOL_VERSION,
        maxSplats: this.maxSplats,
        credit: this.window.bytes,
        have: this.hashes(),
      });
    }
    this.sentPose = undefined;
    this.poseTimer = setInterval(() => this.sendPose(), POSE_INTERVAL_MS);
    this.silentPings = 0;
    this.pingTimer = setInterval(() => this.ping(), PING_INTERVAL_MS);
    this.ping();
    this.events.connected();
  }

  private ping(): void {
    const { socket } = this;
    if (socket && ++this.silentPings > MOST_SILENT_PINGS) {
      // It may take minutes until a browser calls it closed.
      this.closed(LOST);
      socket.close();
      return;
    }
    this.send({ type: "ping", timeMs: performance.now() });
  }

  private hashes(): Uint8Array {
    const found = this.kept.prefixes();
    for (const chunk of this.tree ? this.held : []) {
      const from = chunk * TREE_HASH_BYTES;
      if (this.tree && !this.kept.has(chunk)) found.push(this.tree.hash.subarray(from, from + HASH_PREFIX_BYTES));
    }
    // A request may be as long as a message, headers and all.
    const most = this.areSocketsBlocked ? MAX_HAVE / 2 : MAX_HAVE;
    const have = new Uint8Array(Math.min(found.length, Math.floor(most)) * HASH_PREFIX_BYTES);
    found.slice(0, Math.floor(most)).forEach((prefix, row) => have.set(prefix, row * HASH_PREFIX_BYTES));
    return have;
  }

  private receive(data: unknown): void {
    this.silentPings = 0;
    if (!(data instanceof ArrayBuffer)) return;
    try {
      this.take(data);
    } catch (error) {
      this.finish(
        error instanceof Failure ? error : new Failure("protocol", error instanceof ProtocolError ? error.message : String(error)),
      );
    }
  }

  private take(data: ArrayBuffer): void {
    const message = decodeServerMessage(data);
    switch (message?.type) {
      case "chunk":
        this.retries = 0;
        this.received += data.byteLength;
        this.window.arrive(data.byteLength, performance.now());
        this.owed.set(message.chunk, CHUNK_HEADER_BYTES + message.glb.byteLength);
        // Without hashes to name them, a server sends again what is here already.
        if (this.held.has(message.chunk)) {
          this.credit(message.chunk);
          return;
        }
        this.kept.remember(message);
        this.events.chunk(message);
        return;
      case "scene":
        this.events.scene(JSON.parse(message.json) as SceneJson);
        return;
      case "tree":
        this.tree = message;
        this.events.tree(message);
        this.kept.setTree(message);
        return;
      case "batchDone":
        this.retries = 0;
        this.events.settled(message.leftOut);
        return;
      case "peers":
      case "peerLeave":
      case "peerNames":
      case "peerSay":
        this.events.people(message);
        return;
      case "redirect":
        this.retryAfterMs = message.retryMs;
        this.isSentBack = message.retryMs === 0;
        return;
      case "error":
        if (message.code === CloseCode.linkRevoked) this.finish(new Failure("link_revoked", message.text));
        return;
      case "ping":
        this.send({ type: "pong", timeMs: message.timeMs });
        return;
      case "pong":
        this.window.measureRoundTrip(performance.now() - message.timeMs);
        return;
      case undefined:
        return; // a newer server's message
    }
  }

  /** A chunk of a lost connection owes nothing: the next one begins with a whole window. */
  private credit(chunk: number): void {
    const owed = this.owed.get(chunk);
    if (owed === undefined) return;
    this.owed.delete(chunk);
    const bytes = this.window.release(owed);
    if (bytes > 0) this.send({ type: "credit", bytes });
    else this.holdTimer ??= setTimeout(() => this.giveHeld(), HOLD_MS);
  }

  private giveHeld(): void {
    this.holdTimer = undefined;
    const bytes = this.window.flush();
    if (bytes > 0) this.send({ type: "credit", bytes });
  }

  private sendPose(): void {
    const pose = this.pose;
    if (!pose || (this.sentPose && isSamePose(pose, this.sentPose))) return;
    this.sentPose = pose;
    this.send({ type: "pose", epoch: ++this.epoch, ...pose });
  }

  private send(message: ClientMessage): void {
    if (this.socket?.readyState === ReadyState.open) this.socket.send(encodeClientMessage(message));
  }

  private closed(code: number): void {
    this.stopTimers();
    this.owed.clear();
    this.window.restart();
    this.socket = undefined;
    if (this.ended) return;
    if (this.isSentBack) {
      this.isSentBack = false;
      return this.start();
    }
    switch (code) {
      case CloseCode.linkRevoked:
        return this.finish(new Failure("link_revoked"));
      case CloseCode.notFound:
        return this.finish(new Failure("scene_gone"));
      case CloseCode.badMessage:
        return this.finish(new Failure("protocol", "the server did not understand this page"));
      case CloseCode.tooMany:
        return this.retry(new Failure("too_many_requests"));
      default:
        return this.retry(new Failure("unreachable", `the connection closed with ${code}`));
    }
  }

  private fall(error: unknown): void {
    if (this.ended) return;
    const failure = error instanceof Failure ? error : new Failure("page_broken", String(error));
    // A first visit that cannot even open says so at once; a lost one tries to come back by itself.
    if (failure.isPassing && this.version !== undefined) this.retry(failure);
    else this.finish(failure);
  }

  private retry(failure: Failure): void {
    if (this.retries >= MAX_RETRIES) return this.finish(failure);
    const backoff = Math.min(LONGEST_RETRY_MS, FIRST_RETRY_MS * 2 ** this.retries++);
    const waitMs = Math.max(this.retryAfterMs, backoff * (0.75 + Math.random() / 2));
    this.retryAfterMs = 0;
    this.events.reconnecting(waitMs);
    this.retryTimer = setTimeout(() => this.start(), waitMs);
  }

  private finish(failure: Failure): void {
    if (this.ended) return;
    this.dispose();
    if (failure.code === "link_revoked" || failure.code === "scene_gone") this.kept.forgetAll();
    this.events.failed(failure);
  }

  private stopTimers(): void {
    clearTimeout(this.holdTimer);
    this.holdTimer = undefined;
    clearInterval(this.poseTimer);
    clearInterval(this.pingTimer);
  }
}

function isSamePose(a: ViewPose, b: ViewPose): boolean {
  const moved = a.position.some((value, axis) => Math.abs(value - (b.position[axis] ?? 0)) > 0.02);
  const turned = a.forward.some((value, axis) => Math.abs(value - (b.forward[axis] ?? 0)) > 0.01);
  return !moved && !turned && a.fovDeg === b.fovDeg;
}

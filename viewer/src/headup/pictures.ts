/** Pictures from the server: over a socket, or one request after another where sockets are blocked. */

import { CloseCode, SUBPROTOCOL, decodeServerMessage, encodeClientMessage, type ClientMessage } from "../protocol/generated";
import { Failure, openLink, proof, type Link, type SceneSummary } from "../protocol/link";
import { ReadyState } from "../protocol/requestSocket";
import type { Vec3 } from "./motion";

export interface Look {
  readonly epoch: number;
  readonly eye: Vec3;
  readonly forward: Vec3;
}

export interface PictureEvents {
  opened(scene: SceneSummary): void;
  /** Resolves when the picture is on the display: only then the next one is asked for. */
  picture(file: Blob, epoch: number, eye: Vec3): Promise<void>;
  waiting(seconds: number): void;
  making(): void;
  failed(failure: Failure): void;
}

/** The cone that holds a square picture of 52 degrees from side to side. */
export const FOV_DEG = 70;
export const SIDE_PX = 600;
const KINDS = ["image/jpeg", "image/webp"] as const;
const FIRST_WAIT_S = 1.5;
const MOST_TRIES = 6;
const IDLE_MS = 50;
const MAKING_MS = 2_000;
/** A page without a socket asks for the same picture this often, so that the server keeps its seat. */
const STAY_MS = 5_000;

export class Pictures {
  private socket: WebSocket | undefined;
  private scene: SceneSummary | undefined;
  private newest: Look | undefined;
  private tries = 0;
  private ended = false;
  private usesRequests = false;
  /** Where the last request found the eye. */
  private at: string | undefined;

  constructor(
    private readonly link: Link,
    private readonly wishes: string,
    private readonly events: PictureEvents,
  ) {}

  start(): void {
    void this.open();
  }

  /** Ask for the picture of a look; the newest counts. */
  show(look: Look): void {
    this.newest = look;
    this.say({ type: "pose", epoch: look.epoch, position: look.eye, forward: look.forward, fovDeg: FOV_DEG });
  }

  dispose(): void {
    this.ended = true;
    this.socket?.close(1000);
  }

  private async open(): Promise<void> {
    try {
      const { scene, ticket } = await openLink(this.link);
      if (this.ended) return;
      if (!scene || !ticket) {
        // Nothing of it is made yet.
        this.events.making();
        setTimeout(() => void this.open(), MAKING_MS);
        return;
      }
      this.scene = scene;
      this.events.opened(scene);
      if (this.usesRequests) void this.ask(scene);
      else this.connect(ticket);
    } catch (error) {
      this.fall(error instanceof Failure ? error : new Failure("page_broken", String(error)));
    }
  }

  private connect(ticket: string): void {
    const scheme = location.protocol === "https:" ? "wss" : "ws";
    const query = this.query();
    query.set("ticket", ticket);
    const address = `${scheme}://${location.host}/ws/pictures?${query}`;
    let socket: WebSocket;
    try {
      socket = new WebSocket(address, SUBPROTOCOL);
    } catch {
      return this.goOnByRequests();
    }
    this.socket = socket;
    let wasOpen = false;
    socket.binaryType = "arraybuffer";
    socket.addEventListener("open", () => {
      wasOpen = true;
      if (this.newest) this.show(this.newest);
    });
    socket.addEventListener("message", (event: MessageEvent<ArrayBuffer>) => void this.take(event.data));
    socket.addEventListener("close", ({ code }) => {
      if (this.ended || this.socket !== socket) return;
      this.socket = undefined;
      if (!wasOpen) this.goOnByRequests();
      else this.fall(closed(code));
    });
  }

  /** A proxy that refuses the upgrade has not used the ticket, and requests need none. */
  private goOnByRequests(): void {
    this.usesRequests = true;
    if (this.scene) void this.ask(this.scene);
  }

  private async take(data: ArrayBuffer): Promise<void> {
    const message = decodeServerMessage(data);
    if (message?.type !== "picture") return;
    this.tries = 0;
    const file = new Blob([message.picture as Uint8Array<ArrayBuffer>], { type: KINDS[message.kind] ?? KINDS[0] });
    await this.events.picture(file, message.epoch, message.position);
    this.say({ type: "credit", bytes: data.byteLength });
  }

  private query(): URLSearchParams {
    const query = new URLSearchParams(this.wishes);
    query.set("fov", String(FOV_DEG));
    const look = this.newest;
    if (look) query.set("pose", [...look.eye, ...look.forward].map((axis) => axis.toFixed(4)).join(","));
    return query;
  }

  private say(message: ClientMessage): void {
    if (this.socket?.readyState === ReadyState.open) this.socket.send(encodeClientMessage(message));
  }

  /** One picture after another: the next is asked for when the last is shown. */
  private async ask(scene: SceneSummary): Promise<void> {
    let shown = -1;
    let shownAt = 0;
    while (!this.ended) {
      const look = this.newest;
      const epoch = look?.epoch ?? 0;
      if (epoch === shown && performance.now() - shownAt < STAY_MS) {
        await new Promise((resolve) => setTimeout(resolve, IDLE_MS));
        continue;
      }
      const query = this.query();
      if (this.at !== undefined) query.set("at", this.at);
      try {
        const response = await fetch(`/api/scenes/${encodeURIComponent(scene.id)}/picture?${query}`, { headers: proof(this.link.id) });
        if (!response.ok) throw refused(response.status);
        this.at = response.headers.get("x-position") ?? undefined;
        const [x = 0, y = 0, z = 0] = (this.at ?? "").split(",").map(Number);
        await this.events.picture(await response.blob(), epoch, [x, y, z]);
        [shown, shownAt, this.tries] = [epoch, performance.now(), 0];
      } catch (error) {
        return this.fall(error instanceof Failure ? error : new Failure("unreachable", String(error)));
      }
    }
  }

  private fall(failure: Failure): void {
    if (this.ended) return;
    if (!failure.isPassing || this.scene === undefined || ++this.tries >= MOST_TRIES) {
      this.ended = true;
      this.events.failed(failure);
      return;
    }
    const wait = FIRST_WAIT_S * this.tries;
    this.events.waiting(wait);
    setTimeout(() => void this.open(), wait * 1000);
  }
}

function closed(code: number): Failure {
  switch (code) {
    case CloseCode.linkRevoked:
      return new Failure("link_revoked");
    case CloseCode.notFound:
      return new Failure("scene_gone");
    case CloseCode.badMessage:
      return new Failure("protocol", "the server did not understand this page");
    case CloseCode.tooMany:
      return new Failure("too_many_requests");
    default:
      return new Failure("unreachable", `the connection closed with ${code}`);
  }
}

function refused(status: number): Failure {
  if (status === 401) return new Failure("link_revoked"); // the bearer of a link that no longer opens
  if (status === 404) return new Failure("scene_gone");
  if (status === 429) return new Failure("too_many_requests");
  return new Failure(status >= 500 ? "server_busy" : "protocol", `status ${status}`);
}

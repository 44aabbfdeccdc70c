/**
 * A stream where WebSockets are blocked: messages in the bodies of ordinary requests, behind a WebSocket's face.
 *
 * Any request brings this side's messages, and its answer the server's, for as long as those have credit. The
 * next one may be asked before an answer has ended; answers are read in the order of their requests.
 */

/** What `SceneStream` uses of a WebSocket. */
export interface MessageSocket {
  readonly readyState: number;
  binaryType: BinaryType;
  send(message: Uint8Array<ArrayBuffer>): void;
  close(code?: number): void;
  addEventListener<Type extends "open" | "message" | "close">(
    type: Type,
    listener: (event: WebSocketEventMap[Type]) => void,
  ): void;
}

/** As WebSocket has them; where sockets are blocked, the class may be missing too. */
export const ReadyState = { connecting: 0, open: 1, closed: 3 } as const;

/** Close codes by the status with which the server refuses to open a stream. */
const CLOSE_BY_STATUS: Readonly<Record<number, number>> = { 401: 4401, 404: 4404, 410: 4403, 422: 4400, 429: 4429, 503: 1001 };
const LOST = 1006;
const LENGTH_BYTES = 4;

export class RequestSocket implements MessageSocket {
  private readonly events = new EventTarget();
  binaryType: BinaryType = "arraybuffer";
  private state: number = ReadyState.connecting;
  private readonly ending = new AbortController();
  private path = "/api/stream";
  private waiting: Uint8Array[] = [];
  private isAsking = false;
  private unread = 0;
  /** The answers so far, one after another. */
  private reading = Promise.resolve();

  /** `query` is that of the socket's address; `request` is `fetch`. */
  constructor(
    query: string,
    private readonly request: typeof fetch = (input, init) => fetch(input, init),
  ) {
    void this.ask(`${this.path}?${query}`);
  }

  addEventListener<Type extends "open" | "message" | "close">(
    type: Type,
    listener: (event: WebSocketEventMap[Type]) => void,
  ): void {
    this.events.addEventListener(type, listener as EventListener);
  }

  get readyState(): number {
    return this.state;
  }

  send(message: Uint8Array<ArrayBuffer>): void {
    const frame = new Uint8Array(LENGTH_BYTES + message.byteLength);
    new DataView(frame.buffer).setUint32(0, message.byteLength, true);
    frame.set(message, LENGTH_BYTES);
    this.waiting.push(frame);
    // Messages of one turn of the page go in one request.
    queueMicrotask(() => this.goOn());
  }

  close(code = 1000): void {
    if (this.state === ReadyState.closed) return;
    this.state = ReadyState.closed;
    this.ending.abort();
    this.events.dispatchEvent(Object.assign(new Event("close"), { code }));
  }

  private goOn(): void {
    const hasReason = this.waiting.length > 0 || this.unread === 0;
    if (this.state === ReadyState.open && !this.isAsking && hasReason) void this.ask(this.path);
  }

  private async ask(path: string): Promise<void> {
    this.isAsking = true;
    const body = new Blob(this.waiting as BlobPart[]);
    this.waiting = [];
    try {
      const answer = await this.request(path, { method: "POST", body, signal: this.ending.signal });
      const isFirst = this.state === ReadyState.connecting;
      if (!answer.ok || !answer.body) {
        this.close(isFirst ? (CLOSE_BY_STATUS[answer.status] ?? LOST) : LOST);
        return;
      }
      this.unread++;
      const { body: frames } = answer;
      this.reading = this.reading.then(() => this.read(frames)).catch(() => this.close(LOST));
      if (isFirst) {
        this.path += `/${answer.headers.get("x-stream") ?? ""}`;
        this.state = ReadyState.open;
        this.events.dispatchEvent(new Event("open"));
      }
    } catch {
      this.close(LOST);
      return;
    } finally {
      this.isAsking = false;
    }
    if (this.waiting.length > 0) this.goOn();
  }

  private async read(body: ReadableStream<Uint8Array>): Promise<void> {
    const reader = body.getReader();
    let held = new Uint8Array(0);
    for (;;) {
      const { done, value } = await reader.read();
      if (done) break;
      const joined = new Uint8Array(held.byteLength + value.byteLength);
      joined.set(held);
      joined.set(value, held.byteLength);
      held = this.deliver(joined);
    }
    if (held.byteLength > 0) throw new Error("an answer must end with a whole frame");
    this.unread--;
    this.goOn();
  }

  /** Hand on the whole frames of `bytes`; return what is left. */
  private deliver(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const view = new DataView(bytes.buffer);
    let at = 0;
    while (at + LENGTH_BYTES <= bytes.byteLength) {
      const end = at + LENGTH_BYTES + view.getUint32(at, true);
      if (end > bytes.byteLength) break;
      const data = bytes.buffer.slice(at + LENGTH_BYTES, end);
      if (this.state === ReadyState.open) this.events.dispatchEvent(new MessageEvent("message", { data }));
      at = end;
    }
    return bytes.slice(at);
  }
}

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { ChunkCache, type ChunkStore, type Entry } from "../src/protocol/chunkCache";
import type { SceneSummary } from "../src/protocol/link";
import { SceneStream, type StreamEvents } from "../src/protocol/sceneStream";

class MemoryStore implements ChunkStore {
  readonly kept = new Map<string, [Entry, ArrayBuffer]>();
  isFull = false;

  async entries(): Promise<Entry[]> {
    return [...this.kept.values()].map(([entry]) => entry);
  }

  async read(key: string): Promise<ArrayBuffer | undefined> {
    return this.kept.get(key)?.[1];
  }

  async write(entry: Entry, bytes: ArrayBuffer): Promise<void> {
    if (this.isFull) throw new DOMException("no room", "QuotaExceededError");
    this.kept.set(entry.key, [entry, bytes]);
  }

  async remove(keys: readonly string[]): Promise<void> {
    for (const key of keys) this.kept.delete(key);
  }
}

const message = (chunk: number, length: number) => ({
  kind: 0,
  level: chunk === 0 ? 0 : 1,
  chunk,
  glb: new Uint8Array(length).fill(chunk + 1),
});
const HASH = Uint8Array.from({ length: 16 }, (_, at) => at);

describe("the cache of chunks", () => {
  it("brings back on the next visit what was kept, each scene its own, parents first", async () => {
    const store = new MemoryStore();
    const first = new ChunkCache(store);
    for (const chunk of [2, 0, 1]) await first.keep("a", message(chunk, 10 + chunk), HASH);
    await first.keep("b", message(0, 5), HASH);

    const next = new ChunkCache(store);
    const found = await next.of("a");
    expect(found.map(({ chunk, size }) => [chunk, size])).toEqual([[0, 10], [1, 11], [2, 12]]);
    expect(found[1] && new Uint8Array((await next.read(found[1])) ?? new ArrayBuffer(0))).toEqual(message(1, 11).glb);
  });

  it("stays within its bytes, the oldest going first, over visits too", async () => {
    const store = new MemoryStore();
    let clock = 0;
    const first = new ChunkCache(store, 100, () => ++clock);
    for (const chunk of [5, 3, 4]) await first.keep("a", message(chunk, 40), HASH);
    expect([...store.kept.keys()]).toEqual(["a/3", "a/4"]);

    await new ChunkCache(store, 100, () => ++clock).keep("a", message(9, 30), HASH);
    expect([...store.kept.keys()]).toEqual(["a/4", "a/9"]);
  });

  it("keeps no more when there is no room, says so once, and the visit goes on", async () => {
    const told = vi.spyOn(console, "info").mockReturnValue();
    const store = new MemoryStore();
    store.isFull = true;
    const cache = new ChunkCache(store);
    await cache.keep("a", message(0, 10), HASH);
    store.isFull = false;
    await cache.keep("a", message(1, 10), HASH);

    expect(told).toHaveBeenCalledTimes(1);
    expect(await cache.of("a")).toEqual([]);
  });

  it("is empty where storage is forbidden", async () => {
    const store = new MemoryStore();
    store.entries = () => Promise.reject(new DOMException("no", "SecurityError"));
    const cache = new ChunkCache(store);
    await cache.keep("a", message(0, 10), HASH);

    expect(await cache.of("a")).toEqual([]);
    expect(store.kept.size).toBe(0);
  });
});

class FakeSocket extends EventTarget {
  static last: FakeSocket | undefined;
  readyState = 0;
  binaryType: BinaryType = "arraybuffer";
  readonly sent: Uint8Array[] = [];

  constructor(readonly url: URL) {
    super();
    FakeSocket.last = this;
  }

  send(bytes: Uint8Array): void {
    this.sent.push(bytes.slice());
  }

  close(): void {
    this.readyState = 3;
  }

  accept(): void {
    this.readyState = 1;
    this.dispatchEvent(new Event("open"));
  }

  say(bytes: Uint8Array): void {
    this.dispatchEvent(new MessageEvent("message", { data: bytes.slice().buffer }));
  }

  typed(type: number): Uint8Array[] {
    return this.sent.filter((bytes) => bytes[0] === type);
  }
}

function chunkBytes(chunk: number, level: number, length: number): Uint8Array {
  const bytes = new Uint8Array(16 + length).fill(chunk + 1, 16);
  bytes.set([0x13, 0, level, chunk]);
  return bytes;
}

function treeBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(4 + 58 * count);
  bytes[0] = 0x12;
  for (let row = 0; row < count; row++) bytes.fill(row + 1, 4 + 42 * count + 16 * row, 4 + 42 * count + 16 * (row + 1));
  return bytes;
}

async function visit(cache: ChunkCache): Promise<{ stream: SceneStream; chunks: number[]; socket: FakeSocket }> {
  const chunks: number[] = [];
  const nothing = () => undefined;
  const events: StreamEvents = {
    opened: nothing, renewed: nothing, scene: nothing, tree: nothing, settled: nothing, people: nothing,
    connected: nothing, reconnecting: nothing,
    failed: nothing, chunk: ({ chunk }) => chunks.push(chunk),
  };
  const scene = { version: "v1", spawn: { position: [0, 0, 0], yaw_deg: 0 }, eye_height_m: 1 } as unknown as SceneSummary;
  const stream = new SceneStream({ id: "a", secret: "b" }, events, {
    maxSplats: 5,
    maxShDegree: 0,
    host: { protocol: "http:", host: "example.test" },
    openLink: async () => ({ scene, ticket: "t", bearer: "b" }),
    connect: (url) => new FakeSocket(new URL(url)) as unknown as WebSocket,
    cache,
  });
  stream.start();
  await vi.advanceTimersByTimeAsync(1);
  if (!FakeSocket.last) throw new Error("a socket must have been opened");
  return { stream, chunks, socket: FakeSocket.last };
}

describe("a second visit", () => {
  beforeEach(() => void vi.useFakeTimers());
  afterEach(() => vi.useRealTimers());

  async function afterFirst(): Promise<MemoryStore> {
    const store = new MemoryStore();
    const { stream, socket } = await visit(new ChunkCache(store));
    expect(socket.url.searchParams.has("credit")).toBe(true);
    socket.accept();
    socket.say(chunkBytes(0, 0, 50));
    socket.say(treeBytes(4));
    for (const chunk of [1, 2, 3]) socket.say(chunkBytes(chunk, 1, 50));
    for (const chunk of [0, 1, 2, 3]) stream.release(chunk);
    stream.drop([3]);
    await vi.advanceTimersByTimeAsync(1);
    stream.dispose();
    return store;
  }

  it("names what it kept before anything is sent, and shows roots at once, the rest with the table", async () => {
    const { socket, chunks, stream } = await visit(new ChunkCache(await afterFirst()));
    expect(socket.url.searchParams.has("credit")).toBe(false);
    expect(chunks).toEqual([0]);
    socket.accept();
    const hello = socket.typed(0x01)[0];
    expect([...(hello?.slice(10) ?? [])]).toEqual([1, 2, 3].flatMap((byte) => Array(8).fill(byte)));
    socket.say(treeBytes(4));
    await vi.advanceTimersByTimeAsync(1);

    expect(chunks).toEqual([0, 1, 2]); // 3 was dropped for want of room
    for (const chunk of [0, 1, 2]) stream.release(chunk);
    expect(socket.typed(0x03)).toEqual([]); // no credit for what did not come by the line
    expect(stream.bytesReceived).toBe(0);
  });

  it("asks again for what the browser threw away or cannot draw", async () => {
    const store = await afterFirst();
    store.read = async (key) => (key.endsWith("/1") ? undefined : store.kept.get(key)?.[1]);
    const { socket, stream, chunks } = await visit(new ChunkCache(store));
    socket.accept();
    socket.say(treeBytes(4));
    await vi.advanceTimersByTimeAsync(1);
    expect(chunks).toEqual([0, 2]);
    expect(socket.typed(0x05).map((bytes) => bytes[1])).toEqual([1]);

    stream.refuse(2, 1);
    await vi.advanceTimersByTimeAsync(1);
    expect(socket.typed(0x06)).toHaveLength(1);
    expect([...store.kept.keys()]).toEqual(["v1/5/0/0"]);
  });

  it("keeps nothing of a link that was withdrawn", async () => {
    const store = await afterFirst();
    const { socket } = await visit(new ChunkCache(store));
    socket.accept();
    socket.say(Uint8Array.of(0x16, 4403 & 0xff, 4403 >> 8));
    await vi.advanceTimersByTimeAsync(1);

    expect(store.kept.size).toBe(0);
  });
});

import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { CreditWindow, FIRST_WINDOW_BYTES } from "../src/protocol/creditWindow";
import { DeferredEvents } from "../src/protocol/deferredEvents";
import type { ChunkMessage } from "../src/protocol/generated";
import { Failure, openLink, parseLink, type OpenedLink, type SceneSummary } from "../src/protocol/link";
import { SceneStream, type StreamEvents } from "../src/protocol/sceneStream";

const SCENE: SceneSummary = {
  id: "s",
  version: "v1",
  title: "A place",
  splat_count: 10,
  byte_length: 100,
  is_generated: true,
  quality: null,
  walkability: null,
  spawn: { position: [1, 2, 3], yaw_deg: 90 },
  eye_height_m: 1.5,
  bounds_min: [-1, -1, -1],
  bounds_max: [1, 1, 1],
  portals: {},
  scope: "view",
  notes: "",
  visibility: "public",
  remix_of: null,
  is_growing: false,
  background: [0, 0, 0],
};

// Node 20 has no WebSocket; the page needs only its constants here.
vi.stubGlobal("WebSocket", { CONNECTING: 0, OPEN: 1, CLOSED: 3 });

class FakeSocket extends EventTarget {
  static readonly all: FakeSocket[] = [];
  readyState: number = WebSocket.CONNECTING;
  binaryType = "blob";
  readonly sent: DataView[] = [];

  constructor(
    readonly url: URL,
    readonly subprotocol: string,
  ) {
    super();
    FakeSocket.all.push(this);
  }

  send(bytes: Uint8Array): void {
    this.sent.push(new DataView(bytes.slice().buffer));
  }

  close(code = 1000): void {
    this.drop(code);
  }

  accept(): void {
    this.readyState = WebSocket.OPEN;
    this.dispatchEvent(new Event("open"));
  }

  say(bytes: Uint8Array): void {
    this.dispatchEvent(new MessageEvent("message", { data: bytes.slice().buffer }));
  }

  drop(code: number): void {
    if (this.readyState === WebSocket.CLOSED) return;
    this.readyState = WebSocket.CLOSED;
    this.dispatchEvent(Object.assign(new Event("close"), { code }));
  }

  typed(type: number): DataView[] {
    return this.sent.filter((view) => view.getUint8(0) === type);
  }
}

/** Messages of the server, laid out by hand from streaming/messages.py. */
function chunkBytes(index: number, length: number): Uint8Array {
  const bytes = new Uint8Array(16 + length);
  const view = new DataView(bytes.buffer);
  bytes[0] = 0x13;
  view.setUint32(3, index, true);
  return bytes;
}

function redirectBytes(retryMs: number): Uint8Array {
  const view = new DataView(new ArrayBuffer(5));
  view.setUint8(0, 0x15);
  view.setUint32(1, retryMs, true);
  return new Uint8Array(view.buffer);
}

function treeBytes(count: number): Uint8Array {
  const bytes = new Uint8Array(4 + 58 * count);
  bytes[0] = 0x12;
  for (let row = 0; row < count; row++) bytes.fill(row + 1, 4 + 42 * count + 16 * row, 4 + 42 * count + 16 * (row + 1));
  return bytes;
}

function errorBytes(code: number, words: string): Uint8Array {
  return Uint8Array.of(0x16, code & 0xff, code >> 8, ...new TextEncoder().encode(words));
}

const HELLO = 0x01;
const POSE = 0x02;
const CREDIT = 0x03;
const NACK = 0x06;

interface Visit {
  readonly stream: SceneStream;
  readonly chunks: ChunkMessage[];
  readonly failures: Failure[];
  readonly waits: number[];
  readonly renewals: string[];
  readonly opens: ReturnType<typeof vi.fn<() => Promise<OpenedLink>>>;
}

const plainly = (url: string, subprotocol: string): WebSocket =>
  new FakeSocket(new URL(url), subprotocol) as unknown as WebSocket;

async function visit(connect = plainly): Promise<Visit> {
  const chunks: ChunkMessage[] = [];
  const failures: Failure[] = [];
  const waits: number[] = [];
  const renewals: string[] = [];
  const opens = vi.fn(async () => ({ scene: SCENE, ticket: "t/1", bearer: "b/1" }));
  const events: StreamEvents = {
    opened: () => undefined,
    renewed: ({ version }) => renewals.push(version),
    scene: () => undefined,
    tree: () => undefined,
    chunk: (chunk) => chunks.push(chunk),
    settled: () => undefined,
    people: () => undefined,
    connected: () => undefined,
    reconnecting: (waitMs) => waits.push(waitMs),
    failed: (failure) => failures.push(failure),
  };
  const stream = new SceneStream({ id: "a", secret: "b" }, events, {
    maxSplats: 5_000,
    maxShDegree: 2,
    host: { protocol: "https:", host: "example.test:8443" },
    openLink: opens,
    connect,
    connectByRequests: (query) => new FakeSocket(new URL(`requests:?${query}`), "") as unknown as WebSocket,
  });
  stream.start();
  await vi.advanceTimersByTimeAsync(0);
  return { stream, chunks, failures, waits, renewals, opens };
}

const socket = (): FakeSocket => {
  const last = FakeSocket.all.at(-1);
  if (!last) throw new Error("a socket must have been opened");
  return last;
};

beforeEach(() => {
  vi.useFakeTimers();
  FakeSocket.all.length = 0;
});

afterEach(() => vi.useRealTimers());

describe("a stream", () => {
  it("asks for everything in the upgrade, so that the first chunk comes at once", async () => {
    await visit();
    const { url, subprotocol } = socket();

    expect(url.protocol).toBe("wss:");
    expect(url.pathname).toBe("/ws");
    expect(subprotocol).toBe("splat.v1");
    expect(Object.fromEntries(url.searchParams)).toEqual({
      ticket: "t/1",
      v: "1",
      pose: "1.000,3.500,3.000,-1.000,0.000,-0.000", // eyes above the spawn, turned left from -Z to -X
      fov: "90.0",
      budget: "5000",
      sh: "2",
      credit: String(FIRST_WINDOW_BYTES),
    });
  });

  it("gives credit back only for chunks that were taken in", async () => {
    const { stream, chunks } = await visit();
    socket().accept();
    socket().say(chunkBytes(0, 1_000));
    socket().say(chunkBytes(1, 500));

    expect(chunks.map(({ chunk }) => chunk)).toEqual([0, 1]);
    expect(socket().typed(CREDIT)).toHaveLength(0);
    stream.release(0);
    stream.release(0);
    stream.refuse(1, 2);
    expect(socket().typed(CREDIT)).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(50);

    expect(socket().typed(CREDIT).map((view) => view.getUint32(1, true))).toEqual([1_016 + 516]);
    expect(socket().typed(NACK).map((view) => [view.getUint32(1, true), view.getUint8(5)])).toEqual([[1, 2]]);
    expect(stream.bytesReceived).toBe(1_532);
  });

  it("holds credit for a moment only while it is little, and none for a connection that is gone", async () => {
    const { stream } = await visit();
    socket().accept();
    socket().say(chunkBytes(0, 40_000));
    socket().say(chunkBytes(1, 1_000));
    stream.release(0);
    expect(socket().typed(CREDIT).map((view) => view.getUint32(1, true))).toEqual([40_016]);
    stream.release(1);
    socket().drop(1006);
    await vi.advanceTimersByTimeAsync(2_000);
    socket().accept();
    await vi.advanceTimersByTimeAsync(2_000);

    expect(socket().typed(CREDIT)).toHaveLength(0);
  });

  it("takes a chunk again that was dropped for want of room", async () => {
    const { stream, chunks } = await visit();
    socket().accept();
    socket().say(chunkBytes(4, 10));
    stream.release(4);
    stream.drop([4, 258]);
    socket().say(chunkBytes(4, 10));

    expect(chunks.map(({ chunk }) => chunk)).toEqual([4, 4]);
    expect(socket().typed(0x05).map((view) => [view.getUint32(1, true), view.getUint32(5, true)])).toEqual([[4, 258]]);
  });

  it("keeps to a smaller budget, on the next connection too", async () => {
    const { stream } = await visit();
    socket().accept();
    stream.setBudget(700);
    expect(socket().typed(0x04).map((view) => view.getUint32(1, true))).toEqual([700]);
    socket().say(chunkBytes(0, 100));
    stream.release(0);

    socket().drop(1006);
    await vi.advanceTimersByTimeAsync(2_000);
    socket().accept();

    expect(socket().url.searchParams.get("budget")).toBe("700");
    expect(socket().typed(HELLO)[0]?.getUint32(2, true)).toBe(700);
  });

  it("sends poses at most ten times a second, and only new ones", async () => {
    const { stream } = await visit();
    socket().accept();
    for (let ms = 0; ms < 1_000; ms += 20) {
      stream.setPose({ position: [ms, 0, 0], forward: [0, 0, -1], fovDeg: 80 });
      await vi.advanceTimersByTimeAsync(20);
    }
    const moving = socket().typed(POSE).length;
    await vi.advanceTimersByTimeAsync(5_000);

    expect(moving).toBeGreaterThanOrEqual(9);
    expect(moving).toBeLessThanOrEqual(10);
    expect(socket().typed(POSE).length - moving).toBeLessThanOrEqual(1);
    const epochs = socket().typed(POSE).map((view) => view.getUint32(1, true));
    expect(epochs).toEqual([...epochs].sort((a, b) => a - b));
  });

  it("comes back by itself and names what it has", async () => {
    const { stream, chunks, waits, opens } = await visit();
    socket().accept();
    socket().say(treeBytes(4));
    for (const index of [0, 2, 3]) socket().say(chunkBytes(index, 100));
    stream.release(0);
    stream.release(2); // 3 was still being decoded
    socket().drop(1006);
    await vi.advanceTimersByTimeAsync(2_000);
    socket().accept();
    const [hello] = socket().typed(HELLO);
    stream.release(3);
    socket().say(chunkBytes(2, 100));
    await vi.advanceTimersByTimeAsync(50);

    expect(waits).toHaveLength(1);
    expect(opens).toHaveBeenCalledTimes(2);
    expect(socket().url.searchParams.has("credit")).toBe(false);
    expect(hello?.getUint32(2, true)).toBe(5_000);
    expect([...new Uint8Array(hello?.buffer ?? new ArrayBuffer(0)).slice(10)]).toEqual([...Array(8).fill(1), ...Array(8).fill(3)]);
    expect(socket().typed(CREDIT).map((view) => view.getUint32(1, true))).toEqual([116]); // only for the chunk sent twice
    expect(chunks.map(({ chunk }) => chunk)).toEqual([0, 2, 3]);
  });

  it("notices a socket that died without a word, keeps its picture and asks for nothing twice", async () => {
    const { stream, chunks, waits, failures } = await visit();
    const first = socket();
    first.accept();
    first.say(treeBytes(4));
    for (const index of [0, 1]) first.say(chunkBytes(index, 100));
    stream.release(0);
    stream.release(1);
    await vi.advanceTimersByTimeAsync(19_000);
    expect(waits).toHaveLength(0);
    first.say(Uint8Array.of(0x31, 0, 0, 0, 0, 0, 0, 0, 0)); // a PONG after nineteen seconds: it lives
    await vi.advanceTimersByTimeAsync(19_000);
    expect(waits).toHaveLength(0);
    await vi.advanceTimersByTimeAsync(4_000);
    expect(waits).toHaveLength(1);
    expect(socket()).not.toBe(first);
    socket().accept();
    first.say(chunkBytes(3, 100)); // what a dead socket still had is nothing to us
    const [hello] = socket().typed(HELLO);

    expect([...new Uint8Array(hello?.buffer ?? new ArrayBuffer(0)).slice(10)]).toEqual([...Array(8).fill(1), ...Array(8).fill(2)]);
    expect(chunks.map(({ chunk }) => chunk)).toEqual([0, 1]);
    expect(failures).toEqual([]);
  });

  it("waits longer each time and gives up after eight tries", async () => {
    const { waits, failures, opens } = await visit();
    opens.mockRejectedValue(new Failure("unreachable"));
    socket().drop(1006);
    await vi.advanceTimersByTimeAsync(200_000);

    expect(waits).toHaveLength(8);
    expect(waits[5]).toBeGreaterThan(4 * (waits[0] ?? 0));
    expect(failures.map(({ code }) => code)).toEqual(["unreachable"]);
  });

  it.each([
    [4403, "link_revoked"],
    [4404, "scene_gone"],
    [4400, "protocol"],
  ] as const)("ends with words when the socket closes with %d", async (code, failure) => {
    const { failures, waits } = await visit();
    socket().accept();
    socket().drop(code);
    await vi.advanceTimersByTimeAsync(60_000);

    expect(failures.map((each) => each.code)).toEqual([failure]);
    expect(waits).toEqual([]);
    expect(FakeSocket.all).toHaveLength(1);
  });

  it("believes an ERROR message before the close", async () => {
    const { failures } = await visit();
    socket().accept();
    socket().say(errorBytes(4403, "withdrawn"));

    expect(failures.map(({ code, detail }) => [code, detail])).toEqual([["link_revoked", "withdrawn"]]);
    expect(socket().readyState).toBe(WebSocket.CLOSED);
  });

  it("opens the link again when its ticket was too old, and tells a withdrawn one apart", async () => {
    const { opens, failures } = await visit();
    opens.mockRejectedValue(new Failure("link_revoked"));
    socket().drop(4401);
    await vi.advanceTimersByTimeAsync(5_000);

    expect(failures.map(({ code }) => code)).toEqual(["link_revoked"]);
  });

  it("does not mix two versions of a scene: of the newer one it has nothing", async () => {
    const { opens, failures, stream, renewals, chunks } = await visit();
    socket().accept();
    socket().say(chunkBytes(0, 1_000));
    stream.release(0);
    opens.mockResolvedValue({ scene: { ...SCENE, version: "v2" }, ticket: "t/2", bearer: "b" });
    socket().drop(1001);
    await vi.advanceTimersByTimeAsync(5_000);

    expect(failures).toEqual([]);
    expect(renewals).toEqual(["v2"]);
    expect(socket().url.searchParams.get("ticket")).toBe("t/2");
    expect(socket().url.searchParams.get("credit")).toBe(String(FIRST_WINDOW_BYTES)); // as at a first visit
    socket().accept();
    socket().say(chunkBytes(0, 700)); // a chunk of the same number is another one
    expect(chunks.map(({ glb }) => glb.byteLength)).toEqual([1_000, 700]);
  });

  it("comes back at once when it is sent for a newer version, and says nothing of a loss", async () => {
    const { opens, waits, renewals } = await visit();
    socket().accept();
    opens.mockResolvedValue({ scene: { ...SCENE, version: "v2" }, ticket: "t/2", bearer: "b" });
    socket().say(redirectBytes(0));
    socket().drop(1001);
    await vi.advanceTimersByTimeAsync(0);

    expect([renewals, waits]).toEqual([["v2"], []]);
  });

  it("survives messages of types it does not know, and ends on broken ones", async () => {
    const { failures } = await visit();
    socket().accept();
    socket().say(Uint8Array.of(0x7f, 1, 2, 3));
    expect(failures).toEqual([]);
    socket().say(Uint8Array.of(0x13, 0, 0));

    expect(failures.map(({ code }) => code)).toEqual(["protocol"]);
  });
});

describe("a stream where sockets are blocked", () => {
  const PATH = "requests:";

  it("goes on by requests when a socket never opens, with a ticket of their own", async () => {
    const { opens, waits, chunks } = await visit();
    socket().drop(1006);
    await vi.advanceTimersByTimeAsync(0);

    expect(socket().url.protocol).toBe(PATH);
    expect(opens).toHaveBeenCalledTimes(2);
    expect(waits).toEqual([]); // at once, and without a word to the visitor
    socket().accept();
    socket().say(chunkBytes(0, 100));
    expect(chunks).toHaveLength(1);
  });

  it("does so when a proxy swallows the upgrade, and when there are no sockets at all", async () => {
    await visit();
    await vi.advanceTimersByTimeAsync(5_100);
    expect(socket().url.protocol).toBe(PATH);

    await visit(() => {
      throw new Error("blocked by policy");
    });
    expect(socket().url.protocol).toBe(PATH);
  });

  it("stays with sockets when one was lost that had opened", async () => {
    await visit();
    socket().accept();
    socket().drop(1006);
    await vi.advanceTimersByTimeAsync(1_000);

    expect(socket().url.protocol).toBe("wss:");
  });

  it("tries sockets again when requests fail too", async () => {
    const { waits } = await visit();
    socket().drop(1006);
    await vi.advanceTimersByTimeAsync(0);
    socket().drop(1006);
    expect(waits).toHaveLength(1);
    await vi.advanceTimersByTimeAsync(1_000);

    expect(socket().url.protocol).toBe("wss:");
  });
});

describe("the credit window", () => {
  it("settles at two round trips of what the line carries, and a little more", () => {
    const window = new CreditWindow();
    window.measureRoundTrip(40);
    let given = 0;
    let taken = 0;
    for (let ms = 0; ms < 3_000; ms += 10) {
      window.arrive(25_000, ms); // 2.5 MB/s
      taken += 25_000;
      given += window.release(25_000);
    }

    // 2.5 MB/s x (2 x 40 + 10 ms), and 16 KiB.
    expect(window.bytes).toBeGreaterThan(235_000);
    expect(window.bytes).toBeLessThan(255_000);
    expect(given - taken).toBe(window.bytes - FIRST_WINDOW_BYTES);
  });

  it("is not narrowed by one busy moment", () => {
    const window = new CreditWindow();
    window.measureRoundTrip(40);
    for (let ms = 0; ms < 2_000; ms += 10) window.arrive(25_000, ms);
    for (let times = 0; times < 10; times++) window.release(25_000);
    const before = window.bytes;
    for (let ms = 2_000; ms < 3_000; ms += 10) window.arrive(2_000, ms);
    window.release(25_000);

    expect(window.bytes).toBe(before);
  });

  it("stays as it is until something is known, and within its limits", () => {
    const window = new CreditWindow();
    expect(window.release(50_000)).toBe(50_000);
    window.measureRoundTrip(500);
    window.arrive(1, 0);
    window.arrive(50_000_000, 1_000);
    window.release(100);
    window.flush();

    expect(window.bytes).toBe(1024 * 1024);
  });

  it("never asks for a negative credit", () => {
    const window = new CreditWindow();
    window.measureRoundTrip(1);
    window.arrive(1_000, 0);
    window.arrive(1_000, 1_000);

    expect(window.release(1_000)).toBe(0);
    expect(window.flush()).toBe(0);
    expect(window.bytes).toBe(FIRST_WINDOW_BYTES - 1_000);
  });
});

describe("a link", () => {
  it("is its path and what follows the #", () => {
    expect(parseLink({ pathname: "/v/Ab-9_x", hash: "#s3cret" })).toEqual({ id: "Ab-9_x", secret: "s3cret" });
    expect(parseLink({ pathname: "/v/Ab-9_x/", hash: "" })).toEqual({ id: "Ab-9_x", secret: "" });
    expect(parseLink({ pathname: "/", hash: "#s" })).toBeUndefined();
    expect(parseLink({ pathname: "/v/a/b", hash: "#s" })).toBeUndefined();
    expect(parseLink({ pathname: `/v/${"x".repeat(65)}`, hash: "#s" })).toBeUndefined();
  });

  const answer = (status: number, body: unknown) => async () => new Response(JSON.stringify(body), { status });
  const failureOf = async (request: typeof fetch) => openLink({ id: "a", secret: "b" }, request).catch((error: unknown) => (error as Failure).code);

  it("is exchanged for a ticket without its secret in the address", async () => {
    const request = vi.fn<typeof fetch>(answer(200, { scene: SCENE, ticket: "t", bearer: "b" }));
    const opened = await openLink({ id: "a", secret: "b" }, request);

    expect(opened.ticket).toBe("t");
    expect(request.mock.calls[0]?.[0]).toBe("/api/links/a/open");
    expect(request.mock.calls[0]?.[1]?.body).toBe('{"secret":"b"}');
  });

  it.each([
    [410, { error: { code: "link_revoked" } }, "link_revoked"],
    [410, { error: { code: "link_expired" } }, "link_expired"],
    [404, { error: { code: "link_unknown" } }, "link_unknown"],
    [404, "not json of ours", "link_unknown"],
    [429, { error: { code: "too_many_requests" } }, "too_many_requests"],
    [503, { error: { code: "draining" } }, "server_busy"],
    [200, { scene: null }, "protocol"],
    [418, [], "protocol"],
  ])("fails in words on %d %j", async (status, body, code) => {
    expect(await failureOf(answer(status, body))).toBe(code);
  });

  it("fails in words when nothing answers", async () => {
    expect(await failureOf(async () => Promise.reject(new TypeError("network")))).toBe("unreachable");
  });
});

describe("deferred events", () => {
  it("come late but in order, except that the link opened", () => {
    const said: string[] = [];
    const log = (prefix: string): StreamEvents =>
      new Proxy({} as StreamEvents, { get: (_, name) => () => said.push(`${prefix} ${String(name)}`) });
    const events = new DeferredEvents(log("now"));

    events.opened(SCENE);
    events.settled(0);
    events.attach(log("later"));
    events.connected();

    expect(said).toEqual(["now opened", "later opened", "later settled", "later connected"]);
  });
});

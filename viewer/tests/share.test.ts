import { afterEach, describe, expect, it, vi } from "vitest";
import type { ChunkMessage } from "../src/protocol/generated";
import { Failure, openLink, type SceneSummary } from "../src/protocol/link";
import type { StreamEvents } from "../src/protocol/sceneStream";
import { StaticStream } from "../src/protocol/staticStream";
import { editScene, pairingCode, redeemCode, remixScene } from "../src/share/actions";

const SCENE: SceneSummary = {
  id: "s",
  version: "v1",
  title: "A place",
  splat_count: 10,
  byte_length: 100,
  is_generated: true,
  quality: null,
  walkability: null,
  spawn: { position: [0, 0, 0], yaw_deg: 0 },
  eye_height_m: 1.5,
  bounds_min: [-1, -1, -1],
  bounds_max: [1, 1, 1],
  portals: {},
  scope: "edit",
  notes: "",
  visibility: "public",
  remix_of: null,
  is_growing: false,
  background: [0, 0, 0],
};

const json = (status: number, body: unknown) => new Response(JSON.stringify(body), { status });
const codeOf = async (promise: Promise<unknown>) => promise.then(() => "ok", (error: unknown) => (error as Failure).code);

afterEach(() => vi.unstubAllGlobals());

describe("a link with terms", () => {
  it("is opened with its password once, and again with the bearer of that", async () => {
    const sent: [string, Record<string, string>][] = [];
    const request = vi.fn<typeof fetch>(async (_path, init) => {
      sent.push([String(init?.body), init?.headers as Record<string, string>]);
      return json(200, { scene: SCENE, ticket: "t", bearer: `bearer${sent.length}` });
    });
    await openLink({ id: "pw", secret: "s", password: "höhle" }, request);
    await openLink({ id: "pw", secret: "s" }, request);
    await openLink({ id: "else", secret: "s" }, request);

    expect(sent.map(([body]) => JSON.parse(body) as unknown)).toEqual([{ secret: "s", password: "höhle" }, { secret: "s" }, { secret: "s" }]);
    expect(sent.map(([, headers]) => headers["authorization"])).toEqual([undefined, "Bearer bearer1", undefined]);
  });

  it("says why it does not open", async () => {
    for (const [status, code] of [[401, "link_password"], [410, "link_used_up"]] as const) {
      expect(await codeOf(openLink({ id: "x", secret: "s" }, async () => json(status, { error: { code } })))).toBe(code);
    }
  });

  it("changes, copies and hands on its scene with what the link gave", async () => {
    await openLink({ id: "mine", secret: "s" }, async () => json(200, { scene: SCENE, ticket: "t", bearer: "B" }));
    const fetched = vi.fn<typeof fetch>(async (path) =>
      json(200, String(path).endsWith("remix") ? { path: "/v/new#x" } : { code: "ABC234", path: "/v/other#y" }),
    );
    vi.stubGlobal("fetch", fetched);
    const link = { id: "mine", secret: "s" };
    await editScene(link, "s1", { title: "New" });
    expect(await remixScene(link, "s1")).toBe("/v/new#x");
    expect(await pairingCode(link)).toBe("ABC234");
    expect(await redeemCode("abc-234")).toBe("/v/other#y");

    const calls = fetched.mock.calls.map(([path, init]) => [init?.method, path, (init?.headers as Record<string, string>)["authorization"]]);
    expect(calls).toEqual([
      ["PATCH", "/api/scenes/s1", "Bearer B"],
      ["POST", "/api/scenes/s1/remix", "Bearer B"],
      ["POST", "/api/links/mine/pair", undefined],
      ["POST", "/api/pair", undefined],
    ]);
    vi.stubGlobal("fetch", async () => json(200, { path: "https://evil.example/" }));
    expect(await codeOf(redeemCode("ABC234"))).toBe("protocol");
    vi.stubGlobal("fetch", async () => json(404, {}));
    expect(await codeOf(redeemCode("ABC234"))).toBe("link_unknown");
  });
});

/** Rows of a chunk table, laid out by hand from streaming/messages.py. */
interface Row {
  readonly kind: number;
  readonly level: number;
  readonly parent: number;
  readonly range: readonly [number, number];
  readonly splats: number;
  readonly bytes: number;
  readonly center: readonly [number, number, number];
  readonly error: number;
}

const ROWS: readonly Row[] = [
  { kind: 0, level: 0, parent: -1, range: [0, 0], splats: 10, bytes: 7, center: [0, 0, 0], error: 9 },
  { kind: 0, level: 1, parent: 0, range: [0, 5], splats: 40, bytes: 11, center: [0, 1, 60], error: 5 }, // behind
  { kind: 0, level: 1, parent: 0, range: [5, 10], splats: 50, bytes: 13, center: [0, 1, -3], error: 5 }, // ahead
  { kind: 0, level: 2, parent: 2, range: [0, 50], splats: 400, bytes: 17, center: [0, 1, -3], error: 0 },
  { kind: 2, level: 0, parent: -1, range: [0, 0], splats: 0, bytes: 19, center: [0, 0, 0], error: 0 },
  { kind: 3, level: 0, parent: -1, range: [0, 0], splats: 0, bytes: 23, center: [0, 0, 0], error: 0 },
];

function treeBytes(rows: readonly Row[]): ArrayBuffer {
  const n = rows.length;
  const bytes = new ArrayBuffer(4 + 58 * n);
  const view = new DataView(bytes);
  view.setUint8(0, 0x12);
  rows.forEach((row, i) => {
    let at = 4;
    view.setInt32(at + 4 * i, row.parent, true);
    view.setUint32((at += 4 * n) + 4 * i, row.range[0], true);
    view.setUint32((at += 4 * n) + 4 * i, row.range[1], true);
    view.setUint32((at += 4 * n) + 4 * i, row.splats, true);
    view.setUint32((at += 4 * n) + 4 * i, row.bytes, true);
    at += 4 * n;
    row.center.forEach((value, axis) => view.setFloat32(at + 12 * i + 4 * axis, value, true));
    view.setFloat32((at += 12 * n) + 4 * i, 1, true);
    view.setFloat32((at += 4 * n) + 4 * i, row.error, true);
    view.setUint8((at += 4 * n) + i, row.kind);
    view.setUint8((at += n) + i, row.level);
  });
  return bytes;
}

const PACK = Uint8Array.from({ length: 90 }, (_, i) => i);
const OFFSETS = [0, 7, 18, 31, 48, 67];

async function visit(options: { hasRange?: boolean; maxSplats?: number; status?: number } = {}) {
  const { hasRange = true, maxSplats = 1_000, status } = options;
  const chunks: ChunkMessage[] = [];
  const settled: number[] = [];
  const failures: string[] = [];
  const asked: string[] = [];
  const request = vi.fn<typeof fetch>(async (name, init) => {
    if (name === "scene.json") return json(200, { opened: SCENE, scene: { id: "s" } });
    if (name === "tree.bin") return new Response(treeBytes(ROWS));
    const range = new Headers(init?.headers).get("range") ?? "";
    asked.push(range);
    if (status) return new Response(null, { status });
    const [from, to] = range.replace("bytes=", "").split("-").map(Number);
    return hasRange ? new Response(PACK.slice(from, (to ?? 0) + 1), { status: 206 }) : new Response(PACK);
  });
  const events: StreamEvents = {
    opened: () => undefined,
    renewed: () => undefined,
    scene: () => undefined,
    tree: () => undefined,
    chunk: (chunk) => {
      chunks.push(chunk);
      queueMicrotask(() => stream.release(chunk.chunk));
    },
    settled: (leftOut) => settled.push(leftOut),
    people: () => undefined,
    connected: () => undefined,
    reconnecting: () => undefined,
    failed: (failure) => failures.push(failure.code),
  };
  const stream = new StaticStream(events, maxSplats, request);
  stream.start();
  await vi.waitFor(() => expect(settled.length + failures.length).toBeGreaterThan(0));
  return { stream, chunks, settled, failures, asked };
}

describe("a scene of plain files", () => {
  it("comes by Range: root, floor, then what is ahead before what is behind, sounds last", async () => {
    const { chunks, settled, asked, stream } = await visit();

    expect(chunks.map(({ chunk }) => chunk)).toEqual([0, 4, 2, 3, 1, 5]);
    expect(asked[0]).toBe("bytes=0-6");
    expect(asked).toHaveLength(6);
    for (const { chunk, glb, kind } of chunks) {
      expect(glb).toEqual(PACK.slice(OFFSETS[chunk], (OFFSETS[chunk] ?? 0) + (ROWS[chunk]?.bytes ?? 0)));
      expect(kind).toBe(ROWS[chunk]?.kind);
    }
    expect(settled).toEqual([0]);
    expect(stream.bytesReceived).toBe(90);
  });

  it("comes whole, once, from a host that does not know Range", async () => {
    const { chunks, asked } = await visit({ hasRange: false });
    expect(asked).toHaveLength(1);
    expect(chunks.map(({ glb }) => glb[0])).toEqual(chunks.map(({ chunk }) => OFFSETS[chunk]));
  });

  it("stays within the budget and says what is left out", async () => {
    const { chunks, settled, stream } = await visit({ maxSplats: 60 });
    expect(chunks.map(({ chunk }) => chunk)).toEqual([0, 4, 2, 5]);
    expect(settled).toEqual([2]);
    stream.drop([2]); // gone for want of room, and wanted again from here
    await vi.waitFor(() => expect(settled).toHaveLength(2));
    expect(chunks.at(-1)?.chunk).toBe(2);
  });

  it("brings more when there is room for more", async () => {
    const { chunks, settled, stream } = await visit({ maxSplats: 60 });
    stream.setBudget(1_000);
    await vi.waitFor(() => expect(settled).toEqual([2, 0]));
    expect(chunks.map(({ chunk }) => chunk).sort()).toEqual([0, 1, 2, 3, 4, 5]);
  });

  it("asks for a broken chunk once more", async () => {
    const { chunks, settled, stream } = await visit();
    stream.drop([]);
    stream.refuse(3);
    await vi.waitFor(() => expect(chunks).toHaveLength(7));
    stream.refuse(3);
    await vi.waitFor(() => expect(settled.length).toBeGreaterThan(1));
    expect(chunks).toHaveLength(7);
  });

  it("ends in words when a file is missing", async () => {
    expect((await visit({ status: 404 })).failures).toEqual(["scene_gone"]);
  });
});

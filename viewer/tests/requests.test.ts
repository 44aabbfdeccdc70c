import { afterEach, beforeEach, describe, expect, it, vi } from "vitest";
import { RequestSocket } from "../src/protocol/requestSocket";

/** One request that was asked, and the answer to write by hand. */
class Asked {
  private answer: (response: Response) => void = () => undefined;
  readonly response = new Promise<Response>((resolve) => (this.answer = resolve));
  private out: ReadableStreamDefaultController<Uint8Array> | undefined;

  constructor(
    readonly path: string,
    readonly body: Blob,
  ) {}

  begin(status = 200): void {
    const body = new ReadableStream<Uint8Array>({ start: (out) => void (this.out = out) });
    this.answer(new Response(body, { status, headers: { "x-stream": "abc" } }));
  }

  write(...bytes: number[]): void {
    this.out?.enqueue(Uint8Array.from(bytes));
  }

  end(): void {
    this.out?.close();
  }
}

let asked: Asked[];
const settled = () => new Promise((resolve) => setTimeout(resolve, 5));

function open(): { socket: RequestSocket; got: number[][]; codes: number[] } {
  const got: number[][] = [];
  const codes: number[] = [];
  const request = vi.fn(async (path: string, { body }: { body: Blob }) => {
    const next = new Asked(path, body);
    asked.push(next);
    return next.response;
  });
  const socket = new RequestSocket("ticket=t", request as unknown as typeof fetch);
  socket.addEventListener("message", ({ data }) => got.push([...new Uint8Array(data as ArrayBuffer)]));
  socket.addEventListener("close", ({ code }) => codes.push(code));
  return { socket, got, codes };
}

const at = (index: number): Asked => {
  const found = asked[index];
  if (!found) throw new Error(`request ${index} must have been made`);
  return found;
};

beforeEach(() => {
  asked = [];
});

afterEach(() => vi.restoreAllMocks());

describe("a stream by requests", () => {
  it("puts frames together however they were cut, and asks again when an answer ends", async () => {
    const { socket, got } = open();
    expect(at(0).path).toBe("/api/stream?ticket=t");
    at(0).begin();
    await settled();
    expect(socket.readyState).toBe(1);
    at(0).write(2, 0, 0);
    at(0).write(0, 7);
    at(0).write(8, 1, 0, 0, 0, 9);
    at(0).end();
    await settled();

    expect(got).toEqual([[7, 8], [9]]);
    expect(at(1).path).toBe("/api/stream/abc");
    expect(at(1).body.size).toBe(0);
  });

  it("asks with its messages while an answer still comes, and reads the answers in order", async () => {
    const { socket, got } = open();
    at(0).begin();
    await settled();
    socket.send(Uint8Array.of(3, 4));
    socket.send(Uint8Array.of(5));
    await settled();
    expect([...new Uint8Array(await at(1).body.arrayBuffer())]).toEqual([2, 0, 0, 0, 3, 4, 1, 0, 0, 0, 5]);
    at(1).begin();
    at(1).write(1, 0, 0, 0, 22);
    await settled();
    expect(got).toEqual([]);
    at(0).write(1, 0, 0, 0, 11);
    at(0).end();
    await settled();

    expect(got).toEqual([[11], [22]]);
    expect(asked).toHaveLength(2); // one is still being answered
  });

  it("asks one at a time, for answers may overtake each other and messages may not", async () => {
    const { socket } = open();
    at(0).begin();
    await settled();
    socket.send(Uint8Array.of(1));
    await settled();
    socket.send(Uint8Array.of(2));
    await settled();
    expect(asked).toHaveLength(2);
    at(1).begin();
    await settled();

    expect(asked).toHaveLength(3);
  });

  it.each([
    [401, 4401],
    [410, 4403],
    [429, 4429],
    [503, 1001],
    [502, 1006],
  ])("says a refusal with status %i as a socket would, with %i", async (status, code) => {
    const { codes } = open();
    at(0).begin(status);
    await settled();

    expect(codes).toEqual([code]);
  });

  it("is lost when an answer breaks off, or the server forgot it", async () => {
    const first = open();
    at(0).begin();
    at(0).write(9, 0, 0, 0, 1);
    at(0).end();
    await settled();
    expect(first.codes).toEqual([1006]);

    asked = [];
    const second = open();
    at(0).begin();
    at(0).end();
    await settled();
    at(1).begin(404);
    await settled();
    expect(second.codes).toEqual([1006]);
  });
});

import { gzipSync } from "node:zlib";
import { describe, expect, it } from "vitest";
import { decodeChunk } from "../src/decode/chunk";
import { readGlb } from "../src/decode/glb";
import { readGaussians } from "../src/decode/gaussians";
import { container, glb, splatGlb } from "./builders";

const read = (bytes: ArrayBuffer) => readGaussians(readGlb(bytes));
const request = { id: 3, maxShDegree: 3, isCollider: false, isHarmonics: false, hash: undefined };
const plain = (bytes: Uint8Array) => new Uint8Array(bytes).buffer; // a Buffer's slice() would share its pool

describe("a splat chunk", () => {
  it("is read with every component type our writer uses", () => {
    const splats = read(splatGlb());

    expect(splats.count).toBe(2);
    expect([...splats.means]).toEqual([1, -2, 3.5, -0.25, 0.5, -7]);
    expect([...splats.opacities]).toEqual([1, expect.closeTo(0.2, 6)]);
    expect(splats.scales[4]).toBe(1.5);
    // Colour is 0.5 + 0.28209479 * coefficient, and may leave 0..1.
    expect(splats.colors[0]).toBeCloseTo(0.78209479, 6);
    expect(splats.colors[5]).toBeCloseTo(-0.06418958, 6);
  });

  it("has unit rotations, also from bytes that are a little off", () => {
    const { quats } = read(splatGlb());

    expect(Math.hypot(...quats.subarray(0, 4))).toBeCloseTo(1, 6);
    expect((quats[0] ?? 0) / (quats[3] ?? 1)).toBeCloseTo(70 / 98, 6);
    expect(quats[5]).toBeCloseTo(Math.SQRT1_2, 6);
  });

  it("reads rotation, scale and opacity the same in other allowed types", () => {
    const wide = splatGlb({
      "KHR_gaussian_splatting:ROTATION": {
        type: "VEC4",
        componentType: 5122,
        normalized: true,
        values: [18060, -7740, 5160, 25284, 0, 23220, 0, 23220],
      },
      "KHR_gaussian_splatting:SCALE": { type: "VEC3", componentType: 5123, values: [1, 2, 3, 4, 5, 65535] },
      "KHR_gaussian_splatting:OPACITY": { type: "SCALAR", componentType: 5123, normalized: true, values: [65535, 13107] },
    });

    const [a, b] = [read(wide), read(splatGlb())];

    a.quats.forEach((value, at) => expect(value).toBeCloseTo(b.quats[at] ?? 0, 4));
    expect([...a.scales]).toEqual([1, 2, 3, 4, 5, 65535]);
    expect(a.opacities[1]).toBeCloseTo(0.2, 5);
  });

  it("keeps spherical harmonics in the order splat, coefficient, colour", () => {
    const coefficient = (at: number) => ({
      type: "VEC3" as const,
      componentType: 5126,
      values: [at, at + 0.1, at + 0.2, -at, -at - 0.1, -at - 0.2],
    });
    const splats = read(
      splatGlb({
        "KHR_gaussian_splatting:SH_DEGREE_1_COEF_0": coefficient(1),
        "KHR_gaussian_splatting:SH_DEGREE_1_COEF_1": coefficient(2),
        "KHR_gaussian_splatting:SH_DEGREE_1_COEF_2": coefficient(3),
      }),
    );

    expect(splats.shDegree).toBe(1);
    expect([...splats.rest].map((value) => Math.round(value * 10) / 10)).toEqual([
      1, 1.1, 1.2, 2, 2.1, 2.2, 3, 3.1, 3.2, -1, -1.1, -1.2, -2, -2.1, -2.2, -3, -3.1, -3.2,
    ]);
    expect(readGaussians(readGlb(splatGlb()), 0).rest.length).toBe(0);
  });

  it.each([
    ["another kernel", splatGlb({}, { kernel: "disc" })],
    ["linear colours", splatGlb({}, { colorSpace: "lin_rec709_display" })],
    ["no scale", splatGlb({ "KHR_gaussian_splatting:SCALE": undefined })],
    ["a rotation of nothing", splatGlb({ "KHR_gaussian_splatting:ROTATION": { type: "VEC4", componentType: 5126, values: [0, 0, 0, 0, 0, 0, 0, 1] } })],
    ["fewer opacities than splats", splatGlb({ "KHR_gaussian_splatting:OPACITY": { type: "SCALAR", componentType: 5126, values: [1] } })],
    ["a mesh instead of splats", glb({ attributes: { POSITION: { type: "VEC3", componentType: 5126, values: [0, 0, 0] } } })],
    ["a turned node", glb({ attributes: {}, node: { rotation: [0, 1, 0, 0] }, primitive: { mode: 0, extensions: { KHR_gaussian_splatting: { kernel: "ellipse" } } } })],
    ["no JSON", container("", [], 0)],
    ["broken JSON", container("{", [], 0)],
    ["an accessor past the end", splatGlb().slice(0, -8)],
    ["nothing at all", new ArrayBuffer(0)],
  ])("is refused with %s", async (_, bytes) => {
    const reply = await decodeChunk({ ...request, bytes });

    expect(reply).toMatchObject({ id: 3, ok: false, reason: "decode" });
  });

  it("survives any one damaged byte: read or refused, never thrown past us", async () => {
    const whole = new Uint8Array(splatGlb());
    for (let at = 0; at < whole.length; at += 7) {
      const damaged = whole.slice();
      damaged[at] = (damaged[at] ?? 0) ^ 0x5a;

      const reply = await decodeChunk({ ...request, bytes: damaged.buffer });

      expect(reply.id).toBe(3);
    }
  });

  it("may be wrapped in gzip, but not truncated nor a bomb", async () => {
    const packed = gzipSync(new Uint8Array(splatGlb()));
    const whole = await decodeChunk({ ...request, bytes: plain(packed) });
    const cut = await decodeChunk({ ...request, bytes: plain(packed.subarray(0, packed.length / 2)) });
    const bomb = await decodeChunk({ ...request, bytes: plain(gzipSync(new Uint8Array(40 * 1024 * 1024))) });

    expect(whole).toMatchObject({ ok: true, decoded: { kind: "splats", words: { count: 2 } } });
    expect(cut).toMatchObject({ ok: false, reason: "decode" });
    expect(bomb).toMatchObject({ ok: false, message: expect.stringContaining("at most") });
  });

  it("must be the one that the chunk table names", async () => {
    const bytes = splatGlb();
    const hash = new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).slice(0, 16);
    const right = await decodeChunk({ ...request, bytes, hash });
    hash[15] = (hash[15] ?? 0) ^ 1;
    const wrong = await decodeChunk({ ...request, bytes, hash });

    expect(right.ok).toBe(true);
    expect(wrong).toMatchObject({ ok: false, reason: "hash" });
  });
});

describe("a collider chunk", () => {
  const corners = { type: "VEC3" as const, componentType: 5126, values: [0, 0, 0, 1, 0, 0, 0, 0, 2] };
  const triangle = (values: number[]) =>
    glb({ attributes: { POSITION: corners }, indices: { type: "SCALAR", componentType: 5125, values }, primitive: { mode: 4 } });

  it("is read as triangles", async () => {
    const reply = await decodeChunk({ ...request, isCollider: true, bytes: triangle([0, 2, 1]) });

    expect(reply).toMatchObject({ ok: true, decoded: { kind: "collider" } });
    if (reply.ok && reply.decoded.kind === "collider") expect([...reply.decoded.mesh.indices]).toEqual([0, 2, 1]);
  });

  it.each([
    ["a vertex that is not there", triangle([0, 2, 3])],
    ["half a triangle", triangle([0, 2])],
    ["splats", splatGlb()],
  ])("is refused with %s", async (_, bytes) => {
    expect((await decodeChunk({ ...request, isCollider: true, bytes })).ok).toBe(false);
  });
});

import { describe, expect, it } from "vitest";
import { keepQuality, keptQuality } from "../src/device/quality";
import { Governor, type Dial, type Settings } from "../src/render/governor";

const DIALS: readonly Dial[] = [
  { name: "shDegree", least: 0, most: 2 },
  { name: "resolution", least: 0.6, most: 1.4 },
  { name: "maxStdDev", least: 2.2, most: 3 },
  { name: "splats", least: 40_000, most: 700_000 },
];
const ALIVE = 500_000;

/** A machine whose frame takes as long as `cost` says, shown at the next tick of a display if it has one. */
class Machine {
  settings: Settings = {};
  nowMs = 0;
  frameMs = 0;
  readonly governor: Governor;

  constructor(
    public cost: (settings: Required<Settings>, frame: number) => number,
    targetMs: number,
    private readonly displayMs = 0,
  ) {
    this.governor = new Governor(DIALS, targetMs, (settings) => (this.settings = settings));
    this.settings = this.governor.settings;
  }

  run(milliseconds: number): number[] {
    const end = this.nowMs + milliseconds;
    const frames: number[] = [];
    while (this.nowMs < end) {
      const cost = this.cost(this.settings as Required<Settings>, frames.length);
      this.frameMs = this.displayMs > 0 ? Math.max(1, Math.ceil(cost / this.displayMs - 1e-6)) * this.displayMs : cost;
      this.nowMs += this.frameMs;
      frames.push(this.frameMs);
      this.governor.frame(this.nowMs, this.frameMs, Math.min(ALIVE, this.settings.splats ?? 0));
    }
    return frames;
  }
}

/** Milliseconds for pixels under splats, and for splats whatever their size. */
const gpu = (pixelMs: number, splatMs: number) => (settings: Required<Settings>) => {
  const splats = Math.min(ALIVE, settings.splats) / ALIVE;
  return splats * (pixelMs * (settings.resolution / 1.4) ** 2 * (settings.maxStdDev / 3) ** 2 + splatMs);
};
const dialsOf = (machine: Machine) => [...new Set(machine.governor.log.map(({ dial }) => dial))];

describe("the governor", () => {
  it.each([
    [40, 2],
    [9, 30],
    [90, 60],
    [250, 20],
  ])("holds a target after two seconds on a GPU of %d ms by pixels and %d ms by splats", (pixelMs, splatMs) => {
    const machine = new Machine(gpu(pixelMs, splatMs), 16.7);
    machine.run(2_000);

    const frames = machine.run(20_000);

    const late = frames.filter((ms) => ms > 1.1 * 16.7).length;
    expect(late / frames.length).toBeLessThan(0.05); // tries for more are too much now and then
    expect(Math.max(...frames)).toBeLessThan(1.3 * 16.7);
    expect(Math.min(...frames)).toBeGreaterThan(0.75 * 16.7); // nothing is given up for nothing
  });

  it("holds the rate of a display that shows whole ticks only", () => {
    const machine = new Machine(gpu(60, 10), 1_000 / 72, 1_000 / 72);
    machine.run(2_000);

    const frames = machine.run(20_000);

    expect(frames.filter((ms) => ms > 14).length / frames.length).toBeLessThan(0.05);
  });

  it("gives up pixels before splats, splats before rims, rims before colour", () => {
    const heavy = gpu(1_000, 200);
    const machine = new Machine((settings) => heavy(settings) * (1 + settings.shDegree / 10), 5);
    machine.run(20_000);

    expect(dialsOf(machine)).toEqual(["resolution", "splats", "maxStdDev", "shDegree"]);
    expect(machine.settings).toEqual({ resolution: 0.6, splats: 40_000, maxStdDev: 2.2, shDegree: 0 });
  });

  it("begins with splats that are there, not with a budget that nothing fills", () => {
    const machine = new Machine(gpu(1, 40), 16.7);
    machine.run(20_000);

    const first = machine.governor.log.find(({ dial, why }) => dial === "splats" && why === "slow");
    expect(first?.from).toBe(700_000);
    expect(first?.to).toBeLessThan(ALIVE);
  });

  it("does not touch what makes no difference", () => {
    // Behind by something else than pixels: half of the splats would do.
    const machine = new Machine(gpu(0, 33), 16.7);
    machine.run(30_000);

    expect(machine.settings.resolution).toBe(1.4);
    expect(machine.settings.maxStdDev).toBe(3);
    // After half of the pixels it is plain; the last ones are not tried.
    expect(machine.governor.log.slice(0, 3).map(({ dial, why }) => `${dial} ${why}`)).toEqual([
      "resolution slow",
      "resolution slow",
      "resolution vain",
    ]);
    expect(machine.frameMs).toBeLessThan(1.1 * 16.7);
  });

  it("gives nothing up for a display that is slower than wished for", () => {
    const machine = new Machine(gpu(2, 2), 16.7, 33.4);
    machine.run(30_000);

    expect(machine.settings).toEqual({ resolution: 1.4, splats: 700_000, maxStdDev: 3, shDegree: 2 });
  });

  it("takes everything back when there is room again", () => {
    const machine = new Machine(gpu(300, 60), 16.7);
    machine.run(5_000);
    expect(machine.settings.splats).toBeLessThan(ALIVE);

    machine.cost = gpu(5, 5);
    machine.run(300_000);

    expect(machine.settings).toEqual({ resolution: 1.4, splats: 700_000, maxStdDev: 3, shDegree: 2 });
  });

  it("tries for more ever less often while that is too much", () => {
    const machine = new Machine(gpu(60, 10), 16.7, 16.7);
    machine.run(20_000);
    const before = machine.governor.log.length;

    machine.run(300_000);

    expect(machine.governor.log.length - before).toBeLessThanOrEqual(14);
  });

  it("is not moved by single spikes, by a tab that slept, or by chunks", () => {
    const machine = new Machine((_, frame) => (frame % 5 === 4 ? 90 : 16), 16.7);
    machine.run(30_000);
    for (let sleep = 0; sleep < 100; sleep++) machine.governor.frame((machine.nowMs += 5_000), 5_000, ALIVE);
    for (let burst = 0; burst < 7; burst++) {
      machine.governor.busy();
      machine.governor.frame((machine.nowMs += 80), 80, ALIVE);
    }

    expect(machine.governor.log).toEqual([]);
  });

  it("is moved by a flood of chunks that does not end", () => {
    const { governor } = new Machine(gpu(1, 1), 16.7);
    for (let frame = 1; frame < 100; frame++) {
      governor.busy();
      governor.frame(80 * frame, 80, ALIVE);
    }

    expect(governor.log.length).toBeGreaterThan(0);
  });

  it("leaves a chosen quality alone", () => {
    const machine = new Machine(gpu(300, 60), 16.7);
    machine.governor.choose("medium");
    machine.run(10_000);

    expect(machine.governor.log).toEqual([]);
    expect(machine.settings.resolution).toBeCloseTo(1.08);
    expect(machine.settings).toMatchObject({ splats: 436_000, shDegree: 1 });
    machine.governor.choose("auto");
    expect(machine.settings.resolution).toBe(1.4);
  });
});

describe("the chosen quality", () => {
  it("is kept for the next visit, and anything else counts as auto", () => {
    const kept = new Map<string, string>();
    const storage = () => ({ getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => kept.set(key, value) }) as unknown as Storage;

    expect(keptQuality(storage)).toBe("auto");
    keepQuality("medium", storage);
    expect(keptQuality(storage)).toBe("medium");
    for (const key of kept.keys()) kept.set(key, "<script>");
    expect(keptQuality(storage)).toBe("auto");
  });

  it("holds for the visit where a browser forbids storage", () => {
    const forbidden = () => {
      throw new DOMException("no", "SecurityError");
    };

    expect(() => keepQuality("low", forbidden)).not.toThrow();
    expect(keptQuality(forbidden)).toBe("auto");
  });
});

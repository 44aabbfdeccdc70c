import { describe, expect, it, vi } from "vitest";
import type { Sound } from "../src/protocol/generated";
import { Soundscape } from "../src/sound/soundscape";

const FIRE: Sound = { kind: "fire", caption: "a fire crackles", chunk: 7, position: [1, 0.5, -3], gain: 0.8, reference_m: 1.5 };
const WIND: Sound = { ...FIRE, kind: "wind", chunk: 8, position: null, gain: 0.35 };

/** A browser's audio, as far as it can be watched without ears. */
function fakeAudio(decodes = true) {
  const log: string[] = [];
  const param = (name: string) => ({
    set value(value: number) {
      log.push(`${name} ${value}`);
    },
    setValueAtTime: () => undefined,
    linearRampToValueAtTime: (value: number) => log.push(`${name} to ${value}`),
    setTargetAtTime: (value: number) => log.push(`${name} towards ${value}`),
  });
  const node = (name: string) => ({ connect: (to: unknown) => to, gain: param(`${name} gain`) });
  const context = {
    state: "running",
    currentTime: 0,
    destination: {},
    listener: Object.fromEntries(
      ["positionX", "positionY", "positionZ", "forwardX", "forwardY", "forwardZ", "upX", "upY", "upZ"].map((name) => [name, param(name)]),
    ),
    createGain: () => node("gain"),
    createPanner: () => ({
      ...node("panner"),
      ...Object.fromEntries(["positionX", "positionY", "positionZ"].map((name) => [name, param(`panner ${name}`)])),
      set refDistance(value: number) {
        log.push(`reference ${value}`);
      },
    }),
    createBufferSource: () => ({ connect: () => undefined, start: () => log.push("start"), stop: () => log.push("stop") }),
    decodeAudioData: async () => {
      if (!decodes) throw new Error("EncodingError");
      return {};
    },
    resume: async () => log.push("resume"),
    suspend: async () => log.push("suspend"),
  };
  return { context: context as unknown as AudioContext, log };
}

const settled = () => new Promise((resolve) => setTimeout(resolve, 0));

describe("the soundscape", () => {
  it("waits for a press, then plays what has come and what comes later", async () => {
    const { context, log } = fakeAudio();
    const create = vi.fn(() => context);
    const scape = new Soundscape(create, undefined, () => undefined);
    scape.add(FIRE, new ArrayBuffer(4));
    await settled();
    expect(create).not.toHaveBeenCalled();

    scape.wake();
    scape.wake();
    scape.add(WIND, new ArrayBuffer(4));
    await settled();

    expect(create).toHaveBeenCalledTimes(1);
    expect(log.filter((line) => line === "start")).toHaveLength(2);
    expect(scape.playingCount).toBe(2);
    expect(log).toContain("panner positionZ -3");
    expect(log).toContain("reference 1.5");
    expect(log.filter((line) => line.startsWith("reference"))).toHaveLength(1); // a bed has no place
    expect(log).toContain("gain gain to 0.35");
  });

  it("follows the ears", () => {
    const { context, log } = fakeAudio();
    const scape = new Soundscape(() => context, undefined, () => undefined);
    scape.wake();

    scape.listen({ position: [4, 1.6, -2], forward: [0.6, 0, -0.8] });

    expect(log.slice(-9)).toEqual([
      ...["positionX 4", "positionY 1.6", "positionZ -2", "forwardX 0.6", "forwardY 0", "forwardZ -0.8"],
      ...["upX 0", "upY 1", "upZ 0"],
    ]);
  });

  it("is silent when it is told to be, and remembers", () => {
    const kept = new Map<string, string>();
    const memory = { getItem: (key: string) => kept.get(key) ?? null, setItem: (key: string, value: string) => void kept.set(key, value) };
    const { context, log } = fakeAudio();
    const scape = new Soundscape(() => context, memory, () => undefined);
    scape.wake();

    scape.toggle();

    expect(scape.isMuted).toBe(true);
    expect(log).toContain("gain gain towards 0");
    expect(new Soundscape(() => context, memory, () => undefined).isMuted).toBe(true);
    scape.toggle();
    expect(new Soundscape(() => context, memory, () => undefined).isMuted).toBe(false);
  });

  it("does without a memory that throws", () => {
    const throwing = {
      getItem: () => {
        throw new Error("SecurityError");
      },
      setItem: () => {
        throw new Error("QuotaExceededError");
      },
    };
    const scape = new Soundscape(() => fakeAudio().context, throwing, () => undefined);

    scape.toggle();

    expect(scape.isMuted).toBe(true);
  });

  it("says so when a browser cannot decode a sound", async () => {
    const failed = vi.fn();
    const scape = new Soundscape(() => fakeAudio(false).context, undefined, failed);
    scape.wake();
    scape.add(FIRE, new ArrayBuffer(4));
    await settled();

    expect(failed).toHaveBeenCalledTimes(1);
    expect(scape.playingCount).toBe(0);
  });

  it("leaves a place's sounds behind, also those that were still being decoded", async () => {
    const { context, log } = fakeAudio();
    const scape = new Soundscape(() => context, undefined, () => undefined);
    scape.wake();
    scape.add(FIRE, new ArrayBuffer(4));
    await settled();
    scape.add(WIND, new ArrayBuffer(4));

    scape.clear();
    await settled();

    expect(log.filter((line) => line === "stop")).toHaveLength(1);
    expect(log.filter((line) => line === "start")).toHaveLength(1);
    expect(scape.playingCount).toBe(0);
  });

  it("pauses while the page is hidden", () => {
    const { context, log } = fakeAudio();
    const scape = new Soundscape(() => context, undefined, () => undefined);
    scape.show(false); // before there is anything
    scape.wake();

    scape.show(false);
    scape.show(true);

    expect(log.slice(-2)).toEqual(["suspend", "resume"]);
  });
});

/**
 * What is heard: loops at places and beds without one, from the first press on.
 *
 * Browsers let a page make sound only after the visitor did something, so sounds wait encoded until then.
 */

import type { Sound } from "../protocol/generated";

/** From silence to full when a sound begins, and back when the visitor mutes it. */
const FADE_S = 0.6;
/** How fast a place's sound falls off beyond its reference distance. */
const ROLLOFF = 1.2;
const MUTED_KEY = "immersive.muted";

export interface Listener {
  readonly position: readonly [number, number, number];
  readonly forward: readonly [number, number, number];
}

interface Waiting {
  readonly sound: Sound;
  readonly ogg: ArrayBuffer;
}

export interface Memory {
  getItem(key: string): string | null;
  setItem(key: string, value: string): void;
}

export class Soundscape {
  private context: AudioContext | undefined;
  private master: GainNode | undefined;
  private waiting: Waiting[] = [];
  private playing: AudioBufferSourceNode[] = [];
  private scene = 0;
  private muted: boolean;
  private listener: Listener = { position: [0, 0, 0], forward: [0, 0, -1] };

  /** `onFailure` is told once for each sound that this browser cannot decode. */
  constructor(
    private readonly create: () => AudioContext,
    private readonly memory: Memory | undefined,
    private readonly onFailure: () => void,
  ) {
    this.muted = recall(memory) === "yes";
  }

  get isMuted(): boolean {
    return this.muted;
  }

  /** Sounds that run now; 0 before the first press. */
  get playingCount(): number {
    return this.context?.state === "running" ? this.playing.length : 0;
  }

  /** The visitor pressed something: sound is allowed from now on. */
  wake(): void {
    if (!this.context) {
      this.context = this.create();
      this.master = this.context.createGain();
      this.master.gain.value = this.muted ? 0 : 1;
      this.master.connect(this.context.destination);
      this.place();
    }
    if (this.context.state === "suspended") void this.context.resume().catch(() => undefined);
    for (const { sound, ogg } of this.waiting.splice(0)) void this.play(sound, ogg);
  }

  /** A sound of the scene has come. */
  add(sound: Sound, ogg: ArrayBuffer): void {
    if (this.context) void this.play(sound, ogg);
    else this.waiting.push({ sound, ogg });
  }

  toggle(): void {
    this.muted = !this.muted;
    try {
      this.memory?.setItem(MUTED_KEY, this.muted ? "yes" : "no");
    } catch {
      // A private window may refuse to remember.
    }
    if (this.context) this.master?.gain.setTargetAtTime(this.muted ? 0 : 1, this.context.currentTime, FADE_S / 3);
  }

  /** Where the ears are. */
  listen(listener: Listener): void {
    this.listener = listener;
    this.place();
  }

  /** A hidden page is silent. */
  show(isVisible: boolean): void {
    const change = isVisible ? this.context?.resume() : this.context?.suspend();
    void change?.catch(() => undefined);
  }

  /** Let go of a scene. */
  clear(): void {
    this.scene++;
    this.waiting = [];
    for (const source of this.playing.splice(0)) source.stop();
  }

  private async play(sound: Sound, ogg: ArrayBuffer): Promise<void> {
    const { context, master, scene } = this;
    if (!context || !master) return;
    let buffer: AudioBuffer;
    try {
      buffer = await context.decodeAudioData(ogg);
    } catch {
      this.onFailure();
      return;
    }
    if (scene !== this.scene) return;
    const source = context.createBufferSource();
    source.buffer = buffer;
    source.loop = true;
    const gain = context.createGain();
    gain.gain.setValueAtTime(0, context.currentTime);
    gain.gain.linearRampToValueAtTime(sound.gain, context.currentTime + FADE_S);
    source.connect(gain);
    if (sound.position) {
      const panner = context.createPanner();
      panner.panningModel = "HRTF";
      panner.distanceModel = "inverse";
      panner.refDistance = Math.max(0.1, sound.reference_m);
      panner.rolloffFactor = ROLLOFF;
      [panner.positionX.value, panner.positionY.value, panner.positionZ.value] = sound.position;
      gain.connect(panner).connect(master);
    } else {
      gain.connect(master);
    }
    source.start();
    this.playing.push(source);
  }

  private place(): void {
    const ears = this.context?.listener;
    if (!ears) return;
    const { position, forward } = this.listener;
    if (ears.positionX as AudioParam | undefined) {
      [ears.positionX.value, ears.positionY.value, ears.positionZ.value] = position;
      [ears.forwardX.value, ears.forwardY.value, ears.forwardZ.value] = forward;
      [ears.upX.value, ears.upY.value, ears.upZ.value] = [0, 1, 0];
    } else {
      // Firefox has only the older way.
      ears.setPosition(...position);
      ears.setOrientation(...forward, 0, 1, 0);
    }
  }
}

function recall(memory: Memory | undefined): string | null {
  try {
    return memory?.getItem(MUTED_KEY) ?? null;
  } catch {
    return null;
  }
}

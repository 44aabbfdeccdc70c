/**
 * Where somebody was a moment ago: poses come in steps, people do not.
 *
 * Shown 100 ms late, so that the next pose is nearly always there to move towards; later for who is far away
 * and comes twice a second. Times in milliseconds of the page's clock.
 */

import * as THREE from "three";
import type { Hand, PersonPose } from "./peerPose";

const TICK_MS = 50;
const NEAR_DELAY_MS = 100;
const FAR_DELAY_MS = 600;
/** Who says nothing for so long stood still until just before the next word. */
const STILL_MS = 700;
const KEPT = 16;
const TICKS = 65_536;
/** Share of a message's lateness that is laid to a clock that runs slow: a busy server's ticks are late too. */
const DRIFT = 0.02;
/** Later than this is no lateness: nobody was here meanwhile, and the ticks stood still. */
const PAUSE_MS = 300;

/** When a tick of the server was, on this clock, as if every message had travelled as fast as the fast ones. */
export class TickClock {
  private last: number | undefined;
  private ticks = 0;
  private base = 0;

  at(tick: number, now: number): number {
    if (this.last === undefined) this.base = now;
    else this.ticks += (tick - this.last + TICKS) % TICKS;
    this.last = tick;
    const late = now - this.ticks * TICK_MS - this.base;
    this.base += late < 0 || late > PAUSE_MS ? late : DRIFT * late;
    return this.base + this.ticks * TICK_MS;
  }
}

interface Sample {
  readonly at: number;
  readonly pose: PersonPose;
}

export class Track {
  readonly position = new THREE.Vector3();
  readonly turn = new THREE.Quaternion();
  private readonly towards = new THREE.Vector3();
  private readonly turning = new THREE.Quaternion();
  private samples: Sample[] = [];
  private delay = NEAR_DELAY_MS;
  private shownAt = 0;

  add(at: number, pose: PersonPose): void {
    const last = this.samples.at(-1);
    if (last && at <= last.at) return;
    if (last && at - last.at > STILL_MS) this.samples.push({ at: at - TICK_MS, pose: last.pose });
    this.samples.push({ at, pose });
    if (this.samples.length > KEPT) this.samples.splice(0, this.samples.length - KEPT);
  }

  get hasPlace(): boolean {
    return this.samples.length > 0;
  }

  /** Hands as they came; they are too quick to be worth a curve. */
  hand(side: "left" | "right"): Hand | undefined {
    return this.samples.at(-1)?.pose[side];
  }

  /** Set `position` and `turn` for a picture; false when nothing moves any more. */
  show(now: number): boolean {
    const newest = this.samples.at(-1);
    if (!newest) return false;
    const before = this.samples.at(-2);
    const isFar = before !== undefined && newest.at - before.at > 4 * TICK_MS;
    const most = Math.max(0, now - this.shownAt) / 2;
    // A jump of the delay would be a jump of the person; like this they walk a little slower or faster.
    this.delay += Math.max(-most, Math.min(most, (isFar ? FAR_DELAY_MS : NEAR_DELAY_MS) - this.delay));
    this.shownAt = now;
    const at = now - this.delay;
    let next = this.samples.findIndex((sample) => sample.at > at);
    if (next < 0) next = this.samples.length - 1;
    const to = this.samples[next] ?? newest;
    const from = this.samples[Math.max(0, next - 1)] ?? to;
    const share = to.at > from.at ? Math.min(1, Math.max(0, (at - from.at) / (to.at - from.at))) : 1;
    this.position.fromArray(from.pose.position).lerp(this.towards.fromArray(to.pose.position), share);
    this.turn.fromArray(from.pose.turn).slerp(this.turning.fromArray(to.pose.turn), share);
    return at < newest.at;
  }
}

/**
 * The way a phone is held turns the visitor: glasses keep their own sensors from web pages.
 *
 * Only what changes counts, so that thumbs and keys turn as well; a tilted horizon is left out.
 */

import * as THREE from "three";
import type { Intent, IntentSource } from "../walk/intent";

export interface Reading {
  readonly alpha: number | null;
  readonly beta: number | null;
  readonly gamma: number | null;
}

interface Direction {
  readonly yaw: number;
  readonly pitch: number;
}

const RAD = Math.PI / 180;
const OUT_OF_THE_SCREEN = new THREE.Vector3(0, 0, -1);
/** Device axes lie in the screen: half a turn about x looks along it. */
const UPRIGHT = new THREE.Quaternion(-Math.sqrt(0.5), 0, 0, Math.sqrt(0.5));

/** Where the back of a device looks; radians, left and up positive. Undefined while a sensor is silent. */
export function direction({ alpha, beta, gamma }: Reading, screenDeg: number): Direction | undefined {
  if (alpha === null || beta === null || gamma === null) return undefined;
  const euler = new THREE.Euler(beta * RAD, alpha * RAD, -gamma * RAD, "YXZ");
  const turn = new THREE.Quaternion().setFromEuler(euler).multiply(UPRIGHT);
  turn.multiply(new THREE.Quaternion().setFromAxisAngle(new THREE.Vector3(0, 0, 1), -screenDeg * RAD));
  const ahead = OUT_OF_THE_SCREEN.clone().applyQuaternion(turn);
  return { yaw: Math.atan2(-ahead.x, -ahead.z), pitch: Math.asin(Math.max(-1, Math.min(1, ahead.y))) };
}

export class Head implements IntentSource {
  private newest: Direction | undefined;
  private used: Direction | undefined;
  private readonly listeners = new AbortController();

  constructor(target: Window) {
    const { signal } = this.listeners;
    const read = (event: DeviceOrientationEvent) => this.read(event, target.screen.orientation?.angle ?? 0);
    target.addEventListener("deviceorientation", read, { signal });
  }

  read(reading: Reading, screenDeg: number): void {
    this.newest = direction(reading, screenDeg) ?? this.newest;
    this.used ??= this.newest;
  }

  contribute(intent: Intent): void {
    const { newest, used } = this;
    if (!newest || !used) return;
    intent.turn += Math.atan2(Math.sin(newest.yaw - used.yaw), Math.cos(newest.yaw - used.yaw));
    intent.pitch += newest.pitch - used.pitch;
    this.used = newest;
  }

  dispose(): void {
    this.listeners.abort();
  }
}

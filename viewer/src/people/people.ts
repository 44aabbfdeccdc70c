/**
 * The others in the scene: tells them where this visitor is, and shows where they are.
 *
 * Nothing is asked of anybody and nothing is kept but the wish not to see others. A page in somebody else's
 * frame stays out.
 */

import * as THREE from "three";
import { PRESENCE_TICKS_PER_SECOND } from "../protocol/generated";
import type { OwnMessage, PeopleMessage } from "../protocol/sceneStream";
import type { Memory } from "../sound/soundscape";
import { Figure, FigureShapes } from "./figure";
import { posesIn, poseMessage, type Hand, type PersonPose } from "./peerPose";
import { TickClock, Track } from "./track";

const LEAST_GAP_MS = 1_000 / PRESENCE_TICKS_PER_SECOND;
const MOVED_M = 0.004;
/** Half a degree, as the dot product of quaternions. */
const TURNED = Math.cos((0.5 * Math.PI) / 360);
const HIDDEN_KEY = "immersive.hideOthers";

export interface PeopleParts {
  readonly scene: THREE.Scene;
  readonly memory: Memory | undefined;
  readonly tell: (message: OwnMessage) => void;
  /** Somebody came or went, or is hidden now. */
  readonly changed: () => void;
  /** One of the others said something; not told while they are hidden. */
  readonly said: (name: string, text: string) => void;
  readonly invalidate: () => void;
}

export interface OwnPose {
  readonly position: THREE.Vector3;
  readonly turn: THREE.Quaternion;
  readonly left?: Hand | undefined;
  readonly right?: Hand | undefined;
}

interface Person {
  readonly name: string;
  readonly track: Track;
  readonly figure: Figure;
}

export class People {
  private readonly others = new Map<number, Person>();
  private readonly shapes = new FigureShapes();
  private readonly group = new THREE.Group();
  private clock = new TickClock();
  private hasJoined = false;
  private sentAt = -Infinity;
  private sentHands = 0;
  private readonly sentPosition = new THREE.Vector3(Infinity, 0, 0);
  private readonly sentTurn = new THREE.Quaternion();

  constructor(private readonly parts: PeopleParts) {
    parts.scene.add(this.group);
    this.group.visible = recall(parts.memory) !== "yes";
  }

  get count(): number {
    return this.others.size;
  }

  get areHidden(): boolean {
    return !this.group.visible;
  }

  /** Everybody who has a place, as they are shown. */
  get shown(): readonly { readonly name: string; readonly position: readonly number[] }[] {
    return [...this.others.values()].map(({ name, track }) => ({ name, position: track.position.toArray() }));
  }

  /** A connection begins: there is nobody yet, and nobody knows us. */
  join(): void {
    this.clear();
    this.hasJoined = true;
    this.parts.tell({ type: "peerJoin", colour: 0, name: "" });
  }

  /** The connection or the place is gone, and everybody with it. */
  clear(): void {
    this.hasJoined = false;
    this.sentAt = -Infinity;
    this.sentPosition.x = Infinity;
    this.clock = new TickClock();
    for (const { figure } of this.others.values()) figure.dispose();
    if (this.others.size === 0) return;
    this.others.clear();
    this.changed();
  }

  toggle(): void {
    this.group.visible = !this.group.visible;
    try {
      this.parts.memory?.setItem(HIDDEN_KEY, this.areHidden ? "yes" : "no");
    } catch {
      // A full or forbidden storage only forgets the wish.
    }
    this.changed();
  }

  say(text: string): void {
    if (this.hasJoined) this.parts.tell({ type: "say", text });
  }

  take(message: PeopleMessage): void {
    switch (message.type) {
      case "peerNames":
        for (const [peer, colour, name] of JSON.parse(message.json) as [number, number, string][]) {
          this.leave(peer);
          this.others.set(peer, { name, track: new Track(), figure: new Figure(this.shapes, name, colour) });
        }
        return this.changed();
      case "peerLeave":
        for (const peer of message.peer) this.leave(peer);
        return this.changed();
      case "peerSay": {
        const speaker = this.others.get(message.peer);
        if (!speaker || this.areHidden) return;
        speaker.figure.say(message.text, performance.now());
        this.parts.said(speaker.name, message.text);
        return this.parts.invalidate();
      }
      case "peers": {
        const at = this.clock.at(message.tick, performance.now());
        for (const [peer, pose] of posesIn(message.records)) this.others.get(peer)?.track.add(at, pose);
        if (this.group.visible) this.parts.invalidate();
      }
    }
  }

  /** A frame: tell where we are, show where they are. */
  update(now: number, own: OwnPose): void {
    this.tell(now, own);
    let isMoving = false;
    for (const { track, figure } of this.others.values()) {
      isMoving = track.show(now) || isMoving;
      if (!track.hasPlace) continue;
      isMoving = figure.place(track, own.position, now) || isMoving;
      if (!figure.group.parent) this.group.add(figure.group);
    }
    if (isMoving && this.group.visible) this.parts.invalidate();
  }

  dispose(): void {
    this.clear();
    this.shapes.dispose();
    this.group.removeFromParent();
  }

  private tell(now: number, own: OwnPose): void {
    if (!this.hasJoined || now - this.sentAt < LEAST_GAP_MS) return;
    const hands = Number(own.left !== undefined) + 2 * Number(own.right !== undefined);
    const hasMoved = own.position.distanceToSquared(this.sentPosition) > MOVED_M * MOVED_M;
    const hasTurned = Math.abs(own.turn.dot(this.sentTurn)) < TURNED;
    // Tracked hands never hold still.
    if (!hasMoved && !hasTurned && hands === 0 && this.sentHands === 0) return;
    this.sentAt = now;
    this.sentHands = hands;
    this.sentPosition.copy(own.position);
    this.sentTurn.copy(own.turn);
    const { x, y, z, w } = own.turn;
    const pose: PersonPose = { position: own.position.toArray(), turn: [x, y, z, w], left: own.left, right: own.right };
    this.parts.tell(poseMessage(pose));
  }

  private leave(peer: number): void {
    this.others.get(peer)?.figure.dispose();
    this.others.delete(peer);
  }

  private changed(): void {
    this.parts.changed();
    this.parts.invalidate();
  }
}

function recall(memory: Memory | undefined): string | null {
  try {
    return memory?.getItem(HIDDEN_KEY) ?? null;
  } catch {
    return null;
  }
}

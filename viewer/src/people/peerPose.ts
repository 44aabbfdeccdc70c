/** A person's pose in the few bytes of PEER_POSE, as `streaming/peer_pose.py` has it. Lengths in metres. */

import {
  PEER_EXPONENT_SHIFT,
  PEER_HAND_BYTES,
  PEER_LARGEST_EXPONENT,
  PEER_LEFT_HAND,
  PEER_RIGHT_HAND,
  ProtocolError,
  type PeerPoseMessage,
} from "../protocol/generated";

export type Vector = readonly [number, number, number];
/** x, y, z, w as three has it; the bytes begin with w. */
export type Turn = readonly [number, number, number, number];

export interface Hand {
  /** From the head, world axes. */
  readonly offset: Vector;
  readonly turn: Turn;
}

export interface PersonPose {
  /** Between the eyes, world. */
  readonly position: Vector;
  /** World from head, which looks along -Z. */
  readonly turn: Turn;
  readonly left?: Hand | undefined;
  readonly right?: Hand | undefined;
}

const STEPS_PER_M = 1024;
const HAND_STEPS_PER_M = 1000;
const LARGEST = 32_767;
const TURN_STEPS = 1022;
const RECORD_BYTES = 13;

export function poseMessage(pose: PersonPose): PeerPoseMessage {
  const hands = [pose.left, pose.right].filter((hand) => hand !== undefined);
  const bytes = new Uint8Array(PEER_HAND_BYTES * hands.length);
  const view = new DataView(bytes.buffer);
  hands.forEach(({ offset, turn }, index) => {
    const at = PEER_HAND_BYTES * index;
    whole(offset, HAND_STEPS_PER_M).forEach((value, axis) => view.setInt16(at + 2 * axis, value, true));
    view.setUint32(at + 6, packTurn(turn), true);
  });
  const largest = Math.max(...pose.position.map(Math.abs)) * STEPS_PER_M;
  let exponent = 0;
  while (largest > LARGEST * 2 ** exponent && exponent < PEER_LARGEST_EXPONENT) exponent++;
  return {
    type: "peerPose",
    flags: (pose.left ? PEER_LEFT_HAND : 0) | (pose.right ? PEER_RIGHT_HAND : 0) | (exponent << PEER_EXPONENT_SHIFT),
    position: whole(pose.position, STEPS_PER_M / 2 ** exponent),
    turn: packTurn(pose.turn),
    hands: bytes,
  };
}

/** The poses in PEERS. Throws a ProtocolError where they are cut short. */
export function* posesIn(records: Uint8Array): Generator<readonly [peer: number, pose: PersonPose]> {
  const view = new DataView(records.buffer, records.byteOffset, records.byteLength);
  let at = 0;
  while (at < view.byteLength) {
    const flags = view.byteLength - at >= RECORD_BYTES ? view.getUint8(at + 2) : 0;
    const hasLeft = (flags & PEER_LEFT_HAND) !== 0;
    const hasRight = (flags & PEER_RIGHT_HAND) !== 0;
    const end = at + RECORD_BYTES + PEER_HAND_BYTES * (Number(hasLeft) + Number(hasRight));
    if (end > view.byteLength) throw new ProtocolError("records of people must be whole");
    const steps = STEPS_PER_M / 2 ** (flags >> PEER_EXPONENT_SHIFT);
    const hands = at + RECORD_BYTES;
    yield [
      view.getUint16(at, true),
      {
        position: vector(view, at + 3, steps),
        turn: unpackTurn(view.getUint32(at + 9, true)),
        left: hasLeft ? hand(view, hands) : undefined,
        right: hasRight ? hand(view, hands + (hasLeft ? PEER_HAND_BYTES : 0)) : undefined,
      },
    ];
    at = end;
  }
}

function hand(view: DataView, at: number): Hand {
  return { offset: vector(view, at, HAND_STEPS_PER_M), turn: unpackTurn(view.getUint32(at + 6, true)) };
}

function vector(view: DataView, at: number, steps: number): Vector {
  return [view.getInt16(at, true) / steps, view.getInt16(at + 2, true) / steps, view.getInt16(at + 4, true) / steps];
}

function whole([x, y, z]: Vector, steps: number): [number, number, number] {
  const step = (value: number): number => Math.max(-LARGEST, Math.min(LARGEST, Math.round(value * steps)));
  return [step(x), step(y), step(z)];
}

function packTurn([x, y, z, w]: Turn): number {
  const length = Math.hypot(x, y, z, w) || 1;
  const unit = [w / length, x / length, y / length, z / length];
  const largest = unit.reduce((best, value, index) => (Math.abs(value) > Math.abs(unit[best] ?? 0) ? index : best), 0);
  const sign = (unit[largest] ?? 0) < 0 ? -1 : 1;
  let packed = largest;
  unit.forEach((value, index) => {
    if (index === largest) return;
    const step = Math.round(((value * sign * Math.SQRT2 + 1) / 2) * TURN_STEPS);
    packed = packed * 1024 + Math.max(0, Math.min(TURN_STEPS, step));
  });
  return packed;
}

function unpackTurn(packed: number): Turn {
  const numbers = [20, 10, 0].map((shift) => ((((packed >>> shift) & 1023) / TURN_STEPS) * 2 - 1) * Math.SQRT1_2);
  const squares = numbers.reduce((sum, value) => sum + value * value, 0);
  // Foreign bytes may hold three numbers that leave nothing for the fourth.
  numbers.splice(packed >>> 30, 0, Math.sqrt(Math.max(0, 1 - squares)));
  const length = Math.hypot(...numbers);
  const [w = 1, x = 0, y = 0, z = 0] = numbers.map((value) => value / length);
  return [x, y, z, w];
}

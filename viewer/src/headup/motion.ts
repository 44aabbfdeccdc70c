/**
 * Walking with four keys that may only click: each press adds a turn or a step, and holding goes on.
 *
 * The server says where walls and ground let one come, a little later than one moved: what it corrects at one
 * pose is corrected here and now, so steps taken since are kept.
 */

export type Vec3 = readonly [number, number, number];

const TURN_DEG = 15;
const STEP_M = 0.6;
const TURN_DEG_PER_S = 60;
const WALK_M_PER_S = 1.4;
/** Presses ahead of what is shown beyond this are not kept: nobody wants to walk on for seconds. */
const MOST_AHEAD = 2;
/** Poses whose pictures may still come. */
const REMEMBERED = 64;

export interface Start {
  /** Eye, metres, world. */
  readonly position: Vec3;
  readonly yawDeg: number;
}

export class Motion {
  private position: [number, number, number];
  private yawDeg: number;
  private turnLeftDeg = 0;
  private walkLeftM = 0;
  private headYawDeg = 0;
  private headPitchDeg = 0;
  private readonly sent = new Map<number, Vec3>();

  constructor(private readonly start: Start) {
    this.position = [...start.position];
    this.yawDeg = start.yawDeg;
  }

  get eye(): Vec3 {
    return [...this.position];
  }

  /** Viewing direction, world: where the body faces and where the head is turned on it. */
  get forward(): Vec3 {
    const yaw = ((this.yawDeg + this.headYawDeg) * Math.PI) / 180;
    const pitch = (this.headPitchDeg * Math.PI) / 180;
    return [-Math.sin(yaw) * Math.cos(pitch), Math.sin(pitch), -Math.cos(yaw) * Math.cos(pitch)];
  }

  get isMoving(): boolean {
    return this.turnLeftDeg !== 0 || this.walkLeftM !== 0;
  }

  /** A press of an arrow: +1 is left, -1 right. */
  turn(way: 1 | -1): void {
    this.turnLeftDeg = added(this.turnLeftDeg, way * TURN_DEG, MOST_AHEAD * TURN_DEG);
  }

  /** A press of an arrow: +1 is ahead, -1 back. */
  walk(way: 1 | -1): void {
    this.walkLeftM = added(this.walkLeftM, way * STEP_M, MOST_AHEAD * STEP_M);
  }

  /** Turn the head on the body, degrees: to the left and up are positive. */
  look(yawDeg: number, pitchDeg: number): void {
    this.headYawDeg = yawDeg;
    this.headPitchDeg = Math.max(-85, Math.min(85, pitchDeg));
  }

  recentre(): void {
    this.position = [...this.start.position];
    this.yawDeg = this.start.yawDeg;
    this.turnLeftDeg = this.walkLeftM = 0;
    this.sent.clear(); // what pictures of the place before say is of no use here
  }

  advance(seconds: number): void {
    const turn = towardsZero(this.turnLeftDeg, TURN_DEG_PER_S * seconds);
    this.turnLeftDeg -= turn;
    this.yawDeg += turn;
    const step = towardsZero(this.walkLeftM, WALK_M_PER_S * seconds);
    this.walkLeftM -= step;
    // One walks where the body faces, and looks elsewhere while walking.
    const yaw = (this.yawDeg * Math.PI) / 180;
    this.position[0] -= Math.sin(yaw) * step;
    this.position[2] -= Math.cos(yaw) * step;
  }

  /** Remember where one was when a pose was told. */
  told(epoch: number): void {
    this.sent.set(epoch, this.eye);
    for (const old of this.sent.keys()) {
      if (this.sent.size <= REMEMBERED) break;
      this.sent.delete(old);
    }
  }

  /** Take in where the server put the eye of a pose. */
  correct(epoch: number, eye: Vec3): void {
    const was = this.sent.get(epoch);
    if (!was) return;
    for (const axis of [0, 1, 2] as const) {
      const change = eye[axis] - was[axis];
      this.position[axis] += change;
    }
    for (const [other, place] of this.sent) {
      if (other <= epoch) this.sent.delete(other);
      else this.sent.set(other, [place[0] + eye[0] - was[0], place[1] + eye[1] - was[1], place[2] + eye[2] - was[2]]);
    }
  }
}

function added(left: number, more: number, most: number): number {
  // The other way stops at once.
  if (left * more < 0) return 0;
  return Math.max(-most, Math.min(most, left + more));
}

function towardsZero(left: number, most: number): number {
  return Math.sign(left) * Math.min(Math.abs(left), most);
}

/** The visitor: where they stand and look, walking on the floor or flying over it. */

import * as THREE from "three";
import type { ColliderMesh } from "../decode/messages";
import type { SceneSummary } from "../protocol/link";
import type { Stage } from "../render/stage";
import { Collider } from "./collider";
import { clampIntent, createIntent, type Intent, type IntentSource } from "./intent";
import { Walker } from "./walker";

const WALK_M_PER_S = 1.9;
const RUN_M_PER_S = 4.4;
const FLY_M_PER_S = 3.5;
const MOST_PITCH = (85 * Math.PI) / 180;
/** People are a hand taller than their eyes are high. */
const HEAD_ABOVE_EYES_M = 0.12;
/** The scene's box is drawn around splats; a visitor may stand a step outside it. */
const BOUNDS_MARGIN_M = 0.5;
const UP = new THREE.Vector3(0, 1, 0);

export type Movement = "walk" | "fly";

export class Player {
  readonly walker: Walker;
  collider: Collider | undefined;
  private movement: Movement = "walk";
  private yaw = 0;
  private pitch = 0;
  private isHeld = false;
  private readonly intent: Intent = createIntent();
  private readonly velocity = new THREE.Vector3();
  private readonly spawn = new THREE.Vector3();
  private spawnYaw = 0;
  private readonly bounds: THREE.Box3;

  constructor(
    private readonly stage: Stage,
    private readonly sources: IntentSource[],
    scene: SceneSummary,
  ) {
    this.bounds = boundsOf(scene);
    this.eyeHeightM = scene.eye_height_m;
    this.walker = new Walker(this.eyeHeightM + HEAD_ABOVE_EYES_M, this.bounds);
    this.readSpawn(scene);
    this.recentre();
  }

  /** Come into another place, at `feet` and facing `yaw`; its floor follows with `enterWorld`. */
  moveTo(scene: SceneSummary, feet: THREE.Vector3, yaw: number): void {
    this.collider?.dispose();
    this.collider = undefined;
    this.bounds.copy(boundsOf(scene));
    this.walker.leave(this.bounds);
    this.readSpawn(scene);
    this.stand(feet, yaw);
  }

  /** Learn where another version of the same place begins and ends; the visitor stays where they are. */
  know(scene: SceneSummary): void {
    this.bounds.copy(boundsOf(scene));
    this.readSpawn(scene);
  }

  readonly eyeHeightM: number;

  get mode(): Movement {
    return this.movement;
  }

  set mode(movement: Movement) {
    this.movement = movement;
    if (movement === "walk") this.walker.place(this.walker.feet);
    this.apply();
  }

  /** Give the visitor a floor and walls. */
  enterWorld(mesh: ColliderMesh): void {
    this.collider?.dispose();
    this.collider = new Collider(mesh);
    this.walker.enter(this.collider);
    this.apply();
  }

  /** Back to where the scene begins. */
  recentre(): void {
    this.stand(this.spawn, this.spawnYaw);
  }

  /** Put the visitor somewhere, facing `yaw` radians to the left of -Z. */
  stand(feet: THREE.Vector3, yaw: number): void {
    this.walker.place(feet);
    this.yaw = yaw;
    this.pitch = 0;
    this.apply();
  }

  /** Stop following the controls: a test or an XR session has the camera. */
  hold(isHeld: boolean): void {
    this.isHeld = isHeld;
    if (!isHeld) this.apply();
  }

  /** Obey one more device from now on. */
  follow<Source extends IntentSource>(source: Source): Source {
    this.sources.push(source);
    return source;
  }

  update(seconds: number): void {
    const { intent } = this;
    intent.strafe = intent.ahead = intent.rise = intent.turn = intent.pitch = 0;
    intent.isRunning = false;
    for (const source of this.sources) source.contribute(intent, seconds);
    if (this.isHeld) return;
    clampIntent(intent);
    this.yaw += intent.turn;
    this.pitch = Math.max(-MOST_PITCH, Math.min(MOST_PITCH, this.pitch + intent.pitch));
    if (this.movement === "walk") {
      this.velocity.set(intent.strafe, 0, -intent.ahead).applyAxisAngle(UP, this.yaw);
      this.velocity.multiplyScalar(intent.isRunning ? RUN_M_PER_S : WALK_M_PER_S);
      this.walker.advance(seconds, this.velocity);
    } else {
      this.fly(seconds);
    }
    this.apply();
  }

  /** Move the rig under a head that XR places: `velocity` in metres per second, horizontal. */
  walkHead(seconds: number, head: THREE.Vector3, velocity: THREE.Vector3): void {
    const { feet } = this.walker;
    feet.x = head.x;
    feet.z = head.z;
    this.walker.advance(seconds, velocity);
    this.stage.rig.position.x += feet.x - head.x;
    this.stage.rig.position.z += feet.z - head.z;
    this.stage.rig.position.y = feet.y;
  }

  /** Turn the rig about a head that XR places. */
  turnHead(radians: number, head: THREE.Vector3): void {
    const { rig } = this.stage;
    rig.position.sub(head).applyAxisAngle(UP, radians).add(head);
    rig.rotation.y += radians;
    this.yaw = rig.rotation.y;
  }

  /** Take over where an XR visitor stands and faces. */
  leaveHead(head: THREE.Vector3, yaw: number): void {
    this.isHeld = false;
    this.stand(new THREE.Vector3(head.x, this.walker.feet.y, head.z), yaw);
  }

  private readSpawn({ spawn }: SceneSummary): void {
    this.spawn.set(...spawn.position);
    this.spawnYaw = (spawn.yaw_deg * Math.PI) / 180;
  }

  private fly(seconds: number): void {
    const { intent, velocity } = this;
    const speed = FLY_M_PER_S * (intent.isRunning ? 2 : 1) * seconds;
    velocity.set(intent.strafe, 0, -intent.ahead).applyQuaternion(this.stage.camera.getWorldQuaternion(turn));
    velocity.y += intent.rise;
    this.walker.feet.addScaledVector(velocity, speed);
    box.copy(this.bounds).expandByScalar(2);
    this.walker.feet.y += this.eyeHeightM;
    this.walker.feet.clamp(box.min, box.max);
    this.walker.feet.y -= this.eyeHeightM;
  }

  private apply(): void {
    const { rig, camera } = this.stage;
    if (this.isHeld) return;
    rig.position.copy(this.walker.feet);
    rig.rotation.set(0, this.yaw, 0);
    camera.position.set(0, this.eyeHeightM, 0);
    camera.rotation.set(this.pitch, 0, 0);
  }
}

function boundsOf(scene: SceneSummary): THREE.Box3 {
  const [low, high] = [scene.bounds_min, scene.bounds_max].map((corner) => new THREE.Vector3(...corner));
  return new THREE.Box3(low, high).expandByScalar(BOUNDS_MARGIN_M);
}

const turn = new THREE.Quaternion();
const box = new THREE.Box3();

/**
 * VR and AR: our own entry into a WebXR session, and moving about in it.
 *
 * The rig under the camera moves, never the scene. Left stick walks, right stick turns in steps; a pinch,
 * a trigger or the right stick pushed forward aims a teleport. Without the stick, room-scale steps do.
 */

import * as THREE from "three";
import { ownHands } from "../people/ownHands";
import type { Stage } from "../render/stage";
import type { XrOffer } from "../ui/hud";
import { STRINGS } from "../ui/strings";
import { withDeadZone } from "../walk/gamepad";
import type { Player } from "../walk/player";
import { TeleportAim } from "./teleport";

/** Slower than on a screen: seen motion without felt motion makes people ill. */
const WALK_M_PER_S = 1.4;
const SNAP_TURN = (30 * Math.PI) / 180;
/** A stick counts as pushed beyond the first value, and as let go below the second. */
const PUSHED = 0.7;
const LET_GO = 0.3;
/** Thumbstick axes of the xr-standard gamepad mapping. */
const STICK_X = 2;
const STICK_Y = 3;

/** Which sessions this browser offers, and in words why none. */
export async function offerXr(): Promise<XrOffer> {
  const { xr } = navigator;
  if (!window.isSecureContext) return { vr: false, ar: false, why: STRINGS.xrInsecure };
  const supports = async (mode: XRSessionMode) => (await xr?.isSessionSupported(mode).catch(() => false)) ?? false;
  const [vr, ar] = await Promise.all([supports("immersive-vr"), supports("immersive-ar")]);
  return { vr, ar, why: vr || ar ? "" : STRINGS.xrNone };
}

export class XrVisit {
  private session: XRSession | undefined;
  private readonly aim: TeleportAim;
  private readonly head = new THREE.Vector3();
  private readonly heading = new THREE.Quaternion();
  private readonly euler = new THREE.Euler(0, 0, 0, "YXZ");
  private readonly velocity = new THREE.Vector3();
  private readonly pinching = new Set<XRInputSource>();
  private aiming: XRInputSource | undefined;
  private canSnap = true;

  constructor(
    private readonly stage: Stage,
    private readonly player: Player,
  ) {
    this.aim = new TeleportAim(stage.scene);
  }

  /** Ask for a session; must be called from a press. Throws what the browser says. */
  async enter(mode: XRSessionMode): Promise<void> {
    const { xr } = navigator;
    if (!xr || this.session) return;
    const session = await xr.requestSession(mode, {
      requiredFeatures: ["local-floor"],
      optionalFeatures: ["hand-tracking", "layers"],
    });
    this.session = session;
    session.addEventListener("end", () => this.restore());
    session.addEventListener("selectstart", (event) => this.pinching.add(event.inputSource));
    session.addEventListener("selectend", (event) => this.pinching.delete(event.inputSource));
    this.player.mode = "walk";
    this.player.hold(true);
    this.stage.camera.position.set(0, 0, 0);
    const { environmentBlendMode } = session;
    this.stage.setSeeThrough(environmentBlendMode === "alpha-blend" || environmentBlendMode === "additive");
    try {
      await this.stage.renderer.xr.setSession(session);
      this.stage.enterSession();
    } catch (error) {
      await session.end().catch(() => undefined);
      throw error;
    }
  }

  leave(): void {
    void this.session?.end().catch(() => undefined);
  }

  /** The visitor's hands beside their head. */
  hands(frame: XRFrame, head: THREE.Vector3): ReturnType<typeof ownHands> {
    const space = this.stage.renderer.xr.getReferenceSpace();
    return space ? ownHands(frame, space, this.stage.rig, head) : {};
  }

  get isIn(): boolean {
    return this.session !== undefined;
  }

  /** Stand the head over `feet` and turn it to face `yaw`: the visitor came through a doorway. */
  arrive(feet: THREE.Vector3, yaw: number): void {
    const { rig } = this.stage;
    this.player.turnHead(yaw - this.euler.y, this.head);
    rig.position.x += feet.x - this.head.x;
    rig.position.z += feet.z - this.head.z;
    rig.position.y = this.player.walker.feet.y;
    this.head.set(feet.x, this.head.y, feet.z);
  }

  /** One frame of a session: where the head is, what the hands do. */
  frame(seconds: number, frame: XRFrame): void {
    const space = this.stage.renderer.xr.getReferenceSpace();
    const pose = space && frame.getViewerPose(space);
    if (!space || !pose) return; // tracking may be lost for some frames; stay where we are
    this.readHead(pose.transform);
    this.velocity.set(0, 0, 0);
    let aimed: XRInputSource | undefined;
    for (const source of frame.session.inputSources) {
      const axes = source.gamepad?.axes;
      const x = axes?.[STICK_X] ?? 0;
      const y = axes?.[STICK_Y] ?? 0;
      if (source.handedness === "right") {
        this.snap(x);
        if (y < -PUSHED || (this.aiming === source && y < -LET_GO)) aimed = source;
      } else {
        this.velocity.x += withDeadZone(x);
        this.velocity.z += withDeadZone(y);
      }
      if (this.pinching.has(source)) aimed = source;
    }
    this.velocity.applyEuler(this.euler).multiplyScalar(WALK_M_PER_S);
    this.player.walkHead(seconds, this.head, this.velocity);
    this.teleport(aimed, frame, space);
  }

  private readHead({ position, orientation }: XRRigidTransform): void {
    const { rig } = this.stage;
    rig.updateWorldMatrix(true, false);
    this.head.set(position.x, position.y, position.z).applyMatrix4(rig.matrixWorld);
    this.heading.set(orientation.x, orientation.y, orientation.z, orientation.w).premultiply(rig.quaternion);
    this.euler.setFromQuaternion(this.heading, "YXZ");
    this.euler.x = this.euler.z = 0; // walking goes level, wherever one looks
  }

  private snap(x: number): void {
    if (Math.abs(x) < LET_GO) this.canSnap = true;
    if (Math.abs(x) < PUSHED || !this.canSnap) return;
    this.canSnap = false;
    this.player.turnHead(-Math.sign(x) * SNAP_TURN, this.head);
  }

  private teleport(aimed: XRInputSource | undefined, frame: XRFrame, space: XRReferenceSpace): void {
    if (aimed) {
      this.aiming = aimed;
      const ray = frame.getPose(aimed.targetRaySpace, space);
      if (ray) this.aim.point(ray.transform, this.stage.rig, this.player);
      return;
    }
    if (!this.aiming) return;
    this.aiming = undefined;
    const target = this.aim.take();
    if (!target) return;
    const { rig } = this.stage;
    rig.position.x += target.x - this.head.x;
    rig.position.z += target.z - this.head.z;
    this.player.walker.place(target);
    rig.position.y = this.player.walker.feet.y;
  }

  private restore(): void {
    this.session = undefined;
    this.pinching.clear();
    this.aiming = undefined;
    this.aim.take();
    this.stage.setSeeThrough(false);
    this.player.leaveHead(this.head, this.euler.y);
    this.stage.afterSession();
  }
}

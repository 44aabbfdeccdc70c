/** The hands of a visitor in a headset, tracked or holding controllers, as the others are told of them. */

import * as THREE from "three";
import type { Hand } from "./peerPose";

const position = new THREE.Vector3();
const turn = new THREE.Quaternion();

/** Hands beside a head at `head`, in the world; the rig is where the headset's own room stands. */
export function ownHands(
  frame: XRFrame,
  space: XRReferenceSpace,
  rig: THREE.Object3D,
  head: THREE.Vector3,
): { left?: Hand; right?: Hand } {
  const found: { left?: Hand; right?: Hand } = {};
  for (const { gripSpace, handedness } of frame.session.inputSources) {
    if (!gripSpace || handedness === "none") continue;
    const pose = frame.getPose(gripSpace, space);
    if (!pose) continue; // out of sight of the cameras
    const { position: at, orientation } = pose.transform;
    position.set(at.x, at.y, at.z).applyMatrix4(rig.matrixWorld).sub(head);
    turn.set(orientation.x, orientation.y, orientation.z, orientation.w).premultiply(rig.quaternion);
    found[handedness] = { offset: position.toArray(), turn: [turn.x, turn.y, turn.z, turn.w] };
  }
  return found;
}

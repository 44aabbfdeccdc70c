/** `?debug`: a handle for tests. Without the flag nothing of this exists on the page. */

import * as THREE from "three";
import type { GovernorStep, Settings } from "./render/governor";
import type { ChunkTime, Visit } from "./visit";

export interface DebugState {
  readonly phase: string;
  readonly failure: string | undefined;
  readonly isSettled: boolean;
  readonly splatsAlive: number;
  readonly splatsDrawn: number;
  readonly chunksShown: number;
  readonly chunksPlanned: number;
  readonly chunksLeftOut: number;
  readonly brokenChunks: number;
  readonly bytesReceived: number;
  readonly hasCollider: boolean;
  readonly feet: readonly number[];
  readonly isGrounded: boolean;
  readonly title: string;
  readonly soundsPlaying: number;
  /** The others, where they are shown now. */
  readonly others: readonly { readonly name: string; readonly position: readonly number[] }[];
  readonly areOthersHidden: boolean;
  /** Where the doorways stand: x, y, z in metres, and the yaw in degrees of who walks into them. */
  readonly portals: readonly (readonly [number, number, number, number])[];
  readonly rescues: number;
  readonly mode: string;
  readonly cameraMatrix: readonly number[];
  readonly framesDrawn: number;
  readonly ticks: number;
  readonly isPresenting: boolean;
  readonly isSeeThrough: boolean;
  readonly pixelRatio: number;
  readonly budget: number;
  readonly governor: {
    readonly settings: Settings;
    readonly frameMs: number;
    readonly targetMs: number;
    readonly log: readonly GovernorStep[];
  };
}

/** A pinhole camera as Python has it: OpenCV axes, row-major matrices, pixels. */
export interface PinholePose {
  readonly viewmat: readonly number[]; // [4, 4] world -> camera
  readonly K: readonly number[]; // [3, 3]
  readonly width: number;
  readonly height: number;
}

export interface DebugHandle {
  readonly state: () => DebugState;
  /** Look through this camera until `releasePose`; the canvas must have its size. */
  readonly setPose: (pose: PinholePose) => void;
  readonly releasePose: () => void;
  /** Where the visitor stands and faces; 0 looks along -Z. */
  readonly stand: (position: readonly [number, number, number], yawDeg: number) => void;
  /** PNG of the canvas as a data URL. */
  readonly capture: () => string;
  /** What each chunk took so far. */
  readonly chunkTimes: () => readonly ChunkTime[];
}

declare global {
  interface Window {
    __immersive?: DebugHandle;
  }
}

export function installDebug(visit: Visit): void {
  const { stage, player, picture } = visit;
  window.__immersive = {
    state: () => ({
      phase: visit.phase,
      failure: visit.failure?.code,
      isSettled: visit.isSettled,
      splatsAlive: picture.aliveCount,
      splatsDrawn: stage.backend.drawnCount,
      chunksShown: picture.chunkCount,
      chunksPlanned: visit.chunksPlanned,
      chunksLeftOut: visit.leftOut,
      brokenChunks: visit.brokenChunks,
      bytesReceived: visit.bytesReceived,
      hasCollider: visit.hasCollider,
      feet: player.walker.feet.toArray(),
      isGrounded: player.walker.isGrounded,
      title: visit.place.title,
      others: visit.others.shown,
      areOthersHidden: visit.others.areHidden,
      soundsPlaying: visit.soundscape.playingCount,
      portals: visit.portals.map(({ position: [x, y, z], yaw_deg }) => [x, y, z, yaw_deg] as const),
      rescues: player.walker.rescues,
      mode: player.mode,
      cameraMatrix: stage.camera.matrixWorld.toArray(),
      framesDrawn: stage.framesDrawn,
      ticks: stage.ticks,
      isPresenting: stage.renderer.xr.isPresenting,
      isSeeThrough: stage.scene.background === null,
      pixelRatio: stage.pixelRatio,
      budget: visit.budget,
      governor: {
        settings: stage.governor.settings,
        frameMs: stage.governor.frameMs,
        targetMs: stage.governor.targetMs,
        log: stage.governor.log,
      },
    }),
    setPose: (pose) => {
      player.hold(true);
      worldFromCamera(pose).decompose(stage.rig.position, stage.rig.quaternion, stage.rig.scale);
      stage.camera.position.set(0, 0, 0);
      stage.camera.rotation.set(0, 0, 0);
      stage.holdProjection(projection(pose, stage.camera.near, stage.camera.far));
    },
    releasePose: () => {
      stage.holdProjection(undefined);
      stage.rig.scale.set(1, 1, 1);
      player.hold(false);
    },
    stand: (position, yawDeg) => player.stand(new THREE.Vector3(...position), (yawDeg * Math.PI) / 180),
    capture: () => stage.capture(),
    chunkTimes: () => visit.chunkTimes ?? [],
  };
}

/** OpenCV looks along +Z with y down, three along -Z with y up: half a turn about x on the camera's side. */
function worldFromCamera({ viewmat }: PinholePose): THREE.Matrix4 {
  const camFromWorld = new THREE.Matrix4().fromArray([...viewmat]).transpose();
  return camFromWorld.invert().multiply(new THREE.Matrix4().makeScale(1, -1, -1));
}

function projection({ K, width, height }: PinholePose, near: number, far: number): THREE.Matrix4 {
  const [fx = 1, , cx = 0, , fy = 1, cy = 0] = K;
  return new THREE.Matrix4().makePerspective(
    (-cx / fx) * near,
    ((width - cx) / fx) * near,
    (cy / fy) * near,
    (-(height - cy) / fy) * near,
    near,
    far,
  );
}

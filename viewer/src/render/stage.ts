/**
 * The canvas, the camera on its rig, and the frame loop.
 *
 * The rig stands where the visitor's feet are and carries the camera, and in XR the controllers; the scene
 * itself never moves, because a moved splat mesh lags a frame behind. Draws only when something changed:
 * a laptop without a GPU should not work for a picture that stands still.
 */

import * as THREE from "three";
import { Failure } from "../protocol/link";
import type { DeviceProfile } from "../device/profiles";
import type { Quality } from "../device/quality";
import { SCREEN_TARGET_MS, headsetDials, headsetTargetMs, screenDials } from "./dials";
import { Governor, type Settings } from "./governor";
import { slowDown } from "./slowGpu";
import { SparkBackend } from "./sparkBackend";

const VERTICAL_FOV_DEG = 65;
/** A phone held upright would otherwise look through a slit. */
const LEAST_HORIZONTAL_FOV_DEG = 48;
const WIDEST_FOV_DEG = 85;
const NEAR_M = 0.05;
const FAR_M = 2_000;
/** Spark sorts in the background; the newest order shows within this time after the last change. */
const LINGER_MS = 400;
const OWED_FRAMES = 2;
/** Frames whose times are kept, for who wants to look at them. */
export const FRAME_TIMES = 120;

export interface StageOptions {
  readonly profile: DeviceProfile;
  /** For tests: one CSS pixel is one pixel, at every frame rate. */
  readonly hasFixedResolution: boolean;
  readonly isExact: boolean;
  readonly batchesQuads: boolean;
  readonly shrinksNearEye: boolean;
  readonly quality: Quality;
  /** For tests: milliseconds to lose on a megapixel under 100 000 splats, and another target than the screen's. */
  readonly slowMs: number;
  readonly targetMs: number | undefined;
  /** Splats that take part, whether in view or not. */
  readonly countAlive: () => number;
  /** The governor asks for no more splats than this. */
  readonly onBudget: (splats: number) => void;
}

/** What draws the scene in place of the one camera. */
export interface Viewers {
  readonly camera: THREE.Camera;
  aspect(width: number, height: number): number;
  follow(head: THREE.PerspectiveCamera, width: number, height: number): void;
}

export type Frame = (seconds: number, xrFrame: XRFrame | undefined) => void;

export class Stage {
  readonly renderer: THREE.WebGLRenderer;
  readonly scene = new THREE.Scene();
  readonly rig = new THREE.Group();
  readonly camera = new THREE.PerspectiveCamera(VERTICAL_FOV_DEG, 1, NEAR_M, FAR_M);
  readonly backend: SparkBackend;
  framesDrawn = 0;
  /** Milliseconds from a frame to the next; frame n has its place at n modulo the length, those after a rest are 0. */
  readonly frameTimes = new Float32Array(FRAME_TIMES);
  /** Nothing changes, so nothing is drawn. */
  isResting = false;
  /** Turns of the frame loop, drawn or not. */
  ticks = 0;
  private viewers: Viewers | undefined;
  private readonly background = new THREE.Color(0x0b0d10);
  private readonly screenGovernor: Governor;
  private headsetGovernor: Governor | undefined;
  private quality: Quality;
  private budget: number;
  private readonly pose = new THREE.Matrix4();
  private lastPose = new THREE.Matrix4();
  private busyUntil = 0;
  private owedFrames = 0;
  private lastTime = 0;
  private lastDrawn = 0;
  private heldProjection: THREE.Matrix4 | undefined;
  private readonly sharpRatio: number;
  private movingRatio: number;
  private isSharp = true;
  private isScaled = false;

  constructor(
    readonly canvas: HTMLCanvasElement,
    private readonly options: StageOptions,
    private readonly onFrame: Frame,
    onLost: (failure: Failure) => void,
  ) {
    this.renderer = createRenderer(canvas);
    this.renderer.xr.enabled = true;
    this.renderer.xr.setReferenceSpaceType("local-floor");
    this.scene.background = this.background;
    this.scene.add(this.rig);
    this.rig.add(this.camera);
    const { profile } = options;
    const most = options.hasFixedResolution ? 1 : Math.min(window.devicePixelRatio || 1, profile.maxPixelRatio);
    this.quality = options.quality;
    this.budget = profile.maxSplats;
    const target = options.targetMs ?? SCREEN_TARGET_MS;
    this.screenGovernor = new Governor(screenDials(profile, most), target, (settings) => this.adopt(settings));
    this.sharpRatio = this.movingRatio = most;
    this.renderer.setPixelRatio(most);
    this.backend = new SparkBackend(this.renderer, this.scene, {
      maxStdDev: profile.maxStdDev,
      maxStdDevXr: profile.maxStdDevXr,
      sortsByDistance: profile.sortsByDistance,
      batchesQuads: options.batchesQuads,
      shrinksNearEye: options.shrinksNearEye,
      isExact: options.isExact,
      onDirty: () => this.invalidate(),
    });
    canvas.addEventListener("webglcontextlost", (event) => {
      event.preventDefault();
      onLost(new Failure("webgl_lost"));
    });
    new ResizeObserver(() => {
      this.resize();
      this.draw();
    }).observe(canvas);
    this.resize();
    this.screenGovernor.choose(this.quality);
  }

  /** Who decides now what is drawn how well. */
  get governor(): Governor {
    return this.headsetGovernor ?? this.screenGovernor;
  }

  /** Device pixels for a CSS pixel that is drawn now. */
  get pixelRatio(): number {
    return this.renderer.getPixelRatio();
  }

  /** The same at its best. */
  get fullRatio(): number {
    return this.sharpRatio;
  }

  choose(quality: Quality): void {
    this.quality = quality;
    this.screenGovernor.choose(quality);
    this.headsetGovernor?.choose(quality);
    this.invalidate();
  }

  start(): void {
    this.renderer.setAnimationLoop((time, xrFrame?: XRFrame) => this.tick(time, xrFrame));
  }

  stop(): void {
    this.renderer.setAnimationLoop(null);
  }

  /** Look through two eyes; their glasses add light, so where nothing is stays black. */
  setEyes(eyes: Viewers): void {
    this.viewers = eyes;
    this.background.set(0);
    this.resize();
  }

  setBackground([red, green, blue]: readonly [number, number, number]): void {
    if (this.viewers) return;
    this.background.setRGB(red, green, blue, THREE.SRGBColorSpace);
    this.invalidate();
  }

  /** In a see-through session the room is the background. */
  setSeeThrough(isSeeThrough: boolean): void {
    this.scene.background = isSeeThrough ? null : this.background;
  }

  /** Draw again from now on for a moment. */
  invalidate(): void {
    this.busyUntil = performance.now() + LINGER_MS;
    this.owedFrames = OWED_FRAMES;
  }

  /** The cone that holds the picture, for the server's choice of chunks. */
  get fovDeg(): number {
    const half = Math.tan((this.camera.fov * Math.PI) / 360);
    const diagonal = Math.hypot(half, half * this.camera.aspect);
    return Math.min(170, (2 * Math.atan(diagonal) * 180) / Math.PI);
  }

  /** Hold a projection of a test's own, or let the window's shape decide again. */
  holdProjection(projection: THREE.Matrix4 | undefined): void {
    this.heldProjection = projection;
    this.resize();
  }

  /** A session has begun: it has a rate of its own, and other things to give up. */
  enterSession(): void {
    this.backend.setHeadset(true);
    const target = this.options.targetMs ?? headsetTargetMs(this.renderer.xr.getSession());
    this.headsetGovernor = new Governor(headsetDials(this.options.profile), target, (settings) => this.adopt(settings));
    this.headsetGovernor.choose(this.quality);
  }

  /** A session leaves the canvas and the camera as the headset had them. */
  afterSession(): void {
    this.headsetGovernor = undefined;
    this.backend.setHeadset(false);
    this.adopt(this.screenGovernor.settings);
    this.resize();
  }

  /** Draw now and return the picture as PNG bytes in a data URL. */
  capture(): string {
    this.render();
    return this.canvas.toDataURL("image/png");
  }

  dispose(): void {
    this.stop();
    this.backend.dispose();
    this.renderer.dispose();
  }

  private tick(time: number, xrFrame: XRFrame | undefined): void {
    const seconds = Math.min(1, Math.max(0, (time - this.lastTime) / 1_000));
    this.lastTime = time;
    this.ticks++;
    this.onFrame(seconds, xrFrame);
    this.camera.updateWorldMatrix(true, false);
    this.pose.copy(this.camera.matrixWorld);
    const isStill = !xrFrame && this.pose.equals(this.lastPose) && this.isIdle();
    this.lastPose.copy(this.pose);
    this.isResting = isStill && this.isSharp;
    if (isStill && this.isSharp) {
      this.lastDrawn = 0;
      return;
    }
    // Before drawing, because a new size empties the canvas.
    if (!xrFrame) this.sharpen(isStill);
    if (!isStill) this.govern(time);
    if (xrFrame) this.scaleViewports(xrFrame);
    this.draw();
  }

  /** On a slow machine a frame may outlast any time span, so frames are owed too. */
  private isIdle(): boolean {
    return this.owedFrames <= 0 && performance.now() > this.busyUntil && this.backend.isSettled;
  }

  private draw(): void {
    const { slowMs } = this.options;
    this.render();
    if (slowMs > 0) slowDown(slowMs, this.canvas.width * this.canvas.height, this.backend.drawnCount);
    this.framesDrawn++;
    this.owedFrames--;
  }

  private render(): void {
    const { viewers, renderer, canvas } = this;
    if (!viewers || renderer.xr.isPresenting) return renderer.render(this.scene, this.camera);
    this.camera.updateWorldMatrix(true, false);
    viewers.follow(this.camera, canvas.width, canvas.height);
    renderer.render(this.scene, viewers.camera);
  }

  /** A picture that stands still is drawn once more with every pixel, whatever moving ones had to give up. */
  private sharpen(isStill: boolean): void {
    const isSharp = isStill || this.movingRatio === this.sharpRatio;
    if (isSharp === this.isSharp) return;
    this.isSharp = isSharp;
    this.setRatio(isSharp ? this.sharpRatio : this.movingRatio);
  }

  private govern(time: number): void {
    const elapsed = this.lastDrawn > 0 ? time - this.lastDrawn : 0;
    this.frameTimes[this.framesDrawn % FRAME_TIMES] = elapsed;
    if (elapsed > 0) this.governor.frame(time, elapsed, this.options.countAlive());
    this.lastDrawn = time;
  }

  private adopt({ edges, resolution, splats, maxStdDev, shDegree }: Settings): void {
    const { xr } = this.renderer;
    if (xr.isPresenting) xr.setFoveation(1 - (edges ?? 1));
    else if (resolution !== undefined && resolution !== this.movingRatio) {
      this.movingRatio = resolution;
      this.isSharp = resolution === this.sharpRatio;
      this.setRatio(resolution);
    }
    this.backend.setDetail(maxStdDev, shDegree);
    if (splats === undefined || splats === this.budget) return;
    this.budget = splats;
    this.options.onBudget(splats);
  }

  /** Browsers take it from the next frame on, and only those that can. */
  private scaleViewports(frame: XRFrame): void {
    const scale = this.governor.settings.resolution ?? 1;
    const space = this.renderer.xr.getReferenceSpace();
    const views = space ? (frame.getViewerPose(space)?.views ?? []) : [];
    for (const view of views) if (scale < 1 || this.isScaled) view.requestViewportScale?.(scale);
    this.isScaled = scale < 1;
  }

  private setRatio(ratio: number): void {
    const { busyUntil, owedFrames } = this;
    this.renderer.setPixelRatio(ratio);
    this.resize();
    this.busyUntil = busyUntil; // fewer or more pixels are no change of the scene
    this.owedFrames = owedFrames;
  }

  private resize(): void {
    if (this.renderer.xr.isPresenting) return;
    const width = Math.max(1, this.canvas.clientWidth);
    const height = Math.max(1, this.canvas.clientHeight);
    this.renderer.setSize(width, height, false);
    this.camera.aspect = this.viewers?.aspect(width, height) ?? width / height;
    this.camera.fov = verticalFov(this.camera.aspect);
    this.camera.updateProjectionMatrix();
    if (this.heldProjection) {
      this.camera.projectionMatrix.copy(this.heldProjection);
      this.camera.projectionMatrixInverse.copy(this.heldProjection).invert();
    }
    this.invalidate();
  }
}

function verticalFov(aspect: number): number {
  const least = Math.tan((LEAST_HORIZONTAL_FOV_DEG * Math.PI) / 360) / aspect;
  return Math.min(WIDEST_FOV_DEG, Math.max(VERTICAL_FOV_DEG, (2 * Math.atan(least) * 180) / Math.PI));
}

function createRenderer(canvas: HTMLCanvasElement): THREE.WebGLRenderer {
  // Antialiasing blurs splats, costs much, and together with them has hung the Quest browser.
  try {
    return new THREE.WebGLRenderer({ canvas, antialias: false, alpha: false, powerPreference: "high-performance" });
  } catch (error) {
    throw new Failure("webgl_missing", String(error));
  }
}

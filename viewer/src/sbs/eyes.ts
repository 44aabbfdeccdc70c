/**
 * Two eyes side by side on one canvas, for glasses that are a monitor and no more.
 *
 * One camera of two parts, drawn in one go: two drawings would order the splats twice. Both eyes look the same way
 * and their pictures are shifted (off-axis), so that nothing is higher in one eye than in the other.
 */

import * as THREE from "three";

export interface EyeOptions {
  /** Between the eyes, metres. */
  readonly ipdM: number;
  /** What is this far away lies on the display; 0: only what is infinitely far does. */
  readonly convergenceM: number;
  /** The left eye's picture on the right, for looking cross-eyed and for cables that swap. */
  readonly isSwapped: boolean;
  /** Each half shows a whole picture at half its width; the glasses stretch it. */
  readonly isSqueezed: boolean;
}

export class Eyes {
  readonly camera: THREE.ArrayCamera;
  private readonly left = eye();
  private readonly right = eye();

  constructor(public options: EyeOptions) {
    this.camera = new THREE.ArrayCamera([this.left, this.right]);
    this.camera.matrixAutoUpdate = this.camera.matrixWorldAutoUpdate = false;
  }

  /** The shape of what one eye sees on a canvas of this size. */
  aspect(width: number, height: number): number {
    return width / height / (this.options.isSqueezed ? 1 : 2);
  }

  /** Follow `head`, whose projection one eye has, on a canvas of so many pixels. */
  follow(head: THREE.PerspectiveCamera, width: number, height: number): void {
    const { ipdM, convergenceM, isSwapped } = this.options;
    const half = Math.floor(width / 2);
    const { camera } = this;
    camera.near = head.near;
    camera.far = head.far;
    camera.projectionMatrix.copy(head.projectionMatrix);
    camera.projectionMatrixInverse.copy(head.projectionMatrixInverse);
    place(camera, head, 0);
    for (const [part, side] of [[this.left, -1], [this.right, 1]] as const) {
      const offsetM = (side * ipdM) / 2;
      part.near = head.near;
      part.far = head.far;
      part.projectionMatrix.copy(head.projectionMatrix);
      // A point at the convergence lies `offsetM` beside the axis of this eye, and comes to where it was for the head.
      if (convergenceM > 0) {
        const elements = part.projectionMatrix.elements;
        elements[8] = (elements[8] ?? 0) - ((elements[0] ?? 1) * offsetM) / convergenceM;
      }
      part.projectionMatrixInverse.copy(part.projectionMatrix).invert();
      part.viewport.set(side < 0 === isSwapped ? half : 0, 0, half, height);
      place(part, head, offsetM);
    }
  }
}

interface Eye extends THREE.PerspectiveCamera {
  viewport: THREE.Vector4;
}

function eye(): Eye {
  const camera = new THREE.PerspectiveCamera();
  camera.matrixAutoUpdate = camera.matrixWorldAutoUpdate = false;
  return Object.assign(camera, { viewport: new THREE.Vector4() });
}

function place(camera: THREE.Camera, head: THREE.Camera, offsetM: number): void {
  camera.matrixWorld.multiplyMatrices(head.matrixWorld, sideways.makeTranslation(offsetM, 0, 0));
  camera.matrix.copy(camera.matrixWorld);
  camera.matrixWorldInverse.copy(camera.matrixWorld).invert();
}

const sideways = new THREE.Matrix4();

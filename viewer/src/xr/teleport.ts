/** Aiming a teleport: a thrown arc, and a ring where it lands when a body fits there. */

import * as THREE from "three";
import type { Player } from "../walk/player";

const THROW_M_PER_S = 6.5;
const GRAVITY = 9.8;
const SEGMENTS = 32;
const SEGMENT_S = 0.05;
const FITS = new THREE.Color(0xffc978);
const DOES_NOT_FIT = new THREE.Color(0xff6f61);

export class TeleportAim {
  private readonly points = new Float32Array((SEGMENTS + 1) * 3);
  private readonly line: THREE.Line<THREE.BufferGeometry, THREE.LineBasicMaterial>;
  private readonly ring: THREE.Mesh<THREE.RingGeometry, THREE.MeshBasicMaterial>;
  private readonly from = new THREE.Vector3();
  private readonly to = new THREE.Vector3();
  private readonly velocity = new THREE.Vector3();
  private readonly step = new THREE.Vector3();
  private readonly turn = new THREE.Quaternion();
  private readonly target = new THREE.Vector3();
  private fits = false;

  constructor(scene: THREE.Scene) {
    const geometry = new THREE.BufferGeometry();
    geometry.setAttribute("position", new THREE.BufferAttribute(this.points, 3));
    // Splats write no depth: drawn after them and over them.
    const over = { transparent: true, depthTest: false, depthWrite: false };
    this.line = new THREE.Line(geometry, new THREE.LineBasicMaterial({ ...over, opacity: 0.9 }));
    this.ring = new THREE.Mesh(
      new THREE.RingGeometry(0.18, 0.24, 40).rotateX(-Math.PI / 2),
      new THREE.MeshBasicMaterial({ ...over, side: THREE.DoubleSide, color: FITS }),
    );
    for (const shown of [this.line, this.ring]) {
      shown.renderOrder = 10;
      shown.frustumCulled = false;
      shown.visible = false;
      scene.add(shown);
    }
  }

  /** Throw from a hand's ray, given in the rig's space. */
  point(ray: XRRigidTransform, rig: THREE.Object3D, player: Player): void {
    const { position, orientation } = ray;
    this.from.set(position.x, position.y, position.z).applyMatrix4(rig.matrixWorld);
    this.turn.set(orientation.x, orientation.y, orientation.z, orientation.w).premultiply(rig.quaternion);
    this.velocity.set(0, 0, -THROW_M_PER_S).applyQuaternion(this.turn);
    this.fits = false;
    let drawn = 0;
    this.from.toArray(this.points, 0);
    for (; drawn < SEGMENTS; drawn++) {
      this.velocity.y -= GRAVITY * SEGMENT_S;
      this.to.copy(this.from).addScaledVector(this.velocity, SEGMENT_S);
      const reach = this.step.copy(this.to).sub(this.from).length();
      const hit = player.collider?.raycast(this.from, this.step.divideScalar(reach), reach);
      if (hit) {
        this.target.copy(this.from).addScaledVector(this.step, hit.distance);
        this.fits = player.walker.fits(this.target);
        this.target.toArray(this.points, ++drawn * 3);
        break;
      }
      this.to.toArray(this.points, (drawn + 1) * 3);
      this.from.copy(this.to);
    }
    this.show(drawn);
  }

  /** End aiming; returns where to go, or undefined when a body does not fit there. */
  take(): THREE.Vector3 | undefined {
    const { fits } = this;
    this.line.visible = this.ring.visible = this.fits = false;
    return fits ? this.target : undefined;
  }

  private show(segments: number): void {
    const position = this.line.geometry.getAttribute("position");
    position.needsUpdate = true;
    this.line.geometry.setDrawRange(0, segments + 1);
    this.line.material.color = this.fits ? FITS : DOES_NOT_FIT;
    this.line.visible = true;
    this.ring.visible = this.fits;
    this.ring.position.copy(this.target);
    this.ring.position.y += 0.02;
  }
}

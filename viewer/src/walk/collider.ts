/** The walkable mesh: rays, and pushing a capsule out of it. */

import * as THREE from "three";
import { MeshBVH, type ExtendedTriangle } from "three-mesh-bvh";
import type { ColliderMesh } from "../decode/messages";

export interface RayHit {
  readonly distance: number;
  /** Of the side that was hit. */
  readonly normal: THREE.Vector3;
}

/** What a body meets. Points and directions are in the world frame, metres. */
export interface Solid {
  /** First hit within `reach`, either side of a triangle. The returned object is reused by the next call. */
  raycast(origin: THREE.Vector3, direction: THREE.Vector3, reach: number): RayHit | undefined;
  /** Move the segment `a`-`b` until no triangle is nearer than `radius`; true when it had to move. */
  pushOut(a: THREE.Vector3, b: THREE.Vector3, radius: number): boolean;
}

export class Collider implements Solid {
  readonly bounds = new THREE.Box3();
  private readonly bvh: MeshBVH;
  private readonly geometry = new THREE.BufferGeometry();
  private readonly ray = new THREE.Ray();
  private readonly hit = { distance: 0, normal: new THREE.Vector3() };
  private readonly segment = new THREE.Line3();
  private readonly box = new THREE.Box3();
  private readonly onTriangle = new THREE.Vector3();
  private readonly onSegment = new THREE.Vector3();

  constructor(mesh: ColliderMesh) {
    this.geometry.setAttribute("position", new THREE.BufferAttribute(mesh.positions, 3));
    this.geometry.setIndex(new THREE.BufferAttribute(mesh.indices, 1));
    this.bvh = new MeshBVH(this.geometry);
    this.bvh.getBoundingBox(this.bounds);
  }

  raycast(origin: THREE.Vector3, direction: THREE.Vector3, reach: number): RayHit | undefined {
    this.ray.origin.copy(origin);
    this.ray.direction.copy(direction);
    const found = this.bvh.raycastFirst(this.ray, THREE.DoubleSide, 0, reach);
    if (!found?.face) return undefined;
    this.hit.distance = found.distance;
    this.hit.normal.copy(found.face.normal);
    if (this.hit.normal.dot(direction) > 0) this.hit.normal.negate();
    return this.hit;
  }

  pushOut(a: THREE.Vector3, b: THREE.Vector3, radius: number): boolean {
    this.segment.start.copy(a);
    this.segment.end.copy(b);
    this.box.makeEmpty().expandByPoint(a).expandByPoint(b).expandByScalar(radius);
    let moved = false;
    this.bvh.shapecast({
      intersectsBounds: (box) => box.intersectsBox(this.box),
      intersectsTriangle: (triangle: ExtendedTriangle) => {
        const distance = triangle.closestPointToSegment(this.segment, this.onTriangle, this.onSegment);
        if (distance < radius && distance > 1e-9) {
          moved = true;
          this.onSegment.sub(this.onTriangle).multiplyScalar((radius - distance) / distance);
          this.segment.start.add(this.onSegment);
          this.segment.end.add(this.onSegment);
        }
        return false;
      },
    });
    a.copy(this.segment.start);
    b.copy(this.segment.end);
    return moved;
  }

  dispose(): void {
    this.geometry.dispose();
  }
}

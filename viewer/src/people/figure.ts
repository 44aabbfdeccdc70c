/** How another person looks: a head of light that shows where it looks, a body that fades out below, a name. */

import * as THREE from "three";
import { plate, scrap, size, type Plate } from "./plate";
import type { Track } from "./track";

const HEAD_M = 0.115;
const BODY_M = 0.58;
const SHOULDER_M = 0.19;
const HAND_M = 0.045;
const NAME_ABOVE_M = 0.3;
/** Names grow with the distance so far, then become as small as the person. */
const NAME_LEAST_M = 0.1;
const NAME_PER_M = 0.035;
const NAME_MOST_M = 0.5;
/** What somebody said stands over them for so long. */
const NOTE_MS = 8_000;

// Splats have no depth for glass to be sorted into, so light is opaque and fades by leaving pixels out.
const VERTEX = /* glsl */ `
  varying vec3 vNormal;
  varying vec3 vToEye;
  varying float vHeight;
  void main() {
    vec4 inView = modelViewMatrix * vec4(position, 1.0);
    vNormal = normalize(normalMatrix * normal);
    vToEye = -inView.xyz;
    vHeight = position.y;
    gl_Position = projectionMatrix * inView;
  }`;
const FRAGMENT = /* glsl */ `
  uniform vec3 colour;
  uniform vec2 fade; // from this height upward, over so many metres
  varying vec3 vNormal;
  varying vec3 vToEye;
  varying float vHeight;
  // Noise rather than a pattern: a pattern shows as stripes where pixels are large.
  float dither(vec2 at) { return fract(sin(dot(floor(at), vec2(12.9898, 78.233))) * 43758.5453); }
  void main() {
    float facing = clamp(dot(normalize(vNormal), normalize(vToEye)), 0.0, 1.0);
    float shown = clamp((vHeight - fade.x) / fade.y, 0.0, 1.0) * smoothstep(0.0, 0.2, facing);
    if (shown <= dither(gl_FragCoord.xy)) discard;
    gl_FragColor = vec4(mix(colour * 0.8, mix(colour, vec3(1.0), 0.75), facing * facing), 1.0);
    #include <colorspace_fragment>
  }`;

/** Shapes that all figures share. */
export class FigureShapes {
  readonly head = new THREE.SphereGeometry(HEAD_M, 24, 18).scale(0.88, 1.12, 0.95);
  readonly face = new THREE.SphereGeometry(HEAD_M, 20, 12, 0, Math.PI * 2, 0, Math.PI / 2)
    .scale(0.62, 0.28, 0.42)
    .rotateX(-Math.PI / 2)
    .translate(0, 0.015, -HEAD_M * 0.78);
  readonly body = new THREE.LatheGeometry(
    // A drop: shoulders that round off above, and a point below that is hardly seen any more.
    Array.from({ length: 17 }, (_, index) => 1 - index / 16).map((down) => {
      const width = Math.sqrt(Math.min(1, down / 0.22)) * (1 - 0.9 * Math.max(0, down - 0.22) ** 0.8);
      return new THREE.Vector2(SHOULDER_M * width + 1e-4, -down * BODY_M);
    }),
    28,
  ).scale(1, 1, 0.62);
  readonly hand = new THREE.SphereGeometry(HAND_M, 14, 10).scale(0.7, 0.5, 1.15);

  dispose(): void {
    for (const shape of [this.head, this.face, this.body, this.hand]) shape.dispose();
  }
}

export class Figure {
  readonly group = new THREE.Group();
  private readonly head = new THREE.Group();
  private readonly body: THREE.Mesh;
  private readonly left: THREE.Mesh;
  private readonly right: THREE.Mesh;
  private readonly name: Plate;
  private note: Plate | undefined;
  private noteUntil = 0;
  private readonly materials: THREE.Material[];
  private readonly euler = new THREE.Euler(0, 0, 0, "YXZ");

  constructor(
    shapes: FigureShapes,
    name: string,
    private readonly colour: number,
  ) {
    const light = paint(colour, -10, 1);
    const cloth = paint(colour, -0.95 * BODY_M, 0.5 * BODY_M);
    const dark = new THREE.MeshBasicMaterial({ color: new THREE.Color(colour).multiplyScalar(0.12), toneMapped: false });
    this.head.add(new THREE.Mesh(shapes.head, light), new THREE.Mesh(shapes.face, dark));
    this.body = new THREE.Mesh(shapes.body, cloth);
    this.body.position.y = -HEAD_M * 1.22;
    [this.left, this.right] = [new THREE.Mesh(shapes.hand, light), new THREE.Mesh(shapes.hand, light)];
    this.name = plate(name, colour);
    this.materials = [light, cloth, dark];
    this.group.add(this.head, this.body, this.left, this.right, this.name.sprite);
  }

  /** Have something said stand over the name for a while. */
  say(text: string, now: number): void {
    this.forget();
    this.note = plate(text, this.colour);
    this.noteUntil = now + NOTE_MS;
    this.group.add(this.note.sprite);
  }

  /** Stand where the track is, seen from `eye`; true when what was said has just been taken away. */
  place(track: Track, eye: THREE.Vector3, now: number): boolean {
    this.group.position.copy(track.position);
    this.head.quaternion.copy(track.turn);
    this.euler.setFromQuaternion(track.turn);
    this.body.rotation.y = this.euler.y; // whoever looks up does not fall over
    for (const [side, mesh] of [["left", this.left], ["right", this.right]] as const) {
      const hand = track.hand(side);
      mesh.visible = hand !== undefined;
      if (!hand) continue;
      mesh.position.fromArray(hand.offset);
      mesh.quaternion.fromArray(hand.turn);
    }
    const height = Math.min(NAME_MOST_M, Math.max(NAME_LEAST_M, NAME_PER_M * eye.distanceTo(track.position)));
    size(this.name, height);
    this.name.sprite.position.y = NAME_ABOVE_M + height / 2 - NAME_LEAST_M / 2;
    if (!this.note) return false;
    size(this.note, height);
    this.note.sprite.position.y = this.name.sprite.position.y + height * (0.6 + this.note.rows / 2);
    if (now <= this.noteUntil) return false;
    this.forget();
    return true;
  }

  private forget(): void {
    if (this.note) scrap(this.note);
    this.note = undefined;
  }

  dispose(): void {
    this.group.removeFromParent();
    this.forget();
    scrap(this.name);
    for (const material of this.materials) material.dispose();
  }
}

function paint(colour: number, fadeFrom: number, fadeOver: number): THREE.ShaderMaterial {
  return new THREE.ShaderMaterial({
    uniforms: {
      colour: { value: new THREE.Color(colour) },
      fade: { value: new THREE.Vector2(fadeFrom, fadeOver) },
    },
    vertexShader: VERTEX,
    fragmentShader: FRAGMENT,
  });
}

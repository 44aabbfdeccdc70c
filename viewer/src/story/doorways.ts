/** How the doorways of a place look. */

import * as THREE from "three";
import type { Portal } from "../protocol/generated";

const FRAME_M = 0.1;
const FRAME_COLOUR = 0x6b5741;
const LABEL_HEIGHT_M = 0.2;
/** How far a name may stick out over the frame on both sides together. */
const LABEL_OVER_M = 0.5;
const LABEL_LETTERS = 32;
const LABEL_FONT_PX = 56;

export class Doorways {
  private readonly group = new THREE.Group();

  constructor(scene: THREE.Scene) {
    scene.add(this.group);
  }

  /** Put up the doorways of a place in the place of those before. */
  show(portals: readonly Portal[]): void {
    this.clear();
    for (const portal of portals) this.group.add(doorway(portal));
  }

  private clear(): void {
    this.group.traverse((object) => {
      if (!(object instanceof THREE.Mesh)) return;
      object.geometry.dispose();
      const { material } = object as THREE.Mesh<THREE.BufferGeometry, THREE.MeshBasicMaterial>;
      material.map?.dispose();
      material.dispose();
    });
    this.group.clear();
  }
}

/** A lit opening in a frame, with the name of the place behind it over both sides. */
function doorway(portal: Portal): THREE.Group {
  const { width_m: width, height_m: height } = portal;
  const group = new THREE.Group();
  group.position.set(...portal.position);
  group.rotation.y = (portal.yaw_deg * Math.PI) / 180;
  // Opaque, because splats and glass have no common order.
  const light = new THREE.Mesh(new THREE.PlaneGeometry(width, height), paint({ map: glow(), side: THREE.DoubleSide }));
  light.position.y = height / 2;
  group.add(light);
  const post = (x: number, y: number, w: number, h: number) => {
    const bar = new THREE.Mesh(new THREE.BoxGeometry(w, h, FRAME_M), paint({ color: FRAME_COLOUR }));
    bar.position.set(x, y, 0);
    group.add(bar);
  };
  const side = (width + FRAME_M) / 2;
  post(-side, height / 2, FRAME_M, height);
  post(side, height / 2, FRAME_M, height);
  post(0, height + FRAME_M / 2, width + 2 * FRAME_M, FRAME_M);
  const name = label(portal.title);
  const boardWidth = Math.min(name.aspect * LABEL_HEIGHT_M, width + LABEL_OVER_M);
  for (const turn of [0, Math.PI]) {
    const board = new THREE.Mesh(
      new THREE.PlaneGeometry(boardWidth, boardWidth / name.aspect),
      paint({ map: name.texture() }),
    );
    board.rotation.y = turn;
    board.position.set(0, height + FRAME_M + LABEL_HEIGHT_M, turn === 0 ? 0.01 : -0.01);
    group.add(board);
  }
  return group;
}

function paint(parameters: THREE.MeshBasicMaterialParameters): THREE.MeshBasicMaterial {
  return new THREE.MeshBasicMaterial({ toneMapped: false, ...parameters });
}

function canvas(width: number, height: number): [HTMLCanvasElement, CanvasRenderingContext2D] {
  const made = document.createElement("canvas");
  made.width = width;
  made.height = height;
  const context = made.getContext("2d");
  if (!context) throw new Error("this browser has no 2D canvas");
  return [made, context];
}

function texture(source: HTMLCanvasElement): THREE.CanvasTexture {
  const made = new THREE.CanvasTexture(source);
  made.colorSpace = THREE.SRGBColorSpace;
  return made;
}

function glow(): THREE.CanvasTexture {
  const [source, context] = canvas(64, 128);
  const gradient = context.createRadialGradient(32, 58, 4, 32, 64, 80);
  gradient.addColorStop(0, "#fffaf0");
  gradient.addColorStop(0.55, "#f6dfb4");
  gradient.addColorStop(1, "#c39a5f");
  context.fillStyle = gradient;
  context.fillRect(0, 0, 64, 128);
  return texture(source);
}

function label(title: string): { readonly aspect: number; readonly texture: () => THREE.CanvasTexture } {
  const words = title.length > LABEL_LETTERS ? `${title.slice(0, LABEL_LETTERS - 1)}…` : title;
  const font = `600 ${LABEL_FONT_PX}px system-ui, sans-serif`;
  const [, measure] = canvas(1, 1);
  measure.font = font;
  const width = Math.ceil(measure.measureText(words).width) + LABEL_FONT_PX;
  const height = Math.round(LABEL_FONT_PX * 1.6);
  const draw = () => {
    const [source, context] = canvas(width, height);
    context.fillStyle = "#1d1a16";
    context.fillRect(0, 0, width, height);
    context.font = font;
    context.fillStyle = "#f6ead3";
    context.textBaseline = "middle";
    context.textAlign = "center";
    context.fillText(words, width / 2, height / 2);
    return texture(source);
  };
  return { aspect: width / height, texture: draw };
}

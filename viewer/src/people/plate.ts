/** Words over somebody: their name, and what they said. Always turned to the viewer, hidden by walls. */

import * as THREE from "three";

const FONT_PX = 44;
const LINE_LETTERS = 32;

export interface Plate {
  readonly sprite: THREE.Sprite;
  readonly aspect: number;
  /** Its height in heights of a plate of one line. */
  readonly rows: number;
}

export function size({ sprite, aspect, rows }: Plate, rowHeight: number): void {
  sprite.scale.set(rowHeight * rows * aspect, rowHeight * rows, 1);
}

export function scrap({ sprite }: Plate): void {
  sprite.removeFromParent();
  sprite.material.map?.dispose();
  sprite.material.dispose();
}

/** Lines of text on a dark plate. */
export function plate(text: string, colour: number): Plate {
  const lines = wrapped(text);
  const source = document.createElement("canvas");
  const context = source.getContext("2d");
  if (!context) throw new Error("this browser has no 2D canvas");
  const font = `600 ${FONT_PX}px system-ui, sans-serif`;
  context.font = font;
  source.width = Math.ceil(Math.max(...lines.map((line) => context.measureText(line).width))) + FONT_PX;
  source.height = Math.round(FONT_PX * (1.25 * lines.length + 0.35));
  context.fillStyle = "#15181d";
  context.beginPath();
  context.roundRect(0, 0, source.width, source.height, 0.8 * FONT_PX);
  context.fill();
  context.font = font; // a new size of the canvas forgets it
  context.fillStyle = `#${new THREE.Color(colour).lerp(new THREE.Color(0xffffff), 0.6).getHexString()}`;
  context.textBaseline = "middle";
  context.textAlign = "center";
  lines.forEach((line, index) => context.fillText(line, source.width / 2, FONT_PX * (0.8 + 1.25 * index)));
  const map = new THREE.CanvasTexture(source);
  map.colorSpace = THREE.SRGBColorSpace;
  const material = new THREE.SpriteMaterial({ map, transparent: false, alphaTest: 0.5, toneMapped: false });
  return { sprite: new THREE.Sprite(material), aspect: source.width / source.height, rows: source.height / (1.6 * FONT_PX) };
}

/** Words in lines; a word that is longer than a line is cut. */
export function wrapped(text: string): string[] {
  const lines: string[] = [];
  let line = "";
  for (const word of text.split(" ").flatMap((long) => long.match(new RegExp(`.{1,${LINE_LETTERS}}`, "gu")) ?? [])) {
    if (line && line.length + word.length >= LINE_LETTERS) {
      lines.push(line);
      line = word;
    } else line = line ? `${line} ${word}` : word;
  }
  return [...lines, line];
}

/** Keys by their place on the board, so that WASD lies right on every layout. */

import type { Intent, IntentSource } from "./intent";

const TURN_RAD_PER_S = 1.6;
const PITCH_RAD_PER_S = 1.1;

const MOVES: ReadonlySet<string> = new Set([
  "KeyW",
  "KeyA",
  "KeyS",
  "KeyD",
  "ArrowUp",
  "ArrowDown",
  "ArrowLeft",
  "ArrowRight",
  "PageUp",
  "PageDown",
  "Space",
  "KeyC",
  "ShiftLeft",
  "ShiftRight",
]);

export class Keyboard implements IntentSource {
  private readonly down = new Set<string>();
  private readonly listeners = new AbortController();

  constructor(target: Window) {
    const { signal } = this.listeners;
    target.addEventListener("keydown", (event) => this.press(event), { signal });
    target.addEventListener("keyup", (event) => this.down.delete(event.code), { signal });
    // A key released over another window is never seen to go up.
    target.addEventListener("blur", () => this.down.clear(), { signal });
  }

  contribute(intent: Intent, seconds: number): void {
    intent.strafe += this.axis("KeyD", "KeyA");
    intent.ahead += this.axis("KeyW", "KeyS") + this.axis("ArrowUp", "ArrowDown");
    intent.rise += this.axis("Space", "KeyC");
    intent.turn += this.axis("ArrowLeft", "ArrowRight") * TURN_RAD_PER_S * seconds;
    intent.pitch += this.axis("PageUp", "PageDown") * PITCH_RAD_PER_S * seconds;
    if (this.down.has("ShiftLeft") || this.down.has("ShiftRight")) intent.isRunning = true;
  }

  dispose(): void {
    this.listeners.abort();
    this.down.clear();
  }

  private axis(plus: string, minus: string): number {
    return Number(this.down.has(plus)) - Number(this.down.has(minus));
  }

  private press(event: KeyboardEvent): void {
    if (event.ctrlKey || event.metaKey || event.altKey || !MOVES.has(event.code)) return;
    if (event.target instanceof HTMLElement && belongsTo(event.target, event.code)) return;
    this.down.add(event.code);
    event.preventDefault(); // the page must not scroll
  }
}

/** Whether a focused part of the page needs this key for itself. */
function belongsTo(target: HTMLElement, code: string): boolean {
  if (target.closest("input, textarea, select, dialog[open]")) return true;
  return code === "Space" && target.closest("button, a") !== null;
}

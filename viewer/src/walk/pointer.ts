/** Looking around: drag with the mouse or a finger, or a captured mouse; the left thumb walks. */

import type { Intent, IntentSource } from "./intent";

const RAD_PER_PX = 0.0032;
/** A finger has less way to go than a mouse. */
const TOUCH_RAD_PER_PX = 0.0055;
const CAPTURED_RAD_PER_PX = 0.0022;
/** A press that moves less than this is a click. */
const CLICK_PX = 4;
const STICK_PX = 56;
const DEAD_ZONE = 0.12;

export interface StickView {
  /** Show the stick with its centre and knob in CSS pixels, or hide it. */
  draw(stick: { x: number; y: number; knobX: number; knobY: number } | undefined): void;
}

interface Drag {
  readonly id: number;
  readonly isTouch: boolean;
  x: number;
  y: number;
  travelled: number;
}

export class Pointer implements IntentSource {
  private readonly listeners = new AbortController();
  private look: Drag | undefined;
  private stick: { readonly id: number; x: number; y: number; dx: number; dy: number } | undefined;
  private turn = 0;
  private pitch = 0;

  constructor(
    private readonly canvas: HTMLCanvasElement,
    private readonly stickView: StickView,
  ) {
    const { signal } = this.listeners;
    canvas.addEventListener("pointerdown", (event) => this.press(event), { signal });
    canvas.addEventListener("pointermove", (event) => this.move(event), { signal });
    for (const end of ["pointerup", "pointercancel"] as const) {
      canvas.addEventListener(end, (event) => this.release(event, end === "pointerup"), { signal });
    }
    canvas.addEventListener("contextmenu", (event) => event.preventDefault(), { signal });
  }

  contribute(intent: Intent): void {
    intent.turn += this.turn;
    intent.pitch += this.pitch;
    this.turn = this.pitch = 0;
    if (!this.stick) return;
    const length = Math.hypot(this.stick.dx, this.stick.dy) / STICK_PX;
    if (length < DEAD_ZONE) return;
    intent.strafe += this.stick.dx / STICK_PX;
    intent.ahead -= this.stick.dy / STICK_PX;
    if (length > 1.6) intent.isRunning = true;
  }

  dispose(): void {
    this.listeners.abort();
    this.stickView.draw(undefined);
    if (document.pointerLockElement === this.canvas) document.exitPointerLock();
  }

  private press(event: PointerEvent): void {
    const isTouch = event.pointerType === "touch";
    if (!isTouch && event.button !== 0) return;
    this.canvas.focus({ preventScroll: true });
    if (document.pointerLockElement !== this.canvas) this.canvas.setPointerCapture(event.pointerId);
    const { clientX: x, clientY: y } = event;
    const isLeftThumb = x < window.innerWidth * 0.45 && y > window.innerHeight * 0.35;
    if (isTouch && isLeftThumb && !this.stick) {
      this.stick = { id: event.pointerId, x, y, dx: 0, dy: 0 };
      this.drawStick();
    } else if (!this.look) {
      this.look = { id: event.pointerId, isTouch, x, y, travelled: 0 };
    }
  }

  private move(event: PointerEvent): void {
    if (document.pointerLockElement === this.canvas) {
      this.turn -= event.movementX * CAPTURED_RAD_PER_PX;
      this.pitch -= event.movementY * CAPTURED_RAD_PER_PX;
      return;
    }
    if (this.stick?.id === event.pointerId) {
      this.stick.dx = event.clientX - this.stick.x;
      this.stick.dy = event.clientY - this.stick.y;
      this.drawStick();
    } else if (this.look?.id === event.pointerId) {
      const dx = event.clientX - this.look.x;
      const dy = event.clientY - this.look.y;
      const perPx = this.look.isTouch ? TOUCH_RAD_PER_PX : RAD_PER_PX;
      // The scene sticks to the finger: dragging right turns left.
      this.turn += dx * perPx;
      this.pitch += dy * perPx;
      this.look.x = event.clientX;
      this.look.y = event.clientY;
      this.look.travelled += Math.abs(dx) + Math.abs(dy);
    }
  }

  private release(event: PointerEvent, isUp: boolean): void {
    if (this.stick?.id === event.pointerId) {
      this.stick = undefined;
      this.stickView.draw(undefined);
    }
    if (this.look?.id !== event.pointerId) return;
    const isClick = isUp && !this.look.isTouch && this.look.travelled < CLICK_PX;
    this.look = undefined;
    if (isClick && document.pointerLockElement !== this.canvas) this.capture();
  }

  /** Browsers refuse to capture right after Escape; then dragging still works. */
  private capture(): void {
    const asked: unknown = this.canvas.requestPointerLock();
    if (asked instanceof Promise) asked.catch(() => undefined);
  }

  private drawStick(): void {
    if (!this.stick) return;
    const { x, y, dx, dy } = this.stick;
    const scale = Math.min(1, STICK_PX / Math.max(1, Math.hypot(dx, dy)));
    this.stickView.draw({ x, y, knobX: x + dx * scale, knobY: y + dy * scale });
  }
}

/** Standard gamepads: left stick walks, right stick looks, shoulder triggers run. */

import type { Intent, IntentSource } from "./intent";

const DEAD_ZONE = 0.15;
const TURN_RAD_PER_S = 2.2;
const PITCH_RAD_PER_S = 1.4;
const TRIGGERS = [6, 7];

export class GamepadSource implements IntentSource {
  contribute(intent: Intent, seconds: number): void {
    for (const pad of navigator.getGamepads?.() ?? []) {
      if (!pad?.connected || pad.mapping !== "standard") continue;
      const [leftX = 0, leftY = 0, rightX = 0, rightY = 0] = pad.axes.map(withDeadZone);
      intent.strafe += leftX;
      intent.ahead -= leftY;
      intent.turn -= rightX * TURN_RAD_PER_S * seconds;
      intent.pitch -= rightY * PITCH_RAD_PER_S * seconds;
      if (TRIGGERS.some((button) => (pad.buttons[button]?.value ?? 0) > 0.4)) intent.isRunning = true;
    }
  }

  dispose(): void {
    // Gamepads are polled; there is nothing to let go of.
  }
}

/** Sticks rest a little off centre; beyond the dead zone the value starts at 0 again. */
export function withDeadZone(value: number): number {
  const size = Math.abs(value);
  return size < DEAD_ZONE ? 0 : (Math.sign(value) * (size - DEAD_ZONE)) / (1 - DEAD_ZONE);
}

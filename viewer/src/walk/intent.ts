/** What the visitor wants to do this frame, whatever device says so. */

export interface Intent {
  /** -1 left .. 1 right */
  strafe: number;
  /** -1 back .. 1 ahead */
  ahead: number;
  /** -1 down .. 1 up; counts only when flying */
  rise: number;
  /** Radians to the left, this frame. */
  turn: number;
  /** Radians upwards, this frame. */
  pitch: number;
  isRunning: boolean;
}

export function createIntent(): Intent {
  return { strafe: 0, ahead: 0, rise: 0, turn: 0, pitch: 0, isRunning: false };
}

/** Adds its share to an intent once a frame. Owns listeners, so it is disposed of. */
export interface IntentSource {
  contribute(intent: Intent, seconds: number): void;
  dispose(): void;
}

/** Several devices at once may not make one walk faster than one of them could. */
export function clampIntent(intent: Intent): void {
  const speed = Math.hypot(intent.strafe, intent.ahead);
  if (speed > 1) {
    intent.strafe /= speed;
    intent.ahead /= speed;
  }
  intent.rise = Math.max(-1, Math.min(1, intent.rise));
}

/** What may be given up on which device, a screen and a headset apart. */

import type { DeviceProfile } from "../device/profiles";
import type { Dial } from "./governor";

const SCREEN_FPS = 60;
/** Browsers that do not tell run headsets at 72 or 90 Hz. */
const HEADSET_FPS = 72;
/** A tenth of what a device holds still shows every place; less would be a draft. */
const FEWEST_SPLATS = 0.1;
const FEWEST_STD_DEV = Math.sqrt(5);
/** Text and faces in a headset are lost below this. */
const LEAST_VIEWPORT = 0.6;

export const SCREEN_TARGET_MS = 1_000 / SCREEN_FPS;

export function headsetTargetMs(session: XRSession | null): number {
  return 1_000 / (session?.frameRate || HEADSET_FPS);
}

/** `ratio`: the most device pixels for a CSS pixel. */
export function screenDials(profile: DeviceProfile, ratio: number): Dial[] {
  return [
    { name: "resolution", least: Math.min(ratio, profile.leastPixelRatio), most: ratio },
    ...splatDials(profile),
    { name: "maxStdDev", least: Math.min(FEWEST_STD_DEV, profile.maxStdDev), most: profile.maxStdDev },
  ];
}

/** In a headset `resolution` is the share of the eyes' viewports, in each direction. */
export function headsetDials(profile: DeviceProfile): Dial[] {
  return [
    { name: "edges", least: 0, most: 1 },
    { name: "resolution", least: LEAST_VIEWPORT, most: 1 },
    ...splatDials(profile),
  ];
}

function splatDials(profile: DeviceProfile): Dial[] {
  return [
    { name: "splats", least: Math.ceil(FEWEST_SPLATS * profile.maxSplats), most: profile.maxSplats },
    { name: "shDegree", least: 0, most: profile.maxShDegree },
  ];
}

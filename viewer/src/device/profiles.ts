/** Which kind of device this is. What each kind is asked to draw stands in streaming/devices.py. */

import { PROFILES, type DeviceProfile } from "./budgets";

export type { DeviceProfile };

export interface Device {
  readonly userAgent: string;
  readonly maxTouchPoints: number;
  /** What WebGL says it draws with, where it says so. */
  readonly renderer: string;
}

export function deviceProfile(device: Device): DeviceProfile {
  if (/OculusBrowser|Quest|Pico|VisionOS|Android XR/i.test(device.userAgent)) return PROFILES.headset;
  // An iPad calls itself a Macintosh but has a touch screen.
  if (/Android|iPhone|iPad|iPod|Mobile/i.test(device.userAgent) || (/Macintosh/.test(device.userAgent) && device.maxTouchPoints > 1)) {
    return PROFILES.phone;
  }
  return /swiftshader|llvmpipe|softpipe|basic render/i.test(device.renderer) ? PROFILES.software : PROFILES.desktop;
}

/** Ask WebGL, on a canvas that is thrown away; an empty string where there is no WebGL or it does not tell. */
export function rendererName(): string {
  const gl = document.createElement("canvas").getContext("webgl2");
  if (!gl) return "";
  const info = gl.getExtension("WEBGL_debug_renderer_info");
  const name: unknown = gl.getParameter(info ? info.UNMASKED_RENDERER_WEBGL : gl.RENDERER);
  gl.getExtension("WEBGL_lose_context")?.loseContext(); // browsers allow a page only so many
  return typeof name === "string" ? name : "";
}

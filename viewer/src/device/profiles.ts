/** What a device is asked to draw. One entry per kind of device; a new one goes here and nowhere else. */

export interface DeviceProfile {
  readonly name: "headset" | "phone" | "desktop" | "software";
  /** Splats held at once. Peers plan 250-500 k on a Quest 3, 1 M on phones, 2.5 M on desktops. */
  readonly maxSplats: number;
  readonly maxShDegree: number;
  /** Device pixels per CSS pixel, at most. */
  readonly maxPixelRatio: number;
  /** While moving, pixels may be given up down to this ratio to stay fluent. */
  readonly leastPixelRatio: number;
  /**
   * Sort by distance, not depth, on a screen too. Less like the fit (34 against 48 dB), but Spark leaves what
   * lies far behind out of a depth order, and a slow renderer shows the gap while one turns.
   */
  readonly sortsByDistance: boolean;
  /** Flat pictures; headsets draw less of each Gaussian's rim, as Spark advises for VR. */
  readonly maxStdDev: number;
  readonly maxStdDevXr: number;
}

const SQRT_5 = Math.sqrt(5);
/** exp(-9/2) = 0.011 of a splat's opacity is left at the rim, below what 8 bits show for most. */
const WHOLE = 3;

const PROFILES: Readonly<Record<DeviceProfile["name"], DeviceProfile>> = {
  headset: {
    name: "headset",
    maxSplats: 350_000,
    maxShDegree: 0,
    maxPixelRatio: 1,
    leastPixelRatio: 0.5,
    sortsByDistance: true,
    maxStdDev: SQRT_5,
    maxStdDevXr: SQRT_5,
  },
  phone: {
    name: "phone",
    maxSplats: 600_000,
    maxShDegree: 0,
    maxPixelRatio: 1.5,
    leastPixelRatio: 0.6,
    sortsByDistance: false,
    maxStdDev: Math.sqrt(8),
    maxStdDevXr: SQRT_5,
  },
  // 30 000 splats cost 115, 270 and 670 ms of CPU at 320x240, 640x480 and 1280x720: mostly pixels, so give those up.
  software: {
    name: "software",
    maxSplats: 80_000,
    maxShDegree: 0,
    maxPixelRatio: 1,
    leastPixelRatio: 0.35,
    sortsByDistance: true,
    maxStdDev: SQRT_5,
    maxStdDevXr: SQRT_5,
  },
  desktop: {
    name: "desktop",
    maxSplats: 2_000_000,
    maxShDegree: 3,
    maxPixelRatio: 2,
    leastPixelRatio: 0.5,
    sortsByDistance: false,
    maxStdDev: WHOLE,
    maxStdDevXr: SQRT_5,
  },
};

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

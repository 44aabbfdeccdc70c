/** What a device is asked to draw. One entry per kind of device; a new one goes here and nowhere else. */

export interface DeviceProfile {
  readonly name: "headset" | "phone" | "desktop";
  /** Splats held at once. Peers plan 250-500 k on a Quest 3, 1 M on phones, 2.5 M on desktops. */
  readonly maxSplats: number;
  readonly maxShDegree: number;
  /** Device pixels per CSS pixel, at most. */
  readonly maxPixelRatio: number;
  /** Flat pictures; headsets draw less of each Gaussian's rim, as Spark advises for VR. */
  readonly maxStdDev: number;
  readonly maxStdDevXr: number;
}

const SQRT_5 = Math.sqrt(5);
/** exp(-9/2) = 0.011 of a splat's opacity is left at the rim, below what 8 bits show for most. */
const WHOLE = 3;

const PROFILES: Readonly<Record<DeviceProfile["name"], DeviceProfile>> = {
  headset: { name: "headset", maxSplats: 350_000, maxShDegree: 0, maxPixelRatio: 1, maxStdDev: SQRT_5, maxStdDevXr: SQRT_5 },
  phone: { name: "phone", maxSplats: 600_000, maxShDegree: 0, maxPixelRatio: 1.5, maxStdDev: Math.sqrt(8), maxStdDevXr: SQRT_5 },
  desktop: { name: "desktop", maxSplats: 2_000_000, maxShDegree: 3, maxPixelRatio: 2, maxStdDev: WHOLE, maxStdDevXr: SQRT_5 },
};

export function deviceProfile(device: { readonly userAgent: string; readonly maxTouchPoints: number }): DeviceProfile {
  if (/OculusBrowser|Quest|Pico|VisionOS|Android XR/i.test(device.userAgent)) return PROFILES.headset;
  // An iPad calls itself a Macintosh but has a touch screen.
  if (/Android|iPhone|iPad|iPod|Mobile/i.test(device.userAgent) || (/Macintosh/.test(device.userAgent) && device.maxTouchPoints > 1)) {
    return PROFILES.phone;
  }
  return PROFILES.desktop;
}

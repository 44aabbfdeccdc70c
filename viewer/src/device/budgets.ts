// Made by `python -m streaming.codegen` from streaming/devices.py. Do not edit.

/** What a kind of device is asked to draw. */
export interface DeviceProfile {
  readonly name: "headset" | "phone" | "software" | "desktop";
  readonly maxSplats: number;
  readonly maxShDegree: number;
  readonly maxPixelRatio: number;
  readonly leastPixelRatio: number;
  readonly sortsByDistance: boolean;
  readonly maxStdDev: number;
  readonly maxStdDevXr: number;
}

export const PROFILES: Readonly<Record<DeviceProfile["name"], DeviceProfile>> = {
  headset: {
    name: "headset",
    maxSplats: 350000,
    maxShDegree: 0,
    maxPixelRatio: 1,
    leastPixelRatio: 0.5,
    sortsByDistance: true,
    maxStdDev: 2.23606797749979,
    maxStdDevXr: 2.23606797749979,
  },
  phone: {
    name: "phone",
    maxSplats: 600000,
    maxShDegree: 0,
    maxPixelRatio: 1.5,
    leastPixelRatio: 0.6,
    sortsByDistance: false,
    maxStdDev: 2.8284271247461903,
    maxStdDevXr: 2.23606797749979,
  },
  software: {
    name: "software",
    maxSplats: 80000,
    maxShDegree: 0,
    maxPixelRatio: 1,
    leastPixelRatio: 0.35,
    sortsByDistance: true,
    maxStdDev: 2.23606797749979,
    maxStdDevXr: 2.23606797749979,
  },
  desktop: {
    name: "desktop",
    maxSplats: 2000000,
    maxShDegree: 3,
    maxPixelRatio: 2,
    leastPixelRatio: 0.5,
    sortsByDistance: false,
    maxStdDev: 3.0,
    maxStdDevXr: 2.23606797749979,
  },
};

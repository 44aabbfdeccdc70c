import { SparkRenderer } from "@sparkjsdev/spark";
import * as THREE from "three";
import { describe, expect, it, vi } from "vitest";
import { deviceProfile } from "../src/device/profiles";
import { shrinkNearEye } from "../src/render/nearEye";
import { drawInBatches } from "../src/render/quadBatch";

// Node 20 has no navigator, which Spark asks for the kind of device.
vi.stubGlobal("navigator", { platform: "Linux", maxTouchPoints: 0, userAgent: "" });

const fakeRenderer = { getContext: () => ({ getExtension: () => null }) } as unknown as THREE.WebGLRenderer;

describe("drawing in batches", () => {
  it("still fits the shader of the Spark that is installed", () => {
    const spark = new SparkRenderer({ renderer: fakeRenderer });

    expect(drawInBatches(spark)).toBe(true);
    expect(spark.material.vertexShader).not.toContain("gl_InstanceID]");
    expect(spark.material.vertexShader.match(/gl_InstanceID/g)).toHaveLength(1);
  });

  it("draws whole batches and hides what is beyond the last splat", () => {
    const spark = new SparkRenderer({ renderer: fakeRenderer });
    drawInBatches(spark);
    const geometry = spark.geometry as THREE.InstancedBufferGeometry;
    geometry.instanceCount = 300;

    expect(geometry.instanceCount).toBe(3);
    expect(spark.material.uniforms["batchSplatCount"]?.value).toBe(300);
    expect(geometry.getAttribute("position").count).toBe(512);
    expect(geometry.getAttribute("position").getZ(511)).toBe(127);
  });

  it("leaves a shader alone that it does not know", () => {
    const spark = new SparkRenderer({ renderer: fakeRenderer, vertexShader: "void main() {}" });
    const { geometry } = spark;

    expect(drawInBatches(spark)).toBe(false);
    expect(spark.geometry).toBe(geometry);
  });
});

describe("splats near the eye", () => {
  it("still fit the shader of the Spark that is installed, batched or not", () => {
    const spark = new SparkRenderer({ renderer: fakeRenderer });

    expect(shrinkNearEye(spark)).toBe(true);
    expect(spark.material.vertexShader).toMatch(/nearEye < 0\.080/);
    expect(drawInBatches(spark)).toBe(true);
  });

  it("leave a shader alone that they do not know", () => {
    const spark = new SparkRenderer({ renderer: fakeRenderer, vertexShader: "void main() {}" });

    expect(shrinkNearEye(spark)).toBe(false);
    expect(spark.material.vertexShader).toBe("void main() {}");
  });
});

describe("device profiles", () => {
  const of = (userAgent: string, maxTouchPoints = 0, renderer = "") =>
    deviceProfile({ userAgent, maxTouchPoints, renderer }).name;

  it("know headsets, phones and desktops apart", () => {
    expect(of("Mozilla/5.0 (X11; Linux x86_64; Quest 3) AppleWebKit/537.36 OculusBrowser/40.0 VR")).toBe("headset");
    expect(of("Mozilla/5.0 (Linux; Android 15; Pixel 9) Chrome/140 Mobile Safari/537.36", 5)).toBe("phone");
    expect(of("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15", 5)).toBe("phone");
    expect(of("Mozilla/5.0 (Macintosh; Intel Mac OS X 10_15_7) Version/18.0 Safari/605.1.15")).toBe("desktop");
    expect(of("Mozilla/5.0 (Windows NT 10.0; Win64; x64) Chrome/140", 10)).toBe("desktop");
    expect(of("X11; Linux", 0, "ANGLE (Google, Vulkan 1.3.0 (SwiftShader Device), SwiftShader driver)")).toBe("software");
    expect(of("X11; Linux", 0, "ANGLE (Intel, Mesa Intel(R) UHD Graphics 620, OpenGL 4.6)")).toBe("desktop");
  });
});

import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { join } from "node:path";
import { describe, expect, it } from "vitest";
import { takeWasm } from "../sparkWasm.plugin";

const dist = join(createRequire(import.meta.url).resolve("@sparkjsdev/spark"), "..");

describe("Spark's WASM", () => {
  it("lies in the installed Spark where we take it out, whole", () => {
    const { wasm, text } = takeWasm(readFileSync(join(dist, "spark.module.js"), "utf8"), "const WASM_MODULE = ours();");

    const names = WebAssembly.Module.exports(new WebAssembly.Module(new Uint8Array(wasm))).map(({ name }) => name);
    expect(names).toContain("raycast_ext_buffers");
    expect(text).toContain("const WASM_MODULE = ours();");
    expect(text).not.toMatch(/[A-Za-z0-9+/=]{20000}/);
  });

  it("is not guessed at in another Spark", () => {
    expect(() => takeWasm("const WASM = decode128('AGFzbQ');", "")).toThrow("does not carry its WASM");
  });
});

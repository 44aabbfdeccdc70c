/** Loads a GLB with Babylon's own loader, without a GPU, and reports the splats that it holds afterwards. */

import { readFileSync } from "node:fs";

import { column, pretendBrowser, report } from "./columns.mjs";

pretendBrowser();
// Babylon logs its version to stdout, which belongs to the report.
console.log = console.error;
const { NullEngine } = await import("@babylonjs/core/Engines/nullEngine.js");
const { Scene } = await import("@babylonjs/core/scene.js");
const { ImportMeshAsync } = await import("@babylonjs/core/Loading/sceneLoader.js");
await import("@babylonjs/loaders/glTF/index.js");

const ROW_FLOATS = 8; // 32 bytes: position, scale, RGBA, quaternion w first
const scene = new Scene(new NullEngine());
const bytes = new Uint8Array(readFileSync(process.argv[2]));
const { meshes } = await ImportMeshAsync(bytes, scene, { pluginExtension: ".glb" });
const splats = meshes.filter((mesh) => mesh.getClassName() === "GaussianSplattingMesh");
const mesh = splats[0];
const floats = new Float32Array(mesh._splatsData);
const bytesOf = new Uint8Array(mesh._splatsData);
const rows = Array.from({ length: mesh._vertexCount }, (_, i) => i);
const float = (offset) => column(rows.map((i) => floats[i * ROW_FLOATS + offset]));
const byte = (offset) => column(rows.map((i) => bytesOf[i * ROW_FLOATS * 4 + offset]));

report({
  loader: "babylon",
  meshes: splats.length,
  otherMeshes: meshes.filter((other) => other.getTotalVertices() > 0 && !splats.includes(other)).length,
  count: mesh._vertexCount,
  shDegree: mesh._shDegree,
  means: [0, 1, 2].map(float),
  scales: [3, 4, 5].map(float),
  rgba: [24, 25, 26, 27].map(byte),
  quats: [28, 29, 30, 31].map(byte),
});

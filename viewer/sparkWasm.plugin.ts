import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import { fileURLToPath } from "node:url";
import type { Plugin } from "vite";

const CARRIED = /const WASM = decode64\("([A-Za-z0-9+/=]+)"\)\.buffer;\nconst WASM_MODULE = WebAssembly\.compile\(WASM\);/;
const VIRTUAL = "virtual:spark-wasm";

/** The WASM that Spark carries, and Spark's text with `put` in its place. Throws where it lies otherwise. */
export function takeWasm(spark: string, put: string): { wasm: Buffer; text: string } {
  const found = CARRIED.exec(spark);
  if (!found?.[1]) throw new Error("the installed Spark does not carry its WASM where sparkWasm.plugin.ts looks for it");
  return { wasm: Buffer.from(found[1], "base64"), text: spark.replace(found[0], () => put) };
}

/**
 * Spark carries its WASM inside itself as base64, which gzip makes no smaller than 816 KB; as a file of its own it
 * is 569 KB, and comes beside the script instead of in it. Only built pages do this.
 */
export function sparkWasm(): Plugin {
  let isBuilt = false;
  return {
    name: "spark-wasm",
    enforce: "pre",
    configResolved: ({ command }) => {
      isBuilt = command === "build";
    },
    resolveId: (id) => (id === VIRTUAL ? `\0${VIRTUAL}` : undefined),
    load(id) {
      if (id !== `\0${VIRTUAL}`) return undefined;
      if (!isBuilt) return "export default undefined;";
      const spark = createRequire(import.meta.url).resolve("@sparkjsdev/spark").replace(/[^/\\]+$/, "spark.module.js");
      const { wasm } = takeWasm(readFileSync(spark, "utf8"), "");
      return `export default import.meta.ROLLUP_FILE_URL_${this.emitFile({ type: "asset", name: "spark.wasm", source: wasm })};`;
    },
    transform(code, id) {
      if (!isBuilt || !id.replaceAll("\\", "/").endsWith("@sparkjsdev/spark/dist/spark.module.js")) return undefined;
      const home = fileURLToPath(new URL("./src/render/sparkWasm.ts", import.meta.url));
      const { text } = takeWasm(code, "const WASM_MODULE = wasmOfThePage();");
      return { code: `import { wasmOfThePage } from ${JSON.stringify(home)};\n${text}`, map: null };
    },
  };
}

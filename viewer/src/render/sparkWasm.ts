/** Spark's WASM, which built pages have as a file of its own (`sparkWasm.plugin.ts`). */

import address from "virtual:spark-wasm";

let compiled: Promise<WebAssembly.Module> | undefined;

/** Begin to load it, beside Spark itself. Rejects when it does not come; where Spark carries it, there is nothing to load. */
export async function loadSparkWasm(): Promise<void> {
  if (address === undefined) return;
  compiled ??= compile(address);
  await compiled;
}

/** For Spark alone. It does not look at failures: whoever called `loadSparkWasm` tells them. */
export async function wasmOfThePage(): Promise<WebAssembly.Module> {
  await loadSparkWasm().catch(() => new Promise(() => undefined));
  return compiled as Promise<WebAssembly.Module>;
}

async function compile(from: string): Promise<WebAssembly.Module> {
  const answer = await fetch(from);
  if (!answer.ok) throw new Error(`${from}: ${answer.status}`);
  // Plain hosts may not know the type, without which browsers refuse to compile while it comes.
  if (answer.headers.get("Content-Type") === "application/wasm") return WebAssembly.compileStreaming(answer);
  return WebAssembly.compile(await answer.arrayBuffer());
}

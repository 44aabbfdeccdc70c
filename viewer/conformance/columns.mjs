/**
 * How the loader checks hand their result to tests/streaming/test_conformance.py: one JSON object on
 * stdout, numbers as base64 of little-endian float32 columns, so that nothing is rounded on the way.
 */

export function column(values) {
  const floats = Float32Array.from(values);
  return Buffer.from(floats.buffer).toString("base64");
}

export function report(result) {
  process.stdout.write(`${JSON.stringify(result)}\n`, () => process.exit(0));
}

/** Loaders expect a browser around them; these are the parts they touch while parsing. */
export function pretendBrowser() {
  const element = { style: {}, addEventListener() {}, getContext: () => null };
  const globals = {
    window: globalThis,
    self: globalThis,
    navigator: { userAgent: "node" },
    document: { createElement: () => element, addEventListener() {}, body: {} },
    XMLHttpRequest: class {},
    Worker: class {
      postMessage() {}
      terminate() {}
    },
  };
  for (const [name, value] of Object.entries(globals)) {
    Object.defineProperty(globalThis, name, { value, configurable: true, writable: true });
  }
}

/**
 * How the loader checks hand their result to tests/streaming/test_conformance.py: one JSON object on
 * stdout, numbers as base64 of little-endian float32 columns, so that nothing is rounded on the way.
 */

export function column(values) {
  const floats = Float32Array.from(values);
  return Buffer.from(floats.buffer).toString("base64");
}

/** Rows of `width` numbers, one after another, as `used` columns; the rest of a row is padding. */
export function columns(values, width, used = width) {
  const list = Array.from(values);
  return Array.from({ length: used }, (_, i) => column(list.filter((_, at) => at % width === i)));
}

/** What `read` finds in each of the files that the command names, as one report. */
export async function reportFiles(read) {
  const files = [];
  for (const path of process.argv.slice(2)) files.push(await read(path));
  report(files);
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

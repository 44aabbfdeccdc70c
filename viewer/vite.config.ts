import { defineConfig } from "vite";
import { sparkWasm } from "./sparkWasm.plugin.ts";

export default defineConfig({
  base: "/",
  plugins: [sparkWasm()],
  build: {
    outDir: "../streaming/_viewer",
    emptyOutDir: true,
    target: "es2022",
    // The server's Content-Security-Policy allows no inline script and no data: worker.
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    // Spark carries its workers inside itself; it comes in its own file after the page is up.
    chunkSizeWarningLimit: 4_000,
  },
  worker: { format: "es" },
  experimental: {
    // The page lies at /v/…, so it names its files from the root; they find each other from where they are,
    // so that `immersive publish` can put all of it into any folder.
    renderBuiltUrl: (_file, { hostType }) => (hostType === "html" ? undefined : { relative: true }),
  },
});

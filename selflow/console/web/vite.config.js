import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vitest/config";
import { apiPages } from "./api-pages.js";
import { compressed, thirdPartyLicenses } from "./build-plugins.js";

export default defineConfig({
  plugins: [svelte(), thirdPartyLicenses(), apiPages(), compressed()],
  build: {
    outDir: "../static",
    emptyOutDir: true,
    // The polyfill would be an inline script, which the content security policy refuses.
    modulePreload: { polyfill: false },
    chunkSizeWarningLimit: 900,
  },
  test: { environment: "node", include: ["test/**/*.test.ts"] },
});

// Builds the web app: hashed files, a nonce placeholder for the server, and a proxy to the binary while developing.
import { fileURLToPath } from "node:url";
import tailwindcss from "@tailwindcss/vite";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

export default defineConfig({
  plugins: [react(), tailwindcss()],
  resolve: { alias: { "@": fileURLToPath(new URL("./src", import.meta.url)) } },
  // The server writes a fresh nonce in place of this word in every response.
  html: { cspNonce: "__CSP_NONCE__" },
  build: { target: "es2022", manifest: true, assetsInlineLimit: 0 },
  server: { proxy: { "/api": "http://127.0.0.1:8000" } },
});

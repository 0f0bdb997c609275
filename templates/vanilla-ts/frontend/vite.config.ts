import { defineConfig } from "vite";

export default defineConfig({
  // Compiler errors of the backend stay in the terminal.
  clearScreen: false,
  server: {
    // The address in staysail.toml; another port here would be one that nobody looks at.
    host: "localhost",
    port: 5173,
    strictPort: true,
  },
  build: { target: ["es2022", "safari16.4"], reportCompressedSize: false },
});

import staysail from "@staysail/vite-plugin";
import react from "@vitejs/plugin-react";
import { defineConfig } from "vite";

// Address, port and output folder are those of staysail.toml; the plugin hands them over.
export default defineConfig({ plugins: [react(), staysail()] });

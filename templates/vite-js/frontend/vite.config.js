import staysail from "@staysail/vite-plugin";
import { defineConfig } from "vite";

// Address, port and output folder are those of staysail.toml; the plugin hands them over.
export default defineConfig({ plugins: [staysail()] });

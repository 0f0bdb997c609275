import staysail from "@staysail/vite-plugin";
import { svelte } from "@sveltejs/vite-plugin-svelte";
import { defineConfig } from "vite";

// Address, port and output folder are those of staysail.toml; the plugin hands them over.
export default defineConfig({ plugins: [svelte(), staysail()] });

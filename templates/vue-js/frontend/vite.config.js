import staysail from "@staysail/vite-plugin";
import vue from "@vitejs/plugin-vue";
import { defineConfig } from "vite";

// Address, port and output folder are those of staysail.toml; the plugin hands them over.
export default defineConfig({ plugins: [vue(), staysail()] });

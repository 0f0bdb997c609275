// Fails when what is committed under dist/ is not what the source makes.
import { execFileSync } from "node:child_process";
import { mkdtempSync, readdirSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const out = mkdtempSync(join(tmpdir(), "staysail-vite-plugin-"));
try {
  const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
  execFileSync(process.execPath, [tsc, "-p", "tsconfig.json", "--outDir", out], { cwd: root, stdio: "inherit" });
  const names = readdirSync(out).sort();
  const read = (folder, name) => readFileSync(join(folder, name), "utf8");
  const same = names.every((name) => read(out, name) === read(join(root, "dist"), name));
  if (!same || readdirSync(join(root, "dist")).length !== names.length) {
    console.error("packages/vite-plugin/dist is not what the source makes: run `npm run build` there and commit it");
    process.exitCode = 1;
  }
} finally {
  rmSync(out, { recursive: true });
}

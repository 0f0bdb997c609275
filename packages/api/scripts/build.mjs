// Builds the package and the two scripts that are part of the shell. Their output is committed, so that neither the
// Rust build nor a `file:` dependency needs a build step; test/build.test.mjs proves that it is up to date.
import { execFileSync } from "node:child_process";
import { cpSync, mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");

/** Builds everything into `dist` and `page`. */
export async function buildInto(dist, page) {
  const options = { bundle: true, write: false, target: "es2022", charset: "utf8", legalComments: "none" };
  const start = await build({
    ...options,
    entryPoints: [join(root, "src/runtime/start.ts")],
    format: "iife",
    globalName: "staysail",
  });
  const api = await build({ ...options, entryPoints: [join(root, "src/index.ts")], format: "esm" });
  mkdirSync(dist, { recursive: true });
  mkdirSync(page, { recursive: true });
  const text = start.outputFiles[0].text.trimEnd();
  writeFileSync(join(page, "start.js"), `function (boot) {\n${text}\nstaysail.start(boot);\n}\n`);
  writeFileSync(join(dist, "index.js"), api.outputFiles[0].text);
  writeFileSync(join(page, "api.js"), `${api.outputFiles[0].text}${GLOBAL}`);
  const types = mkdtempSync(join(tmpdir(), "staysail-types-"));
  const compiler = join(root, "node_modules/.bin/tsc");
  const flags = ["-p", join(root, "tsconfig.json"), "--noEmit", "false", "--declaration", "--emitDeclarationOnly"];
  execFileSync(compiler, [...flags, "--rootDir", join(root, "src"), "--outDir", types], { stdio: "inherit" });
  for (const name of ["index.d.ts", "native.d.ts"]) cpSync(join(types, name), join(dist, name));
  rmSync(types, { recursive: true });
}

// For scripts that are no modules.
const GLOBAL = "window.staysail = { CallError, app, emit, invoke, listen, onBackend, once, preserve, update };\n";

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  await buildInto(join(root, "dist"), join(root, "../../crates/shell/page"));
}

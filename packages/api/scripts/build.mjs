// Builds dist/, what the shell embeds (crates/shell/page) and the start script of browser tabs (crates/cli/page). `--check` writes nothing and fails when
// what is committed is not what the source makes.
import { execFileSync } from "node:child_process";
import { mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { build } from "esbuild";

const root = join(dirname(fileURLToPath(import.meta.url)), "..");
const note = "Built from packages/api by `npm run build`; do not edit.";

async function bundle(entry, options) {
  const result = await build({
    absWorkingDir: root,
    entryPoints: [entry],
    bundle: true,
    write: false,
    target: ["es2022", "safari16.4", "chrome110"],
    charset: "utf8",
    legalComments: "none",
    logLevel: "warning",
    ...options,
  });
  return result.outputFiles[0].text;
}

/** The library, imported and not copied: there is one of it in a page. */
const besides = (address) => ({
  name: "besides",
  setup: (build) => build.onResolve({ filter: /^\.\/index$/ }, () => ({ path: address, external: true })),
});

function declarations() {
  const out = mkdtempSync(join(tmpdir(), "staysail-api-"));
  try {
    const tsc = join(root, "node_modules", "typescript", "bin", "tsc");
    execFileSync(process.execPath, [tsc, "-p", "tsconfig.json", "--noEmit", "false", "--declaration", "--emitDeclarationOnly", "--outDir", out], { cwd: root, stdio: "inherit" });
    // One file, for pages without a bundler and for editors alike: the modules' imports of each other go.
    const module = (name) => readFileSync(join(out, `${name}.d.ts`), "utf8").replace(/^(import|export \*) .*from "\.\/.*";\n/gm, "");
    return {
      library: ["index", "desktop", "app", "assets", "fs", "webview"].map(module).join(""),
      notice: readFileSync(join(out, "update-notice.d.ts"), "utf8").replaceAll('"./index"', '"./index.js"'),
    };
  } finally {
    rmSync(out, { recursive: true });
  }
}

export async function outputs() {
  const start = (in_tab) => bundle("src/runtime/start.ts", { format: "iife", minify: true, define: { IN_TAB: String(in_tab) } });
  const { library: types, notice } = declarations();
  const element = (address, options) => bundle("src/update-notice.ts", { format: "esm", plugins: [besides(address)], ...options });
  return {
    "dist/index.js": `// ${note}\n` + (await bundle("src/index.ts", { format: "esm" })),
    "dist/update-notice.js": `// ${note}\n` + (await element("./index.js")),
    "dist/update-notice.d.ts": `// ${note}\n` + notice,
    // The driver of tests comes with the command that runs them; here it is for editors and type checkers.
    "dist/test.js": `// ${note.replace("packages/api", "crates/cli/driver")}\n` + readFileSync(join(root, "../../crates/cli/driver/test.mjs"), "utf8"),
    "dist/test.d.ts": readFileSync(join(root, "../../crates/cli/driver/test.d.ts"), "utf8"),
    "dist/index.d.ts": `// ${note}\n` + types,
    "../../crates/shell/page/start.js": `/* ${note} */\nfunction(boot){"use strict";${(await start(false)).trimEnd()}}\n`,
    "../../crates/cli/page/tab.js": `/* ${note} */\n${await start(true)}`,
    "../../crates/shell/page/api.js": `// ${note}\n` + (await bundle("src/global.ts", { format: "esm" })),
    "../../crates/shell/page/update-notice.js": `// ${note}\n` + (await element("/__staysail/api.js", { minify: true })),
    "../../crates/shell/page/api.d.ts": `// ${note}\n` + types,
  };
}

export const pathOf = (name) => join(root, name);

if (process.argv[1] === fileURLToPath(import.meta.url)) {
  for (const [name, text] of Object.entries(await outputs())) {
    mkdirSync(dirname(pathOf(name)), { recursive: true });
    writeFileSync(pathOf(name), text);
    console.log(`${name.replace(/^(\.\.\/)+/, "")}  ${(text.length / 1024).toFixed(1)} kB`);
  }
}

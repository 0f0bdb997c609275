// Every template in Chromium, in both languages, through `staysail dev --browser`: edit, break and repair page and backend.
// (In the real window: tests/e2e/tests/templates_frameworks.rs and templates_languages.rs.)
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Dev, PATIENCE_MS, edit, freePort, programs, repository, startChromium } from "./dev.mjs";

const VITE = "vite-error-overlay";
const STAYSAIL = "staysail-overlay";
const WEBPACK = "#webpack-dev-server-client-overlay";
const WRONG = "const = ;\n";
/**
 * `file` holds the button's text, `mistake` is the file that is broken, and how; `shows` the element that then shows it. Vite hands plain JavaScript on unread.
 * In JavaScript; `ts` is what differs in TypeScript.
 */
const TEMPLATES = {
  vanilla: {
    file: "frontend/index.html", hot: false, mistake: ["frontend/main.js", WRONG], shows: STAYSAIL, overlay: STAYSAIL,
    ts: { file: "frontend/public/index.html", mistake: ["frontend/src/main.ts", WRONG] },
  },
  vite: {
    file: "frontend/index.html", hot: false, mistake: ["frontend/src/main.js", WRONG], shows: STAYSAIL, overlay: VITE,
    ts: { mistake: ["frontend/src/main.ts", WRONG], shows: VITE },
  },
  react: {
    file: "frontend/src/App.jsx", hot: true, mistake: ["frontend/src/App.jsx", WRONG], shows: VITE, overlay: VITE,
    ts: { file: "frontend/src/App.tsx", mistake: ["frontend/src/App.tsx", WRONG] },
  },
  vue: { file: "frontend/src/App.vue", hot: true, mistake: ["frontend/src/App.vue", "<template><p></template>\n"], shows: VITE, overlay: VITE },
  svelte: { file: "frontend/src/App.svelte", hot: true, mistake: ["frontend/src/App.svelte", "{#if}\n"], shows: VITE, overlay: VITE },
  webpack: {
    file: "frontend/src/index.html", hot: false, mistake: ["frontend/src/main.js", WRONG], shows: WEBPACK, overlay: STAYSAIL,
    ts: { mistake: ["frontend/src/main.ts", WRONG] },
  },
};

let folder, browser;

before(async () => {
  folder = mkdtempSync(join(tmpdir(), "staysail-templates-"));
  browser = await startChromium();
});

after(async () => {
  await browser?.close();
  if (folder) rmSync(folder, { recursive: true, force: true });
});

function run(program, args, cwd) {
  const { status, stdout, stderr } = spawnSync(program, args, { cwd, encoding: "utf8" });
  assert.equal(status, 0, `${program} ${args.join(" ")}: ${stdout}${stderr}`);
}

async function made(template, language) {
  const name = `${template}-${language}`;
  run(join(programs, "staysail"), ["init", name, "--template", template, "--language", language], folder);
  const root = join(folder, name);
  cpSync(join(repository, "Cargo.lock"), join(root, "Cargo.lock"));
  if (name === "vanilla-js") return root;
  const address = /localhost:\d+/.exec(readFileSync(join(root, "staysail.toml"), "utf8"))?.[0];
  if (address) edit(root, "staysail.toml", address, `localhost:${await freePort()}`);
  run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund"], join(root, "frontend"));
  return root;
}

const all = Object.entries(TEMPLATES).flatMap(([template, { ts, ...js }]) => [
  [template, "js", js],
  [template, "ts", { ...js, ...ts }],
]);

for (const [template, language, { file, hot, mistake, shows, overlay }] of all) {
  test(`${template}-${language}: what is saved is there, and mistakes are shown and go away`, { timeout: PATIENCE_MS }, async () => {
    const root = await made(template, language);
    const dev = Dev.start(root);
    const page = await browser.newPage();
    page.setDefaultTimeout(60_000);
    try {
      const { url } = await dev.until("browser_ready");
      await dev.until("swap_done");
      await page.goto(url);
      const button = (text) => page.waitForFunction((text) => document.querySelector("#sail")?.textContent.trim() === text, text);
      const answered = async (text) => {
        for (;;) {
          await page.click("#greet button");
          const seen = await page.textContent("#answer");
          if (seen.includes(text)) return;
          await new Promise((resolve) => setTimeout(resolve, 50));
        }
      };
      await page.fill("#name", "Ada");
      await answered("Hello, Ada!");
      await page.waitForFunction(() => /^[1-9]\d* greetings?$/.test(document.querySelector("#count").textContent));
      await page.click("#sail");
      await page.waitForFunction(() => getComputedStyle(document.querySelector("#water")).getPropertyValue("--way") === "1");

      await page.evaluate(() => (window.stays = true));
      edit(root, file, "Set sail", "Cast off");
      await button("Cast off");
      assert.equal(await page.evaluate(() => window.stays === true), hot, "exchanged in place or loaded again, as promised");
      await page.waitForFunction(() => document.querySelector("#name").value === "Ada");
      await page.waitForFunction(() => document.querySelector("#answer").textContent.includes("Ada"));

      const [wrong, mistaken] = mistake;
      const good = readFileSync(join(root, wrong), "utf8");
      writeFileSync(join(root, wrong), mistaken + good);
      await page.waitForSelector(shows, { state: "attached" });
      const loadedAgain = () => page.waitForFunction(() => window.stays === undefined);
      if (wrong === file) {
        writeFileSync(join(root, file), good.replace("Cast off", "Weigh anchor"));
        await button("Weigh anchor");
      } else {
        await page.evaluate(() => (window.stays = true));
        writeFileSync(join(root, wrong), good);
        await loadedAgain();
        await page.evaluate(() => (window.stays = true));
        edit(root, file, "Cast off", "Weigh anchor");
        await loadedAgain();
      }
      await page.waitForSelector(shows, { state: "detached" });
      await button("Weigh anchor");
      await page.waitForFunction(() => document.querySelector("#name").value === "Ada");
      await page.waitForFunction(() => document.querySelector("#answer").textContent.includes("Ada"));

      await page.evaluate(() => (window.stays = true));
      const from = dev.position;
      edit(root, "backend/core/src/lib.rs", "let name = name.trim();", "let name: u32 = name.trim();");
      await dev.until("build_failed", from);
      await page.waitForSelector(overlay, { state: "attached" });
      edit(root, "backend/core/src/lib.rs", "let name: u32 = name.trim();", "let name = name.trim();");
      edit(root, "backend/core/src/lib.rs", "Hello, {name}!", "Ahoy, {name}!");
      await page.waitForSelector(overlay, { state: "detached" });
      await answered("Ahoy, Ada!");
      assert.equal(await page.evaluate(() => window.stays), true, "the backend's edit did not load the page again");
    } finally {
      await page.close();
      await dev.end();
    }
  });
}

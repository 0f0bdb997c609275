// Every template with a bundler in Chromium, through `staysail dev --browser`: edit, break and repair page and backend.
// (Their TypeScript halves are driven in the real window: tests/e2e/tests/templates_frameworks.rs.)
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { cpSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { Dev, PATIENCE_MS, edit, freePort, programs, repository, startChromium } from "./dev.mjs";

const VITE = "vite-error-overlay";
const STAYSAIL = "staysail-overlay";
const TEMPLATES = {
  vite: { file: "frontend/index.html", hot: false, overlay: VITE },
  react: { file: "frontend/src/App.jsx", hot: true, overlay: VITE, mistake: "const = ;\n" },
  vue: { file: "frontend/src/App.vue", hot: true, overlay: VITE, mistake: "<template><p></template>\n" },
  svelte: { file: "frontend/src/App.svelte", hot: true, overlay: VITE, mistake: "{#if}\n" },
  webpack: { file: "frontend/src/index.html", hot: false, overlay: STAYSAIL },
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

async function made(template) {
  const name = `${template}-js`;
  run(join(programs, "staysail"), ["init", name, "--template", template, "--language", "js"], folder);
  const root = join(folder, name);
  cpSync(join(repository, "Cargo.lock"), join(root, "Cargo.lock"));
  edit(root, "staysail.toml", /localhost:\d+/.exec(readFileSync(join(root, "staysail.toml"), "utf8"))[0], `localhost:${await freePort()}`);
  run("npm", ["install", "--prefer-offline", "--no-audit", "--no-fund"], join(root, "frontend"));
  return root;
}

for (const [template, { file, hot, overlay, mistake }] of Object.entries(TEMPLATES)) {
  test(`${template}: what is saved is there, and mistakes are shown and go away`, { timeout: PATIENCE_MS }, async () => {
    const root = await made(template);
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
      if (mistake) {
        const good = readFileSync(join(root, file), "utf8");
        writeFileSync(join(root, file), mistake + good);
        await page.waitForSelector(overlay, { state: "attached" });
        // Saved again until it is seen: two saves of the same file this close together have been one to Vite's watcher.
        const repair = () => writeFileSync(join(root, file), good.replace("Cast off", "Weigh anchor"));
        const again = setInterval(repair, 2_000);
        repair();
        await button("Weigh anchor").finally(() => clearInterval(again));
        await page.waitForSelector(overlay, { state: "detached" });
      }

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

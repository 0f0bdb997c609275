// A page of Vite's in Chromium, through `staysail dev --browser`: hot module replacement as Vite means it.
import assert from "node:assert/strict";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Dev, PATIENCE_MS, edit, freePort, project, startChromium } from "./dev.mjs";

let app, dev, url, browser, page;

before(
  async () => {
    app = project();
    const port = await freePort();
    const frontend = join(app.root, "frontend");
    rmSync(frontend, { recursive: true });
    const vite = fileURLToPath(new URL("node_modules/vite/bin/vite.js", import.meta.url));
    const files = {
      "frontend/index.html": '<!doctype html><html><head><title>Vite</title></head><body><h1></h1><p></p><script type="module" src="/main.js"></script></body></html>',
      "frontend/main.js":
        'import { text } from "./text.js";\nconst show = (text) => (document.querySelector("h1").textContent = text);\nshow(text);\n' +
        "window.__STAYSAIL__.call(\"answer\", { id: \"v\" }).then(({ version }) => (document.querySelector(\"p\").textContent = version));\n" +
        'import.meta.hot.accept("./text.js", (module) => show(module.text));\n',
      "frontend/text.js": 'export const text = "one";\n',
      "frontend/package.json": '{ "private": true, "type": "module" }\n',
    };
    mkdirSync(frontend);
    for (const [path, text] of Object.entries(files)) writeFileSync(join(app.root, path), text);
    symlinkSync(fileURLToPath(new URL("node_modules", import.meta.url)), join(frontend, "node_modules"));
    edit(app.root, "staysail.toml", 'dist = "frontend"', 'dist = "frontend/dist"');
    edit(
      app.root,
      "staysail.toml",
      "[backend]",
      `[frontend.dev]\ncommand = "node ${vite} --port ${port} --strictPort --host 127.0.0.1"\nurl = "http://127.0.0.1:${port}"\n\n[backend]`,
    );
    // Without a display there is nothing to open a window on: no flag is needed.
    dev = Dev.start(app.root);
    url = new URL((await dev.until("browser_ready")).url);
    await dev.until("swap_done");
    browser = await startChromium();
    page = await browser.newPage();
    page.setDefaultTimeout(PATIENCE_MS);
  },
  { timeout: PATIENCE_MS },
);

after(async () => {
  await browser?.close();
  await dev?.end();
  app?.remove();
});

test("without a display the page is in the browser alone, and that is said", async () => {
  const said = await dev.until("notice", 0, ({ message }) => message.includes("no display"));
  assert.match(said.message, /the page is in the browser alone/);
});

test("the backend answers, and a module is exchanged in the page that stays", async () => {
  const sockets = [];
  page.on("websocket", (socket) => sockets.push(socket.url()));
  await page.goto(url.href);
  await page.waitForFunction(() => document.querySelector("p").textContent === "v0");
  assert.equal(await page.textContent("h1"), "one");
  await page.evaluate(() => (window.stays = true));
  edit(app.root, "frontend/text.js", "one", "two");
  await page.waitForFunction(() => document.querySelector("h1").textContent === "two");
  assert.equal(await page.evaluate(() => window.stays), true, "the page was not loaded again");
  assert.ok(sockets.every((socket) => new URL(socket).host === url.host), `Vite's socket goes the same way: ${sockets}`);
  assert.equal(sockets.length, 2, sockets.join());
});

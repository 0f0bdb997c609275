// A page of Vite's in Chromium, through `staysail dev --browser`: hot module replacement as Vite means it.
import assert from "node:assert/strict";
import { spawnSync } from "node:child_process";
import { mkdirSync, rmSync, symlinkSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { after, before, test } from "node:test";
import { fileURLToPath } from "node:url";
import { Dev, PATIENCE_MS, edit, freePort, project, repository, startChromium } from "./dev.mjs";

const modules = fileURLToPath(new URL("node_modules", import.meta.url));
const files = {
  "index.html": '<!doctype html><html><head><title>Vite</title></head><body><h1></h1><p></p><input /><script type="module" src="/main.js"></script></body></html>',
  "main.js": `
    import { text } from "./text.js";
    const show = (text) => (document.querySelector("h1").textContent = text);
    show(text);
    window.__STAYSAIL__.call("answer", { id: "v" }).then(({ version }) => (document.querySelector("p").textContent = version));
    import.meta.hot.accept("./text.js", (module) => show(module.text));
  `,
  "text.js": 'export const text = "one";\n',
  "package.json": '{ "private": true, "type": "module" }\n',
};
/** Vite by itself over HTTPS, and with the plugin of this repository over HTTP. */
const configs = {
  https: `
    import { readFileSync } from "node:fs";
    export default { server: { https: { key: readFileSync("key.pem"), cert: readFileSync("certificate.pem") } } };
  `,
  http: `
    import staysail from ${JSON.stringify(join(repository, "packages/vite-plugin/dist/index.js"))};
    export default { plugins: [staysail()] };
  `,
};

let browser;
before(async () => (browser = await startChromium()));
after(() => browser?.close());

/** The app with a page of Vite's, under development. Ends with the test. */
async function start(t, scheme, config = configs[scheme]) {
  const app = project();
  let dev, context;
  t.after(async () => {
    await context?.close();
    await dev?.end();
    app.remove();
  });
  const frontend = join(app.root, "frontend");
  rmSync(frontend, { recursive: true });
  mkdirSync(frontend);
  for (const [path, text] of Object.entries(files)) writeFileSync(join(frontend, path), text);
  writeFileSync(join(frontend, "vite.config.js"), config);
  symlinkSync(modules, join(frontend, "node_modules"));
  if (scheme === "https") {
    const arguments_ = ["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"];
    const made = spawnSync("openssl", [...arguments_, "-subj", "/CN=localhost", "-keyout", "key.pem", "-out", "certificate.pem"], { cwd: frontend });
    assert.equal(made.status, 0, String(made.stderr ?? made.error));
  }
  const port = await freePort();
  const vite = join(modules, "vite/bin/vite.js");
  edit(app.root, "staysail.toml", 'dist = "frontend"', 'dist = "frontend/dist"');
  edit(
    app.root,
    "staysail.toml",
    "[backend]",
    `[frontend.dev]\ncommand = "node ${vite} --port ${port} --strictPort --host 127.0.0.1"\nurl = "${scheme}://127.0.0.1:${port}"\n\n[backend]`,
  );
  // Without a display there is nothing to open a window on: no flag is needed.
  dev = Dev.start(app.root);
  const url = new URL((await dev.until("browser_ready")).url);
  const said = await dev.until("notice", 0, ({ message }) => message.includes("no display"));
  assert.match(said.message, /the page is in the browser alone/);
  await dev.until("swap_done");
  context = await browser.newContext();
  const page = await context.newPage();
  page.setDefaultTimeout(PATIENCE_MS);
  return { app, dev, port, url, page, context };
}

/** Vite's word that a page is connected: what is saved before that is news to nobody. */
const connected = (page) =>
  new Promise((resolve) =>
    page.on("websocket", (socket) => socket.on("framereceived", ({ payload }) => String(payload).includes('"connected"') && resolve())),
  );

for (const scheme of ["http", "https"]) {
  test(`with Vite at ${scheme} the backend answers, and a module is exchanged in the page that stays`, { timeout: PATIENCE_MS }, async (t) => {
    const { app, url, page } = await start(t, scheme);
    const sockets = [];
    page.on("websocket", (socket) => sockets.push(new URL(socket.url())));
    const isConnected = connected(page);
    await page.goto(url.href);
    await page.waitForFunction(() => document.querySelector("p")?.textContent === "v0");
    await isConnected;
    assert.equal(await page.textContent("h1"), "one");
    await page.evaluate(() => (window.stays = true));
    edit(app.root, "frontend/text.js", "one", "two");
    await page.waitForFunction(() => document.querySelector("h1").textContent === "two");
    assert.equal(await page.evaluate(() => window.stays), true, "the page was not loaded again");
    assert.equal(sockets.length, 2, sockets.join());
    assert.ok(sockets.every(({ host }) => host === url.host), `Vite's socket goes the same way: ${sockets}`);
  });
}

test("a module is exchanged by a host and port of its own where Vite is told so", { timeout: PATIENCE_MS }, async (t) => {
  const own = await freePort();
  const hmr = `server: { hmr: { host: "127.0.0.1", port: ${own}, clientPort: ${own} } }`;
  const { app, url, page } = await start(t, "http", configs.http.replace("plugins: [staysail()]", `plugins: [staysail()], ${hmr}`));
  const hosts = new Set();
  page.on("websocket", (socket) => hosts.add(new URL(socket.url()).host));
  const isConnected = connected(page);
  await page.goto(url.href);
  await page.waitForFunction(() => document.querySelector("p")?.textContent === "v0");
  await isConnected;
  await page.evaluate(() => (window.stays = true));
  edit(app.root, "frontend/text.js", "one", "two");
  await page.waitForFunction(() => document.querySelector("h1").textContent === "two");
  assert.equal(await page.evaluate(() => window.stays), true, "the page was not loaded again");
  assert.deepEqual([...hosts].sort(), [url.host, `127.0.0.1:${own}`].sort(), "the bundler's socket by its own port, ours by ours");
});

test("a mistake is shown in every tab, also in one that is opened after it, and goes away from all", { timeout: PATIENCE_MS }, async (t) => {
  const { app, url, page, context } = await start(t, "http");
  const text = (page) => page.waitForFunction(() => document.querySelector("h1")?.textContent === "two");
  const overlay = (page, state) => page.waitForSelector("vite-error-overlay", { state });
  await page.goto(url.href);
  await page.waitForFunction(() => document.querySelector("p")?.textContent === "v0");
  edit(app.root, "frontend/text.js", "export", 'import "./missing.js";\nexport');
  await overlay(page, "attached");
  const late = await context.newPage();
  late.setDefaultTimeout(PATIENCE_MS);
  await late.goto(page.url());
  await overlay(late, "attached");
  writeFileSync(join(app.root, "frontend/text.js"), 'export const text = "two";\n');
  for (const tab of [page, late]) {
    await text(tab);
    await overlay(tab, "detached");
  }
});

test("a dev server that ends is started again: the tab says so, waits, and is there again with what was typed", { timeout: PATIENCE_MS }, async (t) => {
  const { app, dev, port, url, page, context } = await start(t, "http");
  await page.goto(url.href);
  await page.waitForFunction(() => document.querySelector("p")?.textContent === "v0");
  await page.fill("input", "typed");
  await page.evaluate(() => (window.stays = true));
  // Until it is mended nothing comes up again: there is time to look.
  const config = join(app.root, "frontend/vite.config.js");
  writeFileSync(config, 'throw new Error("not now");\n');
  const { stdout } = spawnSync("pgrep", ["-f", `^node .*vite\\.js --port ${port} `], { encoding: "utf8" });
  const from = dev.position;
  for (const server of stdout.trim().split("\n")) process.kill(Number(server), "SIGKILL");
  await dev.until("error", from, ({ message }) => message.includes("it is being started again"));
  await page.waitForSelector("staysail-overlay", { state: "attached" });
  assert.equal(await page.evaluate(() => window.stays), true, "the page stays while nothing serves it");
  const late = await context.newPage();
  late.setDefaultTimeout(PATIENCE_MS);
  const refused = await late.goto(page.url());
  assert.equal(refused.status(), 502);
  assert.match(await refused.text(), /does not answer at .* This page is loaded again when it does/);
  writeFileSync(config, configs.http);
  await dev.until("notice", from, ({ message }) => message === "the dev server is back");
  await page.waitForFunction(() => window.stays === undefined && document.querySelector("p")?.textContent === "v0");
  await page.waitForSelector("staysail-overlay", { state: "detached" });
  await late.waitForFunction(() => document.querySelector("p")?.textContent === "v0");
  assert.equal(await page.inputValue("input"), "typed");
  edit(app.root, "frontend/text.js", "one", "two");
  await page.waitForFunction(() => document.querySelector("h1").textContent === "two");
});

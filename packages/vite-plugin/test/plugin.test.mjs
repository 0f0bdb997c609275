// The plugin in Vite itself, with the environment and the files of a session of the `staysail` command.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { build, createServer } from "vite";
import staysail from "../dist/index.js";
import { start } from "../dist/page.js";

const NAMES = ["MODE", "APP", "VERSION", "CONSTANTS", "DIST", "TYPES", "SESSION", "DEV_URL"];

/** A page in a folder of its own, and the environment of a session around it. */
async function page(context, told) {
  const root = realpathSync(mkdtempSync(join(tmpdir(), "staysail-vite-plugin-")));
  const folder = join(root, "session");
  mkdirSync(folder);
  mkdirSync(join(root, "src"));
  const write = (name, text) => writeFileSync(join(root, name), text);
  write("package.json", '{ "type": "module" }');
  write("index.html", '<!doctype html><title>x</title><script type="module" src="/src/main.js"></script>');
  write("src/main.js", "document.title = `${import.meta.env.STAYSAIL_MODE} ${import.meta.env.STAYSAIL_API}`;\n");
  mkdirSync(join(root, "node_modules/@staysail/api"), { recursive: true });
  write("node_modules/@staysail/api/package.json", '{ "name": "@staysail/api", "type": "module", "exports": "./index.js" }');
  write("node_modules/@staysail/api/index.js", "export const invoke = () => {};\n");
  const values = { MODE: "debug", APP: "com.example.x", VERSION: "1.2.3", CONSTANTS: '{"API":"http://api"}', SESSION: folder, DIST: join(root, "out"), ...told };
  for (const name of NAMES) delete process.env[`STAYSAIL_${name}`];
  for (const [name, value] of Object.entries(values)) if (value !== undefined) process.env[`STAYSAIL_${name}`] = value;
  context.after(() => {
    for (const name of NAMES) delete process.env[`STAYSAIL_${name}`];
    rmSync(root, { recursive: true, force: true });
  });
  // As the command does: whole or not at all.
  const tell = (name, value) => {
    write(`session/.${name}`, JSON.stringify({ format: 1, ...value }));
    renameSync(join(folder, `.${name}`), join(folder, name));
  };
  return { root, folder, tell, write };
}

async function serve(context, root, config = {}, options = {}) {
  const server = await createServer({ root, configFile: false, logLevel: "silent", ...config, plugins: [staysail(options)] });
  context.after(() => server.close());
  return server;
}

/** Collects what is sent to the pages. */
function sent(server) {
  const hot = server.environments.client.hot;
  const [events, waiting] = [[], []];
  const send = hot.send.bind(hot);
  hot.send = (...args) => {
    events.push(args);
    for (const look of waiting.splice(0)) look();
    send(...args);
  };
  return async (wanted) => {
    for (;;) {
      const found = events.find(wanted);
      if (found) return found;
      await new Promise((resolve) => waiting.push(resolve));
    }
  };
}

/** Tells until it is heard: a watcher that is still looking around takes what it finds for old. */
async function until(told, tell) {
  const again = setInterval(tell, 50);
  try {
    return await told;
  } finally {
    clearInterval(again);
  }
}

async function freePort() {
  const socket = createSocket().listen(0, "127.0.0.1");
  await new Promise((resolve) => socket.once("listening", resolve));
  const { port } = socket.address();
  await new Promise((resolve) => socket.close(resolve));
  return port;
}

test("the address of the command is the one Vite listens at, and no other", async (context) => {
  const port = await freePort();
  const { root } = await page(context, { DEV_URL: `http://127.0.0.1:${port}` });
  const server = await serve(context, root, { server: { port: 1 } });
  const { host, port: used, strictPort } = server.config.server;
  assert.deepEqual({ host, used, strictPort }, { host: "127.0.0.1", used: port, strictPort: true });
  await server.listen();
  const answer = await fetch(`http://127.0.0.1:${port}/`);
  assert.match(await answer.text(), /virtual:staysail\/page/);
});

test("mode, constants and what else is known of the app reach the page while developing", async (context) => {
  const { root } = await page(context, {});
  const server = await serve(context, root);
  const { code } = await server.environments.client.transformRequest("/src/main.js");
  assert.match(code, /http:\/\/api/);
  assert.match(code, /debug/);
});

test("a backend that does not compile shows in Vite's overlay with its place, and goes away when it compiles", async (context) => {
  const { root, folder, tell } = await page(context, {});
  const server = await serve(context, root);
  const wait = sent(server);
  assert.deepEqual(JSON.parse(readFileSync(join(folder, "bundler.json"), "utf8")), { format: 1, bundler: "vite", shows_errors: true });
  const failed = { state: "failed", errors: "error[E0308]", file: "/app/lib.rs", line: 3, column: 4 };
  const shown = wait(([event, error]) => event === "staysail:backend" && error);
  const [, error] = await until(shown, () => tell("backend.json", failed));
  assert.equal(error.stack, "error[E0308]");
  assert.deepEqual(error.loc, { file: "/app/lib.rs", line: 3, column: 4 });
  const gone = wait(([event, error]) => event === "staysail:backend" && error === null);
  await until(gone, () => tell("backend.json", { state: "good", errors: "" }));
});

test("errors are left to Staysail's overlay when Vite's is not wanted", async (context) => {
  const { root, folder } = await page(context, {});
  for (const [config, options] of [[{ server: { hmr: { overlay: false } } }, {}], [{}, { overlay: false }]]) {
    const server = await serve(context, root, config, options);
    assert.equal(JSON.parse(readFileSync(join(folder, "bundler.json"), "utf8")).shows_errors, false);
  }
  const server = await serve(context, root, { server: { hmr: false } }, { overlay: true });
  assert.equal(JSON.parse(readFileSync(join(folder, "bundler.json"), "utf8")).shows_errors, false);
  const html = await server.transformIndexHtml("/", readFileSync(join(root, "index.html"), "utf8"));
  assert.doesNotMatch(html, /virtual:staysail/, "nothing can be told to a page without a connection");
});

test("what is saved right after another save reaches the page, though Vite's watcher drops it", async (context) => {
  const { root, write } = await page(context, {});
  const server = await serve(context, root);
  const told = [];
  const next = () => new Promise((resolve) => told.push(resolve));
  server.watcher.on("change", (path) => path === join(root, "src/main.js") && told.shift()?.());
  await until(next(), () => write("src/main.js", "console.log('first');\n"));
  const again = next();
  write("src/main.js", "");
  write("src/main.js", "console.log('second, and longer');\n");
  await again;
});

/** Vite with the plugin, and what a page that says hello is told. */
async function greeted(context, root) {
  let hello;
  const listening = {
    name: "listening",
    configureServer(server) {
      const hot = server.environments.client.hot;
      const on = hot.on.bind(hot);
      hot.on = (event, listener) => (event === "staysail:hello" && (hello = listener), on(event, listener));
    },
  };
  // Without a watcher: what is counted is what the test sends.
  const server = await createServer({ root, configFile: false, logLevel: "silent", server: { watch: null }, plugins: [listening, staysail()] });
  context.after(() => server.close());
  const ask = () =>
    new Promise((told) => hello(undefined, { send: (event, value) => event === "staysail:present" && told(value) }));
  return { server, ask };
}

test("a page that is connected late is told how much has changed since it was loaded, and the mistake that is left", async (context) => {
  const { root, write } = await page(context, {});
  const { server, ask } = await greeted(context, root);
  const html = await server.transformIndexHtml("/", readFileSync(join(root, "index.html"), "utf8"));
  const [, id, changes] = html.match(/data-staysail="(\S+) (\d+)"/);
  assert.deepEqual({ id, changes }, { id: (await ask()).server, changes: "0" });
  const hot = server.environments.client.hot;
  hot.send({ type: "update", updates: [] });
  const file = join(root, "src/wrong.ts");
  write("src/wrong.ts", "const = ;\n");
  const wrong = { message: "wrong", stack: "", id: file };
  hot.send({ type: "error", err: wrong });
  assert.deepEqual(await ask(), { server: id, changes: 1, mistake: wrong });
  // Mended where Vite does not watch, say.
  write("src/wrong.ts", "export const right = 1;\n");
  server.environments.client.moduleGraph.invalidateAll();
  assert.equal((await ask()).mistake, null);
  hot.send({ type: "error", err: { message: "somebody's middleware failed once", stack: "" } });
  assert.equal((await ask()).mistake, null);
  hot.send({ type: "error", err: { ...wrong, id: join(root, "src/none.js") } });
  assert.equal((await ask()).mistake.message, "wrong");
  hot.send({ type: "full-reload" });
  hot.send({ type: "full-reload", ifFallback: true });
  hot.send("staysail:backend", null);
  assert.deepEqual(await ask(), { server: id, changes: 2, mistake: null });
});

/** The page's script in a page that was loaded from this count: what it does when it is told of another one. */
function late(context, counted) {
  const handlers = {};
  const seen = { hellos: 0, loads: 0, overlays: [] };
  const kept = new Map();
  const loaded = [];
  const globals = {
    addEventListener: (event, listener) => event === "load" && loaded.push(listener),
    document: {
      readyState: "interactive",
      querySelector: (selector) => (selector.startsWith("script") && counted ? { dataset: { staysail: counted } } : null),
      body: { append: (overlay) => seen.overlays.push(overlay.error) },
    },
    sessionStorage: { getItem: (key) => kept.get(key) ?? null, setItem: (key, value) => kept.set(key, value) },
    location: { reload: () => (seen.loads += 1) },
  };
  Object.assign(globalThis, globals);
  context.after(() => Object.keys(globals).forEach((name) => delete globalThis[name]));
  class Overlay {
    constructor(error) {
      this.error = error;
    }
  }
  start({ on: (event, handler) => (handlers[event] = handler), send: () => (seen.hellos += 1) }, Overlay);
  return { seen, tell: (event, value) => handlers[event]?.(value), load: () => loaded.forEach((listener) => listener()) };
}

test("a page that has missed a change loads itself again, once; one that has heard of it does not", (context) => {
  const { seen, tell, load } = late(context, "a 3");
  load();
  tell("staysail:present", { server: "a", changes: 3, mistake: null });
  tell("vite:beforeUpdate", {});
  tell("vite:beforeFullReload", {});
  tell("staysail:present", { server: "a", changes: 5, mistake: null });
  tell("staysail:present", { server: "another", changes: 9, mistake: null });
  assert.equal(seen.loads, 0);
  tell("staysail:present", { server: "a", changes: 6, mistake: { message: "of then" } });
  tell("staysail:present", { server: "a", changes: 6, mistake: null });
  assert.deepEqual(seen, { hellos: 2, loads: 1, overlays: [] });
});

test("what is told before the page's modules have run is missed: it asks again once it is loaded", (context) => {
  const { seen, tell, load } = late(context, "a 0");
  tell("staysail:present", { server: "a", changes: 0, mistake: null });
  tell("vite:beforeUpdate", {});
  assert.deepEqual(seen, { hellos: 1, loads: 0, overlays: [] });
  load();
  assert.equal(seen.hellos, 2);
  tell("staysail:present", { server: "a", changes: 1, mistake: null });
  assert.equal(seen.loads, 1);
});

test("a page that was loaded while another one is open shows the mistake that one was told of", (context) => {
  const { seen, tell } = late(context, "a 0");
  tell("staysail:present", { server: "a", changes: 0, mistake: { message: "wrong" } });
  assert.deepEqual(seen, { hellos: 1, loads: 0, overlays: [{ message: "wrong" }] });
});

test("the commands of the backend are functions of a module that follows the backend", async (context) => {
  const { root, tell, write } = await page(context, {});
  tell("interface.json", { commands: ["greet"], events: ["greeted"] });
  write("src/main.js", 'import { commands } from "virtual:staysail";\nconsole.log(commands);\n');
  const server = await serve(context, root);
  const wait = sent(server);
  const environment = server.environments.client;
  await environment.transformRequest("/src/main.js");
  const id = "virtual:staysail";
  assert.match((await environment.transformRequest(id)).code, /\["greet"\]: \(args, options\) => invoke\("greet"/);
  const reloaded = wait(([message]) => message?.type === "full-reload" || message?.type === "update");
  await until(reloaded, () => tell("interface.json", { commands: ["greet", "sail"], events: [] }));
  assert.match((await environment.transformRequest(id)).code, /invoke\("sail"/);
});

test("the generated declarations are no reason to load the page again", async (context) => {
  const { root, write } = await page(context, { TYPES: "src/staysail.d.ts" });
  process.env.STAYSAIL_TYPES = join(root, "src/staysail.d.ts");
  const server = await serve(context, root);
  const plugin = server.config.plugins.find((plugin) => plugin.name === "staysail");
  write("src/staysail.d.ts", "export {};");
  assert.deepEqual(plugin.hotUpdate({ file: join(root, "src/staysail.d.ts") }), []);
  assert.equal(plugin.hotUpdate({ file: join(root, "src/main.js") }), undefined);
});

test("a build lands in the folder that staysail.toml ships, with its constants inside", async (context) => {
  const { root } = await page(context, { MODE: "production" });
  const result = await build({ root, configFile: false, logLevel: "silent", plugins: [staysail()] });
  const script = result.output.find((file) => file.type === "chunk");
  assert.match(script.code, /production http:\/\/api|production.*http:\/\/api/);
  assert.match(readFileSync(join(root, "out/index.html"), "utf8"), /assets\//);
});

test("another output folder than the shipped one is refused with both named", async (context) => {
  const { root } = await page(context, {});
  const config = { root, configFile: false, logLevel: "silent", build: { outDir: "elsewhere" }, plugins: [staysail()] };
  await assert.rejects(build(config), (error) => error.message.includes("elsewhere") && error.message.includes(join(root, "out")));
});

test("without the command around it Vite works as ever", async (context) => {
  const { root } = await page(context, { MODE: undefined, APP: undefined, VERSION: undefined, CONSTANTS: undefined, DIST: undefined, SESSION: undefined });
  const server = await serve(context, root);
  assert.equal(server.config.server.strictPort, false);
  const html = await server.transformIndexHtml("/", readFileSync(join(root, "index.html"), "utf8"));
  assert.doesNotMatch(html, /virtual:staysail/);
});

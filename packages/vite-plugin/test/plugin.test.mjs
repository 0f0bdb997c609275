// The plugin in Vite itself, with the environment and the files of a session of the `staysail` command.
import assert from "node:assert/strict";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, renameSync, rmSync, writeFileSync } from "node:fs";
import { createServer as createSocket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { test } from "node:test";
import { build, createServer } from "vite";
import staysail from "../dist/index.js";

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
  assert.match(await answer.text(), /virtual:staysail\/overlay/);
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

test("the overlay's script is only there when Vite's overlay is wanted", async (context) => {
  const { root, folder } = await page(context, {});
  for (const [config, options] of [[{ server: { hmr: { overlay: false } } }, {}], [{}, { overlay: false }]]) {
    const server = await serve(context, root, config, options);
    assert.equal(JSON.parse(readFileSync(join(folder, "bundler.json"), "utf8")).shows_errors, false);
    const html = await server.transformIndexHtml("/", readFileSync(join(root, "index.html"), "utf8"));
    assert.doesNotMatch(html, /virtual:staysail/);
  }
  const server = await serve(context, root);
  const overlay = await server.environments.client.transformRequest("virtual:staysail/overlay");
  assert.match(overlay.code, /ErrorOverlay/);
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

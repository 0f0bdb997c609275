// A shell in miniature around a page of jsdom: answers requests as crates/protocol/src/bridge.rs says.
import { readFileSync } from "node:fs";
import { JSDOM } from "jsdom";
import { pathOf } from "../scripts/build.mjs";

const START = readFileSync(pathOf("../../crates/shell/page/start.js"), "utf8");
const API = readFileSync(pathOf("dist/index.js"), "utf8");

export const WELCOME = {
  key: "the-key",
  generation: 3,
  window: "main",
  config: { mode: "debug", constants: { api: "http://x" } },
  version: "1.2.3",
  state: null,
  overlay: null,
};

/** Opens a page. `commands`: name → function of the arguments; whatever it throws is a `CallError`. */
export async function open(options = {}) {
  const { html = "<!doctype html><body></body>", welcome = {}, native = true, commands = {}, url = "app://localhost/", before } = options;
  const dom = new JSDOM("", { url, runScripts: "outside-only", pretendToBeVisual: true });
  const { window } = dom;
  const shell = {
    window,
    dom,
    requests: [],
    bodies: new Map(),
    posts: 0,
    reloads: 0,
    waiting: null,
    backlog: [],
    of: (type) => shell.requests.filter((request) => request.t === type),
    tell(...events) {
      shell.backlog.push(...events);
      shell.deliver();
    },
    deliver() {
      if (!shell.waiting || shell.backlog.length === 0) return;
      const answer = shell.waiting;
      shell.waiting = null;
      answer("+" + JSON.stringify(shell.backlog.splice(0)));
    },
  };

  const answer = async (text, bytes) => {
    const end = text.indexOf("\n");
    const head = JSON.parse(end < 0 ? text : text.slice(0, end));
    const payload = end < 0 ? "" : text.slice(end + 1);
    const request = { ...head, payload, bytes };
    shell.requests.push(request);
    if (options.answer) {
      const own = await options.answer(request, shell);
      if (own !== undefined) return own;
    }
    if (head.t === "hello") return "+" + JSON.stringify({ ...WELCOME, ...welcome });
    if (head.k !== WELCOME.key) return '-{"code":"Denied","message":"wrong key"}';
    if (head.t === "next") {
      return new Promise((resolve) => {
        shell.waiting = resolve;
        shell.deliver();
      });
    }
    if (head.t !== "call") return "+null";
    try {
      if (!commands[head.c]) throw { code: "UnknownCommand", message: "no such command" };
      const result = await commands[head.c](head.raw ? bytes : JSON.parse(payload), request);
      if (result instanceof Uint8Array || JSON.stringify(result ?? null).length > 8192) {
        const path = `/__staysail/body/${shell.requests.length}`;
        const raw = result instanceof Uint8Array;
        const bytes = raw ? result : Buffer.from(JSON.stringify(result));
        shell.bodies.set("app://localhost" + path, { raw, bytes, given: 0 });
        return `@${path} ${bytes.length}`;
      }
      return "+" + JSON.stringify(result ?? null);
    } catch (error) {
      return "-" + JSON.stringify(error);
    }
  };

  // What jsdom lacks.
  window.Response = Response;
  window.Headers = Headers;
  window.TextEncoder = TextEncoder;
  window.Uint8Array = Uint8Array;
  window.ArrayBuffer = ArrayBuffer;
  window.scrollTo = () => {};
  window.reportError = (reason) => shell.thrown.push(reason);
  shell.thrown = [];
  window.CSSStyleSheet.prototype.replaceSync = () => {};
  window.console.error = () => {};
  window.console.warn = () => {};
  window.fetch = (address, init) => {
    if ((init.method ?? "GET") === "GET") {
      const body = shell.bodies.get(address);
      if (!body) return window.Promise.resolve(new Response("gone", { status: 410 }));
      const piece = body.bytes.slice(body.given, body.given + (options.piece ?? 1 << 22));
      body.given += piece.length;
      if (body.given === body.bytes.length || options.loses) shell.bodies.delete(address);
      const type = body.raw ? "application/octet-stream" : "application/json; charset=utf-8";
      return window.Promise.resolve(new Response(piece, { headers: { "content-type": type } }));
    }
    shell.posts += 1;
    const bytes = typeof init.body === "string" ? null : Buffer.from(init.body);
    const text = bytes ? bytes.toString("latin1") : init.body;
    const body = bytes?.subarray(bytes.indexOf(10) + 1);
    return new window.Promise((resolve) => answer(text, body).then((said) => resolve(new Response(said))));
  };
  window.webkit = {
    messageHandlers: {
      staysail: {
        postMessage: (text) => new window.Promise((resolve, reject) => answer(text).then(resolve, reject)),
      },
    },
  };
  before?.(window, shell);
  const boot = { secret: "the-secret", native, base: "app://localhost", allowed: ["app://localhost"], ...options.boot };
  const source = options.start ?? START;
  window.eval(`(${source.replaceAll("location.reload()", "globalThis.__reload()")})(${JSON.stringify(boot)})`);
  window.__reload = () => (shell.reloads += 1);
  options.page?.(window);
  window.document.documentElement.innerHTML = html.replace("<!doctype html>", "");
  shell.api = window.__STAYSAIL__ && (await library(window));
  return shell;
}

/** The library as the page imports it. */
async function library(window) {
  const text = API.replace(/export \{([^}]*)\};?/, (_, names) => `return {${names}};`);
  return window.eval(`(() => {${text}})()`);
}

/** Waits until `condition` holds. */
export async function until(condition, what = condition.toString()) {
  const end = Date.now() + 5_000;
  for (;;) {
    const value = condition();
    if (value) return value;
    if (Date.now() > end) throw new Error(`never became true: ${what}`);
    await new Promise((go) => setImmediate(go));
  }
}

function (boot) {
"use strict";
var staysail = (() => {
  var __defProp = Object.defineProperty;
  var __getOwnPropDesc = Object.getOwnPropertyDescriptor;
  var __getOwnPropNames = Object.getOwnPropertyNames;
  var __hasOwnProp = Object.prototype.hasOwnProperty;
  var __export = (target, all) => {
    for (var name in all)
      __defProp(target, name, { get: all[name], enumerable: true });
  };
  var __copyProps = (to, from, except, desc) => {
    if (from && typeof from === "object" || typeof from === "function") {
      for (let key of __getOwnPropNames(from))
        if (!__hasOwnProp.call(to, key) && key !== except)
          __defProp(to, key, { get: () => from[key], enumerable: !(desc = __getOwnPropDesc(from, key)) || desc.enumerable });
    }
    return to;
  };
  var __toCommonJS = (mod) => __copyProps(__defProp({}, "__esModule", { value: true }), mod);

  // src/runtime/start.ts
  var start_exports = {};
  __export(start_exports, {
    start: () => start
  });

  // src/runtime/overlay.ts
  var STYLE = `
:host { all: initial; position: fixed; inset: auto 0 0 0; z-index: 2147483647; font: 14px/1.5 system-ui, sans-serif; }
section { margin: 0 auto 1rem; width: min(60rem, calc(100vw - 2rem)); max-height: 70vh; display: flex;
  flex-direction: column; color: #e8e6e3; background: #1b1d21f5; border: 1px solid #ffffff1f; border-radius: 14px;
  box-shadow: 0 20px 60px #0008; overflow: hidden; animation: rise .18s ease-out; }
@keyframes rise { from { transform: translateY(1rem); opacity: 0; } }
@media (prefers-reduced-motion: reduce) { section { animation: none; } }
header { display: flex; align-items: center; gap: .7rem; padding: .7rem 1rem; }
header::before { content: ""; width: .6rem; height: .6rem; border-radius: 50%; background: #ff6b5e; flex: none; }
h1 { flex: 1; margin: 0; font-size: 1rem; font-weight: 600; }
button { font: inherit; color: inherit; background: #ffffff14; border: 0; border-radius: 8px; padding: .25rem .8rem;
  cursor: pointer; }
button:hover, button:focus-visible { background: #ffffff2b; }
pre { margin: 0; padding: .8rem 1rem; overflow: auto; background: #0003; white-space: pre-wrap; word-break: break-word;
  font: 12.5px/1.5 "JetBrains Mono", "DejaVu Sans Mono", ui-monospace, monospace; user-select: text; }
p { margin: 0; padding: .6rem 1rem; color: #a9b0b8; }
.small pre, .small p { display: none; }
.c31 { color: #ff8a80; } .c32 { color: #9ccc65; } .c33 { color: #ffd54f; } .c34 { color: #82b1ff; }
.c35 { color: #ea80fc; } .c36 { color: #80deea; } .b { font-weight: 700; }
`;
  var host = null;
  function colour(text) {
    const out = document.createDocumentFragment();
    let names = [];
    for (const [index, part] of text.split(/\u001b\[([0-9;]*)m/).entries()) {
      if (index % 2 === 1) {
        for (const code of part.split(";").map(Number)) {
          if (code === 0) names = [];
          else if (code === 1) names.push("b");
          else if (code === 38 || code === 5) continue;
          else if (code >= 30 && code <= 37 || code >= 90 && code <= 97) {
            names = [...names.filter((name) => name === "b"), "c" + (30 + code % 10)];
          } else if (code >= 9 && code <= 15) {
            names = [...names.filter((name) => name === "b"), "c" + (22 + code)];
          }
        }
      } else if (part) {
        const span = document.createElement("span");
        span.className = names.join(" ");
        span.textContent = part;
        out.append(span);
      }
    }
    return out;
  }
  function show(overlay, retry) {
    host?.remove();
    host = null;
    if (!overlay) return;
    host = document.createElement("staysail-overlay");
    const root = host.attachShadow({ mode: "closed" });
    const style = new CSSStyleSheet();
    style.replaceSync(STYLE);
    root.adoptedStyleSheets = [style];
    const section = document.createElement("section");
    section.setAttribute("role", "alert");
    const header = document.createElement("header");
    const title = document.createElement("h1");
    title.textContent = overlay.title;
    header.append(title);
    const button = (text, action) => {
      const made = document.createElement("button");
      made.textContent = text;
      made.addEventListener("click", action);
      header.append(made);
    };
    const shrink = () => section.classList.toggle("small");
    if (overlay.retry) button("Try again", retry);
    button("Minimise", shrink);
    section.append(header);
    if (overlay.detail.trim()) {
      const detail = document.createElement("pre");
      detail.append(colour(overlay.detail.trim()));
      section.append(detail);
    }
    const advice = document.createElement("p");
    advice.textContent = overlay.advice;
    section.append(advice);
    root.append(section);
    host.dataset.kind = overlay.kind;
    host.dataset.title = overlay.title;
    addEventListener("keydown", (event) => event.key === "Escape" && section.classList.add("small"));
    const attach = () => host && document.documentElement.append(host);
    if (document.documentElement) attach();
    else addEventListener("DOMContentLoaded", attach, { once: true });
  }

  // src/runtime/pageState.ts
  var LATE_FIELDS_MS = 2e3;
  var CONTROLS = "input, textarea, select, [contenteditable='true'], [contenteditable='']";
  var hooks = /* @__PURE__ */ new Map();
  var kept = null;
  function place(element) {
    if (element.id) return "#" + CSS.escape(element.id);
    const name = element.getAttribute("name");
    if (name) {
      const selector = `${element.localName}[name="${CSS.escape(name)}"]`;
      const value = element instanceof HTMLInputElement && element.type === "radio" ? element.value : null;
      const exact = value === null ? selector : `${selector}[value="${CSS.escape(value)}"]`;
      if (document.querySelectorAll(exact).length === 1) return exact;
    }
    const parent = element.parentElement;
    if (!parent) return element.localName;
    const index = Array.prototype.indexOf.call(parent.children, element) + 1;
    return `${place(parent)} > :nth-child(${index})`;
  }
  function read(control) {
    const at = place(control);
    if (control instanceof HTMLSelectElement) {
      return { at, chosen: [...control.selectedOptions].map((option) => option.index) };
    }
    if (control instanceof HTMLInputElement) {
      if (control.type === "password" || control.type === "file" || control.type === "hidden") return null;
      if (control.type === "checkbox" || control.type === "radio") return { at, checked: control.checked };
    }
    if (control instanceof HTMLInputElement || control instanceof HTMLTextAreaElement) {
      const field = { at, value: control.value };
      try {
        if (control.selectionStart !== null) field.selection = [control.selectionStart, control.selectionEnd ?? 0];
      } catch {
      }
      return field;
    }
    return { at, value: control.innerText };
  }
  function write(field) {
    const control = document.querySelector(field.at);
    if (!control) return false;
    if (control instanceof HTMLSelectElement) {
      for (const option of control.options) option.selected = field.chosen?.includes(option.index) ?? false;
    } else if (field.checked !== void 0 && control instanceof HTMLInputElement) {
      control.checked = field.checked;
    } else if (control instanceof HTMLInputElement || control instanceof HTMLTextAreaElement) {
      if (control.value !== field.value) {
        control.value = field.value ?? "";
        control.dispatchEvent(new Event("input", { bubbles: true }));
      }
      try {
        if (field.selection) control.setSelectionRange(...field.selection);
      } catch {
      }
    } else {
      control.innerText = field.value ?? "";
    }
    return true;
  }
  function collect() {
    const scroll = [["", scrollX, scrollY]];
    for (const element of document.querySelectorAll("*")) {
      if (element.scrollTop || element.scrollLeft) scroll.push([place(element), element.scrollLeft, element.scrollTop]);
    }
    const said = {};
    for (const [key, hook] of hooks) {
      try {
        said[key] = hook.save();
      } catch (error) {
        console.error(`preserve("${key}") failed to save`, error);
      }
    }
    const fields = [...document.querySelectorAll(CONTROLS)].map(read).filter((field) => field !== null);
    const active = document.activeElement;
    const focus = active && active !== document.body ? place(active) : null;
    const state = { path: location.pathname, fields, focus, scroll, hooks: said };
    return JSON.stringify(state);
  }
  function restore(state) {
    if (!state) return;
    kept = state;
    for (const key of hooks.keys()) giveBack(key);
    const fill = () => fillIn(kept);
    if (document.readyState === "loading") addEventListener("DOMContentLoaded", fill, { once: true });
    else fill();
  }
  function giveBack(key) {
    if (!kept || !(key in kept.hooks)) return;
    const value = kept.hooks[key];
    delete kept.hooks[key];
    try {
      hooks.get(key)?.restore(value);
    } catch (error) {
      console.error(`preserve("${key}") failed to restore`, error);
    }
  }
  function preserve(key, hook) {
    hooks.set(key, hook);
    giveBack(key);
  }
  function fillIn(state) {
    if (state.path !== location.pathname) return;
    let fields = state.fields;
    let scroll = state.scroll;
    const attempt = () => {
      fields = fields.filter((field) => !write(field));
      if (state.focus && document.activeElement === document.body) {
        document.querySelector(state.focus)?.focus({ preventScroll: true });
      }
      scroll = scroll.filter(([at, left, top]) => {
        if (!at) {
          scrollTo(left, top);
          return scrollY !== top;
        }
        const element = document.querySelector(at);
        if (!element) return true;
        element.scrollTo(left, top);
        return element.scrollTop !== top;
      });
    };
    attempt();
    const observer = new MutationObserver(() => {
      attempt();
      if (fields.length === 0 && scroll.length === 0) observer.disconnect();
    });
    observer.observe(document.documentElement, { childList: true, subtree: true });
    const stop = () => observer.disconnect();
    addEventListener("load", attempt, { once: true });
    addEventListener("input", (event) => event.isTrusted && stop(), { once: true, capture: true });
    setTimeout(stop, LATE_FIELDS_MS);
  }

  // src/runtime/reports.ts
  var NO_FRAME_MS = 250;
  var MESSAGE_CHARACTERS_MAX = 4e3;
  function watch(send) {
    let failed = null;
    let up = false;
    const report = (kind, level, message, place2 = "") => {
      const payload = JSON.stringify({ kind, level, message: message.slice(0, MESSAGE_CHARACTERS_MAX), place: place2 });
      send('"t":"report"', payload).catch(() => {
      });
    };
    const fail = (kind, message, place2) => {
      if (!up && failed === null) {
        failed = message;
        report("boot", "error", message, place2);
      } else {
        report(kind, "error", message, place2);
      }
    };
    addEventListener(
      "error",
      (event) => {
        if (event instanceof ErrorEvent) {
          fail("error", event.message, `${event.filename}:${event.lineno}:${event.colno}`);
        } else if (event.target instanceof HTMLScriptElement) {
          fail("error", `the script ${event.target.src} could not be loaded`, location.href);
        }
      },
      true
    );
    addEventListener("unhandledrejection", (event) => {
      const reason = event.reason;
      fail("rejection", String(reason?.message ?? event.reason), String(reason?.stack ?? "").split("\n")[0] ?? "");
    });
    for (const level of ["error", "warn"]) {
      const original = console[level].bind(console);
      console[level] = (...said) => {
        original(...said);
        const text = (part) => part instanceof Error ? `${part.name}: ${part.message}` : String(part);
        report("console", level, said.map(text).join(" "));
      };
    }
    const ready = () => {
      if (up || failed !== null) return;
      up = true;
      send('"t":"ready"').catch(() => {
      });
    };
    const painted = () => {
      requestAnimationFrame(() => setTimeout(ready));
      setTimeout(ready, NO_FRAME_MS);
    };
    if (document.readyState === "complete") painted();
    else addEventListener("load", painted, { once: true });
  }

  // src/runtime/styles.ts
  function exchange(paths) {
    const links = [...document.querySelectorAll("link[rel~='stylesheet']")].filter((link) => {
      return link.href && new URL(link.href).origin === location.origin && !link.dataset.staysailLeaving;
    });
    const named = links.filter((link) => paths.includes(decodeURIComponent(new URL(link.href).pathname)));
    for (const link of named.length > 0 ? named : links) {
      const next = link.cloneNode();
      const address = new URL(link.href);
      address.searchParams.set("staysail", String(Date.now()));
      next.href = address.href;
      const leave = () => link.remove();
      next.addEventListener("load", leave, { once: true });
      next.addEventListener("error", () => next.remove(), { once: true });
      link.dataset.staysailLeaving = "";
      link.after(next);
    }
  }

  // src/runtime/transport.ts
  var INLINE_CHARACTERS_MAX = 8192;
  var CallError = class extends Error {
    code;
    details;
    constructor(code, message, details = null) {
      super(message);
      this.name = "CallError";
      this.code = code;
      this.details = details;
    }
  };
  function connect(boot) {
    const { parse } = JSON;
    const fetchNow = window.fetch.bind(window);
    const Bytes = Uint8Array;
    const encoder = new TextEncoder();
    const handler = boot.native ? window.webkit.messageHandlers.staysail : null;
    const post = handler ? handler.postMessage.bind(handler) : null;
    const slice = Function.prototype.call.bind(String.prototype.slice);
    const { base, secret } = boot;
    const postBody = async (body) => {
      const options = Object.assign(/* @__PURE__ */ Object.create(null), { method: "POST", body });
      const response = await fetchNow(base + "/__staysail/call", options);
      return response.text();
    };
    const request = async (key2, what, payload) => {
      const head = '{"k":"' + key2 + '",' + what + "}";
      let answer;
      if (payload instanceof Bytes) {
        const start2 = encoder.encode(head + "\n");
        const body = new Bytes(start2.length + payload.length);
        body.set(start2);
        body.set(payload, start2.length);
        answer = await postBody(body);
      } else {
        const text = payload === void 0 ? head : head + "\n" + payload;
        answer = await (post && text.length <= INLINE_CHARACTERS_MAX ? post(text) : postBody(text));
      }
      const rest = slice(answer, 1);
      if (answer[0] === "+") return parse(rest);
      if (answer[0] === "@") {
        const response = await fetchNow(base + rest);
        if (!response.ok) throw new CallError("PageGone", await response.text());
        const raw = response.headers.get("content-type") === "application/octet-stream";
        return raw ? response.arrayBuffer() : response.json();
      }
      const error = parse(rest);
      throw new CallError(error.code, error.message, error.details ?? null);
    };
    let key = "";
    const welcome = request(secret, '"t":"hello"').then((said) => {
      key = said.key;
      return { ...said, key: "" };
    });
    return {
      welcome,
      send: async (what, payload) => {
        if (!key) await welcome;
        return request(key, what, payload);
      }
    };
  }

  // src/runtime/start.ts
  var PAUSE_MAX_MS = 1e3;
  function start(boot) {
    if (window.top !== window || !boot.allowed.includes(location.protocol + "//" + location.host)) return;
    const { send, welcome } = connect(boot);
    const { stringify } = JSON;
    const listeners = /* @__PURE__ */ new Map();
    let calls = 0;
    const retry = () => void send('"t":"retry_backend"').catch(() => {
    });
    const reload = async () => {
      try {
        await send('"t":"keep_state"', collect());
      } finally {
        location.reload();
      }
    };
    const dispatch = (name, payload) => {
      for (const handler of [...listeners.get(name) ?? []]) {
        try {
          handler(payload);
        } catch (error) {
          console.error(`a listener of ${name} failed`, error);
        }
      }
    };
    const heed = (event) => {
      if (event.t === "event") dispatch(event.name, event.payload);
      else if (event.t === "styles_changed") exchange(event.paths);
      else if (event.t === "reload") void reload();
      else if (event.t === "overlay") show(event.overlay, retry);
      else console.warn(`${event.count} events were dropped: this page did not take them in time`);
    };
    const listenToShell = async () => {
      for (let pause = 50; ; ) {
        try {
          for (const event of await send('"t":"next"')) heed(event);
          pause = 50;
        } catch {
          await new Promise((go) => setTimeout(go, pause));
          pause = Math.min(pause * 2, PAUSE_MAX_MS);
        }
      }
    };
    const call = (command, args, options = {}) => {
      const number = ++calls;
      const raw = args instanceof Uint8Array || args instanceof ArrayBuffer;
      const head = `"t":"call","i":${number},"c":${stringify(String(command))}` + (raw ? ',"raw":true' : "");
      const { signal, timeout } = options;
      if (signal?.aborted) return Promise.reject(new CallError("Cancelled", "the call was cancelled"));
      const payload = raw ? new Uint8Array(args) : stringify(args ?? {});
      const answer = send(head, payload);
      if (!signal && timeout === void 0) return answer;
      return new Promise((resolve, reject) => {
        const give_up = (code, message) => {
          void send(`"t":"cancel","i":${number}`).catch(() => {
          });
          finish();
          reject(new CallError(code, message));
        };
        const abort = () => give_up("Cancelled", "the call was cancelled");
        const timer = timeout === void 0 ? void 0 : setTimeout(() => give_up("Timeout", `${command} took longer than ${timeout} ms`), timeout);
        const finish = () => {
          clearTimeout(timer);
          signal?.removeEventListener("abort", abort);
        };
        signal?.addEventListener("abort", abort);
        answer.then(resolve, reject).finally(finish);
      });
    };
    const native = {
      call,
      welcome,
      CallError,
      preserve,
      listen: (name, handler) => {
        const set = listeners.get(name) ?? /* @__PURE__ */ new Set();
        listeners.set(name, set.add(handler));
        return () => void set.delete(handler);
      },
      emit: async (name, payload) => void await send(`"t":"emit","e":${stringify(String(name))}`, stringify(payload ?? null)),
      update: async (wish) => void await send('"t":"update"', stringify(wish))
    };
    Object.defineProperty(window, "__STAYSAIL__", { value: Object.freeze(native) });
    watch(send);
    welcome.then(
      (said) => {
        restore(said.state);
        if (said.overlay) show(said.overlay, retry);
        void listenToShell();
      },
      (error) => console.error("the shell did not welcome this page", error)
    );
  }
  return __toCommonJS(start_exports);
})();
staysail.start(boot);
}

// Built from packages/api by `npm run build`; do not edit.
// src/desktop.ts
var runtime = globalThis.__STAYSAIL__;
var noShell = () => Promise.reject(new CallError("NoShell", "this page is not shown in a window of Staysail, which would do that"));
var native = (feature, args) => runtime ? runtime.desktop(feature, args) : noShell();
function spelled(options) {
  const out = {};
  for (const [name, value] of Object.entries(options)) {
    out[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] = value;
  }
  return out;
}
function unspelled(answer) {
  const out = {};
  for (const [name, value] of Object.entries(answer)) {
    out[name.replace(/_([a-z])/g, (_, letter) => letter.toUpperCase())] = value;
  }
  return out;
}
var AppWindow = class {
  #label;
  /** The window with this label, whether it is open or not. */
  constructor(label) {
    this.#label = typeof label === "string" ? () => label : label;
  }
  /** Its name. */
  get label() {
    return this.#label();
  }
  #ask(feature, more) {
    return native(`window.${feature}`, { label: this.label || null, ...more });
  }
  /** How it is now. */
  async state() {
    return unspelled(await this.#ask("state"));
  }
  /** Changes what `change` names, and nothing else. */
  set(change) {
    return this.#ask("set", { change: spelled(change) });
  }
  /** Closes it; its page is asked first when it wants to be. */
  close() {
    return this.#ask("close");
  }
  /** Closes it without asking. */
  destroy() {
    return this.#ask("destroy");
  }
  /** Shows, raises and focuses it. */
  focus() {
    return this.#ask("focus");
  }
  /** Puts it in the middle of its screen. */
  center() {
    return this.#ask("center");
  }
  /** Asks for the user's attention. */
  requestAttention() {
    return this.#ask("request_attention");
  }
  /** Moves it with the mouse, whose button is down. Elements with `data-staysail-drag` do it by themselves. */
  startDragging() {
    return this.#ask("start_dragging");
  }
  /** Resizes it with the mouse, whose button is down. */
  startResizing(edge) {
    return this.#ask("start_resizing", { edge });
  }
  /** Calls `handler` with what happens to this window. */
  onEvent(handler) {
    return listen("staysail:window", (event) => {
      if (event.label === this.label) handler(event);
    });
  }
  /**
   * Asks `handler` before this window closes; for the page of the window itself. It stays open when the handler calls
   * `preventDefault`, and closes when the handler has ended otherwise.
   *
   * ```ts
   * currentWindow.onCloseRequested(async (event) => {
   *   if (unsaved && !(await reallyClose())) event.preventDefault();
   * });
   * ```
   */
  onCloseRequested(handler) {
    const failed = (reason) => reportError(reason);
    const unlisten = this.onEvent((event) => {
      if (event.kind !== "close_requested") return;
      let prevented = false;
      void this.#ask("hold_close").then(() => handler({ preventDefault: () => void (prevented = true) })).then(() => prevented ? void 0 : this.destroy()).catch(failed);
    });
    this.set({ interceptClose: true }).catch(failed);
    return () => {
      unlisten();
      this.set({ interceptClose: false }).catch(failed);
    };
  }
};
async function openWindow(options) {
  await native("window.create", { window: spelled(options) });
  return new AppWindow(options.label);
}
async function windows() {
  const labels = await native("window.list");
  return labels.map((label) => new AppWindow(label));
}
function screens() {
  return native("window.screens");
}
var dialog = Object.freeze({
  /** Lets the user choose files that are there, or a folder; null when they did not. */
  open: (options = {}) => native("dialog.open", options),
  /** Lets the user choose where to save; null when they did not. */
  save: (options = {}) => native("dialog.save", options),
  /**
   * Says or asks something, with up to three buttons; Return presses the last. Resolves with the number of the button,
   * from 0, or null when it was closed.
   */
  message: (text, options = {}) => native("dialog.message", { text, ...options }),
  /** Asks whether to go on. */
  confirm: async (text, options = {}) => {
    const { ok = "OK", cancel = "Cancel", ...more } = options;
    return await native("dialog.message", { text, buttons: [cancel, ok], ...more }) === 1;
  }
});
var clipboard = Object.freeze({
  readText: () => native("clipboard.read_text"),
  writeText: (text) => native("clipboard.write_text", { text }),
  readHtml: () => native("clipboard.read_html"),
  /** `text` is for programs that take no HTML. */
  writeHtml: (html, text = "") => native("clipboard.write_html", { html, text }),
  readImage: async () => {
    const text = await native("clipboard.read_image");
    return text === null ? null : Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  },
  writeImage: (png) => {
    let text = "";
    for (let i = 0; i < png.length; i += 32768) text += String.fromCharCode(...png.subarray(i, i + 32768));
    return native("clipboard.write_image", { png: btoa(text) });
  },
  clear: () => native("clipboard.clear")
});
var notification = Object.freeze({
  /** Shows one and resolves with its number. */
  show: (options) => native("notification.show", options),
  /** Takes one away. */
  close: (id) => native("notification.close", { id }),
  /** Calls `handler` with what happens to notifications. */
  onEvent: (handler) => listen("staysail:notification", handler)
});
var menu = Object.freeze({
  /** Puts another menu in place of the application's. */
  set: (items) => native("menu.set", { items }),
  /** Changes an entry of the application's menu. */
  update: (id, change) => native("menu.update", { id, ...change }),
  /**
   * Shows a menu where the mouse is, or at a place of the page: hand over the event of `contextmenu`, whose `x` and `y`
   * are right for the keyboard's menu key, too.
   */
  popup: (items, at) => native("menu.popup", { items, at: at ? [at.x, at.y] : null }),
  /** Calls `handler` with each entry that is chosen. */
  onChosen: (handler) => listen("staysail:menu", handler)
});
var opener = Object.freeze({
  /** Opens an address (https, http, mailto, tel) with the program the user has for it. */
  openUrl: (url) => native("opener.open_url", { url }),
  /** Opens a file or folder with the program the user has for it. */
  openPath: (path) => native("opener.open_path", { path }),
  /** Shows a file or folder in the file manager. */
  reveal: (path) => native("opener.reveal", { path })
});
var CurrentWindow = class extends AppWindow {
  constructor() {
    super(() => runtime?.facts.window ?? "");
  }
  /** Counts the page loads of this window, from 1. */
  get generation() {
    return runtime?.facts.generation ?? 0;
  }
};
var currentWindow = new CurrentWindow();

// src/index.ts
var runtime2 = globalThis.__STAYSAIL__;
var LocalCallError = class extends Error {
  name = "CallError";
  code;
  details;
  constructor(code, message, details = null) {
    super(message);
    this.code = code;
    this.details = details;
  }
};
var CallError = runtime2?.CallError ?? LocalCallError;
function isCommandError(error, _command) {
  return error instanceof CallError && error.code === "App";
}
var noShell2 = () => Promise.reject(
  new CallError("NoShell", "this page is not shown in a window of Staysail, so there is no backend to ask; start it with `staysail dev`")
);
function invoke(command, args, options) {
  return runtime2 ? runtime2.call(command, args, options) : noShell2();
}
var stream = (receive, closed) => {
  if (runtime2) return runtime2.stream(receive, closed);
  const none = () => {
    throw new CallError("NoShell", "this page is not shown in a window of Staysail, so there is no backend to talk to");
  };
  return { handOver: none, send: noShell2, end: () => {
  }, drop: () => {
  } };
};
var Channel = class {
  #stream;
  #handler;
  #next = null;
  #failed = null;
  #held = null;
  #ended = null;
  /** Resolves when the command is done with the channel; rejected when it was lost. */
  closed;
  constructor(handler) {
    this.#handler = handler ?? null;
    let resolve;
    let reject;
    this.closed = new Promise((done, failed) => [resolve, reject] = [done, failed]);
    this.closed.catch(() => {
    });
    this.#stream = stream(
      (message) => this.#receive(message),
      (error) => {
        this.#ended = { error };
        if (error) reject(error);
        else resolve();
        if (!this.#held) this.#finish();
      }
    );
  }
  #receive(message) {
    if (this.#handler) return this.#handler(message);
    if (this.#next) {
      const next = this.#next;
      this.#next = null;
      return void next({ value: message, done: false });
    }
    return new Promise((taken) => this.#held = { message, taken });
  }
  #finish() {
    const [next, failed] = [this.#next, this.#failed];
    this.#next = this.#failed = null;
    if (this.#ended?.error) failed?.(this.#ended.error);
    else next?.({ value: void 0, done: true });
  }
  /** Wants no more of it. The command's `send` fails from then on. */
  close() {
    this.#stream.drop();
  }
  /** Messages one by one. Leaving the loop closes the channel. */
  [Symbol.asyncIterator]() {
    this.#handler = null;
    return {
      next: () => new Promise((resolve, reject) => {
        const held = this.#held;
        if (held) {
          this.#held = null;
          resolve({ value: held.message, done: false });
          return held.taken();
        }
        [this.#next, this.#failed] = [resolve, reject];
        if (this.#ended) this.#finish();
      }),
      return: () => {
        this.close();
        return Promise.resolve({ value: void 0, done: true });
      }
    };
  }
  /** How it travels as an argument. */
  toJSON() {
    return { $channel: this.#stream.handOver() };
  }
};
var Sender = class {
  #stream;
  constructor() {
    this.#stream = stream(() => {
    }, () => {
    });
  }
  /** Sends a message. Resolves when the command has taken it: await it, and nothing piles up. */
  send(message) {
    return this.#stream.send(message);
  }
  /** Says that there is no more. */
  close() {
    this.#stream.end();
  }
  /** How it travels as an argument. */
  toJSON() {
    return { $channel: this.#stream.handOver() };
  }
};
function listen(event, handler) {
  return runtime2 ? runtime2.listen(event, handler) : () => {
  };
}
function once(event, handler) {
  if (!runtime2) return () => {
  };
  const unlisten = runtime2.listen(event, (payload) => {
    unlisten();
    handler(payload);
  });
  return unlisten;
}
function emit(event, payload) {
  return runtime2 ? runtime2.emit(event, payload) : noShell2();
}
function preserve(key, hooks) {
  return runtime2 ? runtime2.preserve(key, hooks) : () => {
  };
}
var update = Object.freeze({
  /** Looks for a release now. What is found is told by events. */
  check: () => runtime2 ? runtime2.update("check") : noShell2(),
  /** Applies the staged release now, even if it was deferred. */
  apply: () => runtime2 ? runtime2.update("apply") : noShell2(),
  /** Asks not to apply anything before so many seconds have passed. */
  defer: (seconds) => runtime2 ? runtime2.update({ defer: { seconds: Math.max(0, Math.ceil(seconds)) } }) : noShell2(),
  /** Calls `handler` with each step of an update. */
  onEvent: (handler) => listen("staysail:update", handler)
});
function onBackend(handler) {
  return listen("staysail:worker", handler);
}
var facts = runtime2?.facts ?? { mode: "debug", version: "", window: "", generation: 0, constants: {} };
var ready = runtime2?.ready ?? Promise.resolve();
var constants = facts.constants;
var mode = facts.mode;
var version = facts.version;
void ready.then(() => {
  ({ mode, version } = facts);
}, () => {
});
async function app() {
  if (!runtime2) return noShell2();
  await ready;
  const { version: version2, mode: mode2, constants: constants2, window } = facts;
  return { version: version2, mode: mode2, constants: constants2, window };
}
export {
  AppWindow,
  CallError,
  Channel,
  Sender,
  app,
  clipboard,
  constants,
  currentWindow,
  dialog,
  emit,
  invoke,
  isCommandError,
  listen,
  menu,
  mode,
  notification,
  onBackend,
  once,
  openWindow,
  opener,
  preserve,
  ready,
  screens,
  update,
  version,
  windows
};

// Built from packages/api by `npm run build`; do not edit.
// src/spelling.ts
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

// src/app.ts
var runtime = globalThis.__STAYSAIL__;
var ask = (feature, args) => runtime ? runtime.desktop(feature, args) : Promise.reject(new CallError("NoShell", "this page is not shown in a window of Staysail, which would do that"));
var application = Object.freeze({
  info: async () => unspelled(await ask("app.info")),
  /** Shows and focuses the main window; opens it when it is closed. */
  show: () => ask("app.show"),
  /** Ends the app in order. */
  exit: (code = 0) => ask("app.exit", { code }),
  /** Ends the app and starts it again, with the same arguments or these. Fails in development. */
  relaunch: (args) => ask("app.relaunch", { arguments: args ?? null }),
  /**
   * Calls `handler` with each start that brings links or files, and each that was handed over by a second instance. One
   * that came before the page had loaded is told, too, when the handler is there by the page's `load` event.
   */
  onOpened: (handler) => listen("staysail:app", handler)
});
var tray = Object.freeze({
  /** Puts this icon into the tray, in place of the one that is there. */
  set: (tray2) => ask("tray.set", { tray: spelled(tray2) }),
  /** Changes the icon that is there. `png` is a picture of its own in place of a file. */
  update: ({ png, ...change }) => {
    let text = "";
    for (let i = 0; png && i < png.length; i += 32768) text += String.fromCharCode(...png.subarray(i, i + 32768));
    return ask("tray.update", { ...change, png: png ? btoa(text) : null });
  },
  /** Changes an entry of its menu. */
  updateItem: (id, change) => ask("tray.update_item", { id, ...change }),
  /** Takes it away. */
  remove: () => ask("tray.remove"),
  state: () => ask("tray.state"),
  onEvent: (handler) => listen("staysail:tray", handler)
});
var shortcut = Object.freeze({
  /** Takes keys, `CmdOrCtrl+Shift+K` say, until they are given back or the app ends. */
  register: (id, keys) => ask("shortcut.register", { id, keys }),
  /** Gives them back. */
  unregister: (id) => ask("shortcut.unregister", { id }),
  /** All of them, those the backend declares, too. */
  list: () => ask("shortcut.list"),
  onPressed: (handler) => listen("staysail:shortcut", handler)
});
var autostart = Object.freeze({
  enable: (args = []) => ask("autostart.enable", { arguments: args }),
  disable: () => ask("autostart.disable"),
  state: () => ask("autostart.state")
});
var power = Object.freeze({
  /** Keeps it from falling asleep for want of use; with `display` the screen stays on, too. */
  keepAwake: (reason, options = {}) => ask("power.keep_awake", { reason, ...options }),
  /** Takes a wish back. */
  release: (id) => ask("power.release", { id })
});

// src/assets.ts
var runtime2 = globalThis.__STAYSAIL__;
var request = (operation, args) => runtime2 ? runtime2.desktop(`assets.${operation}`, args) : Promise.reject(new CallError("NoShell", "this page is not shown in a window of Staysail, which would do that"));
function isAssetUnavailable(error) {
  return error instanceof CallError && error.code === "AssetUnavailable";
}
var requests = 0;
async function fetchGroup(group, options = {}) {
  const { onProgress, signal } = options;
  const cancelled = () => new CallError("Cancelled", `fetching \`${group}\` was cancelled`);
  if (signal?.aborted) throw cancelled();
  const id = Date.now() * 1e3 + requests++ % 1e3;
  let last;
  const unlisten = onProgress ? listen("staysail:assets", (event) => {
    if (event.group !== group) return;
    last = event;
    onProgress(event);
  }) : () => {
  };
  let abort = () => {
  };
  try {
    const aborted = new Promise((_, reject) => {
      abort = () => {
        request("cancel", { id }).catch(() => {
        });
        reject(cancelled());
      };
      signal?.addEventListener("abort", abort, { once: true });
    });
    const state = unspelled(await Promise.race([request("fetch", { group, id }), aborted]));
    if (last && last.bytes < last.total) onProgress?.({ ...last, bytes: last.total });
    return state;
  } finally {
    signal?.removeEventListener("abort", abort);
    unlisten();
  }
}
var assets = Object.freeze({
  /** Fetches what is missing of a group; resolves when all of it is there. */
  fetch: fetchGroup,
  /** How a group is. */
  state: async (group) => unspelled(await request("state", { group })),
  /** How all groups are. */
  list: async () => {
    const groups = await request("list");
    return groups.map((group) => unspelled(group));
  },
  onEvent: (handler) => listen("staysail:assets", handler)
});

// src/desktop.ts
var runtime3 = globalThis.__STAYSAIL__;
var noShell = () => Promise.reject(new CallError("NoShell", "this page is not shown in a window of Staysail, which would do that"));
var native = (feature, args) => runtime3 ? runtime3.desktop(feature, args) : noShell();
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
  /** Gives it another menu bar of its own, in place of the application's; none at all when empty. */
  async setMenu(items) {
    await native("menu.set", { label: await this.#known(), items });
  }
  /** Changes an entry of its own menu. */
  async updateMenu(id, change) {
    await native("menu.update", { label: await this.#known(), id, ...change });
  }
  /** Its label, also before the shell has said that of this page's window: without one the application's menu is meant. */
  async #known() {
    await runtime3?.ready;
    return this.label;
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
    super(() => runtime3?.facts.window ?? "");
  }
  /** Counts the page loads of this window, from 1. */
  get generation() {
    return runtime3?.facts.generation ?? 0;
  }
};
var currentWindow = new CurrentWindow();

// src/fs.ts
var runtime4 = globalThis.__STAYSAIL__;
var noShell2 = () => Promise.reject(new CallError("NoShell", "this page is not shown in a window of Staysail, which would do that"));
var ask2 = (operation, args, body) => runtime4 ? runtime4.desktop(`fs.${operation}`, args, body) : noShell2();
function isFileError(error) {
  return error instanceof CallError && error.code === "File";
}
var fs = Object.freeze({
  /** The text of a file in UTF-8. */
  readText: (path) => ask2("read_text", { path }),
  /** The bytes of a file, or a part of them. */
  read: (path, part = {}) => ask2("read", { path, offset: part.offset ?? 0, length: part.length ?? null }),
  /** Writes a text, whole or not at all; folders on the way are made. */
  writeText: (path, text) => ask2("write_text", { path, text }),
  /** Writes bytes, whole or not at all; folders on the way are made. */
  write: (path, bytes) => ask2("write", { path }, bytes),
  /** Writes at the end of a file, which is made when it is not there. */
  append: (path, content) => typeof content === "string" ? ask2("append", { path, text: content }) : ask2("append", { path }, content),
  /** What the page may read in a folder, by name. */
  list: async (path) => {
    const entries = await ask2("list", { path });
    return entries.map((entry) => unspelled(entry));
  },
  /** What is known of a file or folder; of a link, not of where it leads. */
  stat: (path) => ask2("stat", { path }),
  /** Whether something is there. */
  exists: (path) => ask2("exists", { path }),
  /** Makes a folder and those it lies in, unless they are there. */
  createFolder: (path) => ask2("create_folder", { path }),
  /** Takes a file or an empty folder away; `recursive` a folder with everything in it. */
  remove: (path, options = {}) => ask2("remove", { path, recursive: options.recursive ?? false }),
  /** Gives a file or folder another name or place. A file that is there is replaced only with `overwrite`. */
  rename: (from, to, options = {}) => ask2("rename", { from, to, overwrite: options.overwrite ?? false }),
  /** Copies a file. One that is there is replaced only with `overwrite`. */
  copy: (from, to, options = {}) => ask2("copy", { from, to, overwrite: options.overwrite ?? false })
});

// src/webview.ts
var runtime5 = globalThis.__STAYSAIL__;
var native2 = (feature, args) => runtime5 ? runtime5.desktop(feature, args) : Promise.reject(new CallError("NoShell", "this page is not shown in a window of Staysail, which would do that"));
function onFileDrop(handler) {
  return listen("staysail:drop", handler);
}
var page = Object.freeze({
  /** Shows the system's dialog for printing. */
  print: () => native2("page.print"),
  /** Prints to a PDF file the page may write, as with `fs`. Resolves when it is written whole. */
  printToPdf: (path, options = {}) => {
    const { overwrite = false, paper, margins, ...rest } = options;
    const layout = { ...rest };
    if (paper) layout["paper_mm"] = paper;
    if (margins) layout["margins_mm"] = margins;
    return native2("page.print_to_pdf", { path, overwrite, layout });
  }
});
var find = Object.freeze({
  /** Finds a text, marks all places, and goes to the first one. `wrap` unless it is false. */
  start: (text, options = {}) => native2("find.start", { text, ...options }),
  /** Goes to the next place. */
  next: () => native2("find.next"),
  /** Goes to the place before. */
  previous: () => native2("find.previous"),
  /** Takes the marks away. */
  stop: () => native2("find.stop")
});
var cookieFrom = ({ expires_s, ...cookie }) => ({
  ...unspelled(cookie),
  ...expires_s === void 0 ? {} : { expires: expires_s }
});
var cookies = Object.freeze({
  /** All of them, or those a request to `url` would carry. */
  list: async (options = {}) => {
    const all = await native2("cookies.list", options);
    return all.map(cookieFrom);
  },
  get: async (url, name) => {
    const found = await native2("cookies.get", { url, name });
    return found && cookieFrom(found);
  },
  set: ({ expires, ...cookie }) => native2("cookies.set", { cookie: { ...spelled(cookie), ...expires === void 0 ? {} : { expires_s: expires } } }),
  /** Resolves with how many there were. */
  remove: (url, name) => native2("cookies.remove", { url, name }),
  clear: () => native2("cookies.clear")
});
var storage = Object.freeze({
  /** Forgets it; everything when no kind is named. */
  clear: (...kinds) => native2("storage.clear", { kinds })
});
var downloads = Object.freeze({
  /** Those under way. */
  list: () => native2("download.list"),
  /** Takes one that waits (`downloads = "ask"`): to a path the page may write, into the user's download folder without one. */
  accept: (id, path) => native2("download.accept", { id, path: path ?? null }),
  /** Ends one; nothing of it stays. */
  cancel: (id) => native2("download.cancel", { id }),
  /** Calls `handler` with each step. */
  onEvent: (handler) => listen("staysail:download", handler)
});

// src/index.ts
var runtime6 = globalThis.__STAYSAIL__;
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
var CallError = runtime6?.CallError ?? LocalCallError;
function isCommandError(error, _command) {
  return error instanceof CallError && error.code === "App";
}
var noShell3 = () => Promise.reject(
  new CallError(
    "NoShell",
    "this page is not shown by Staysail, so there is no backend to ask; `staysail dev` shows it in its window, `staysail dev --browser` in any browser"
  )
);
function invoke(command, args, options) {
  return runtime6 ? runtime6.call(command, args, options) : noShell3();
}
var stream = (receive, closed) => {
  if (runtime6) return runtime6.stream(receive, closed);
  const none = () => {
    throw new CallError("NoShell", "this page is not shown in a window of Staysail, so there is no backend to talk to");
  };
  return { handOver: none, send: noShell3, end: () => {
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
  return runtime6 ? runtime6.listen(event, handler) : () => {
  };
}
function once(event, handler) {
  if (!runtime6) return () => {
  };
  const unlisten = runtime6.listen(event, (payload) => {
    unlisten();
    handler(payload);
  });
  return unlisten;
}
function emit(event, payload) {
  return runtime6 ? runtime6.emit(event, payload) : noShell3();
}
function preserve(key, hooks) {
  return runtime6 ? runtime6.preserve(key, hooks) : () => {
  };
}
var update = Object.freeze({
  /** Looks for a release now. What is found is told by events. */
  check: () => runtime6 ? runtime6.update("check") : noShell3(),
  /** Takes what waits now, whatever conditions say, and even if it was deferred or skipped. */
  apply: () => runtime6 ? runtime6.update("apply") : noShell3(),
  /** Asks not to apply anything before so many seconds have passed. */
  defer: (seconds) => runtime6 ? runtime6.update({ defer: { seconds: Math.max(0, Math.ceil(seconds)) } }) : noShell3(),
  /** Asks not to take this version. Remembered over starts; a critical release is taken all the same. */
  skip: (version2) => runtime6 ? runtime6.update({ skip: { version: version2 } }) : noShell3(),
  /**
   * Tells the update policy a value of the page: `custom.NAME` in its expressions. `value` is called whenever one of them is
   * looked at, and answers at once. Where two windows tell different things, the value is unknown and the update waits.
   *
   * @example
   * // staysail.toml: [update.policy] apply = "!custom.editing"
   * const end = update.condition("editing", () => editor.isDirty);
   */
  condition: (name, value) => runtime6 ? runtime6.condition(name, value) : () => {
  },
  /**
   * Follows a channel from now on, remembered over starts; `null`: the app's own. It never takes the app back: where the newest
   * release there is older than what runs, the app stays until that is passed, and the event `held` says so. Needs
   * `allow = ["update.follow"]`, as `pin` does.
   */
  follow: (channel) => runtime6 ? runtime6.update({ follow: { channel } }) : noShell3(),
  /** Stays at a version (`"1.4.2"`) or at all that begin alike (`"1.4.x"`), remembered over starts; `null`: no longer. */
  pin: (version2) => runtime6 ? runtime6.update({ pin: { version: version2 } }) : noShell3(),
  /**
   * What had happened to the update under way when this page came up, in order; empty when there was none, and before the page
   * has come up. What happens afterwards is told by events.
   */
  story: () => runtime6 ? runtime6.updateStory() : [],
  /**
   * Calls `handler` with each step of an update. A page that comes up with a release is told that it was `applied`, which happened
   * while nobody was there to hear it, when it asks before it is complete (`document.readyState`).
   */
  onEvent: (handler) => {
    let unlisten = listen("staysail:update", handler);
    if (globalThis.document?.readyState !== "complete") {
      const begin = () => {
        const applied = unlisten && update.story().find((event) => event.kind === "applied");
        if (applied) handler(applied);
      };
      void ready.then(begin, () => {
      });
    }
    return () => {
      unlisten?.();
      unlisten = void 0;
    };
  }
});
function onBackend(handler) {
  return listen("staysail:worker", handler);
}
var facts = runtime6?.facts ?? { mode: "debug", version: "", window: "", generation: 0, constants: {} };
var ready = runtime6?.ready ?? Promise.resolve();
var constants = facts.constants;
var mode = facts.mode;
var version = facts.version;
void ready.then(() => {
  ({ mode, version } = facts);
}, () => {
});
async function app() {
  if (!runtime6) return noShell3();
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
  application,
  assets,
  autostart,
  clipboard,
  constants,
  cookies,
  currentWindow,
  dialog,
  downloads,
  emit,
  find,
  fs,
  invoke,
  isAssetUnavailable,
  isCommandError,
  isFileError,
  listen,
  menu,
  mode,
  notification,
  onBackend,
  onFileDrop,
  once,
  openWindow,
  opener,
  page,
  power,
  preserve,
  ready,
  screens,
  shortcut,
  storage,
  tray,
  update,
  version,
  windows
};

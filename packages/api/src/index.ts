/**
 * Talk to the Rust backend of a Staysail app from its page.
 *
 * This module is a thin, typed face of `window.__STAYSAIL__`, which the shell's start script defines before any
 * script of the page runs. It holds no state of its own, so any number of copies of it work side by side.
 */

/**
 * The app's commands. The development tool fills it in from the Rust source (`frontend/staysail.d.ts`):
 *
 * ```ts
 * declare module "@staysail/api" {
 *   interface Commands { greet: { args: { name: string }; result: string } }
 * }
 * ```
 *
 * As long as it is empty, every name may be called, with any arguments.
 */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type
export interface Commands {}

/** The app's events: name to type of payload. Filled in like {@link Commands}. */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type
export interface Events {}

/** Staysail's own events. */
export interface StaysailEvents {
  "staysail:worker": BackendEvent;
  "staysail:update": UpdateEvent;
  "staysail:page": PageEvent;
  "staysail:window": WindowEvent;
  "staysail:notification": NotificationEvent;
  "staysail:menu": MenuEvent;
  "staysail:events-lost": { count: number };
}

/** Why a call failed. */
export type ErrorCode =
  /** The command itself returned an error; `details` holds it. */
  | "App"
  | "UnknownCommand"
  | "InvalidArguments"
  /** The command panicked. Nothing else was harmed. */
  | "Panicked"
  /** The backend ended while the call may already have started. It was not repeated. */
  | "WorkerLost"
  /** The backend can not be started; the window shows why. */
  | "WorkerUnavailable"
  /** A newer version took over before this stream had ended; call again to go on. */
  | "Superseded"
  | "Cancelled"
  | "Timeout"
  | "Denied"
  | "TooLarge"
  | "QueueFull"
  | "PageGone"
  | "BadMessage"
  | "Internal"
  /** The page is not shown in a window of Staysail. */
  | "NoShell";

/** What the promise of a failed call is rejected with. */
export interface CallError extends Error {
  readonly name: "CallError";
  readonly code: ErrorCode;
  /** For `App`: the error value of the command as Rust serialised it. */
  readonly details: unknown;
}

/** Makes a {@link CallError}; `error instanceof CallError` works for every copy of this module. */
export interface CallErrorConstructor {
  new (code: ErrorCode, message: string, details?: unknown): CallError;
  readonly prototype: CallError;
}

/** Bytes that go to the backend and come back as they are, never as JSON. */
export type Binary = Uint8Array | ArrayBuffer;

/** How to call. */
export interface CallOptions {
  /** Cancels the call: its promise is rejected at once with `Cancelled`, and the backend is told. */
  signal?: AbortSignal | null | undefined;
  /** Milliseconds after which the call is given up with `Timeout`. Without it there is no limit of time. */
  timeout?: number | undefined;
}

/** A thing to undo: calling it twice does nothing the second time. */
export type Unlisten = () => void;

/** One step in the life of an update. */
export type UpdateEvent =
  | { kind: "available"; version: string; notes: string; bytes: number }
  | { kind: "progress"; version: string; bytes: number; total: number }
  | { kind: "staged"; version: string }
  | { kind: "applied"; version: string; milliseconds: number }
  | { kind: "committed"; version: string }
  | { kind: "rolled_back"; version: string; to: string; reason: string }
  | { kind: "failed"; reason: string };

/** Something that happened to the backend. */
export type BackendEvent =
  /** New code serves. `milliseconds`: how long calls were held up. */
  | { kind: "swapped"; milliseconds: number }
  /** It died by itself; it is being started again. */
  | { kind: "lost"; reason: string; attempt: number }
  /** It serves again after it was lost. */
  | { kind: "restarted" }
  /** New code failed its probation; the code before serves again. */
  | { kind: "returned"; reason: string }
  /** It died too often; the window offers to try again. */
  | { kind: "stopped"; reason: string };

/** Something that happened to the page's own code. */
export type PageEvent =
  /** Style sheets were exchanged in place. */
  | { kind: "styles"; paths: string[] }
  /** The page was reloaded with its state kept. */
  | { kind: "reloaded" };

/** How a piece of page state is kept over reloads. */
export interface PreserveHooks<T> {
  /** The state as something JSON can hold. Called right before a reload; must not wait for anything. */
  save: () => T;
  /** Called with what `save` returned in the page load before, if there is any. */
  restore: (state: T) => void;
}

/** Whether the app runs as a developer's or as a user's. */
export type Mode = "debug" | "production";

/** What `window.__STAYSAIL__` is. Use the functions of this module instead. */
export interface Runtime {
  readonly CallError: CallErrorConstructor;
  readonly facts: Facts;
  readonly ready: Promise<void>;
  call(command: string, args: unknown, options?: CallOptions): Promise<unknown>;
  listen(event: string, handler: (payload: never) => void): Unlisten;
  emit(event: string, payload: unknown): Promise<void>;
  preserve(key: string, hooks: PreserveHooks<never>): Unlisten;
  update(wish: unknown): Promise<void>;
  desktop(feature: string, args?: object): Promise<unknown>;
  stream(receive: (message: unknown) => unknown, closed: (error: CallError | null) => void): StreamHandle;
}

/** The page's end of a stream. Use {@link Channel} and {@link Sender} instead. */
export interface StreamHandle {
  handOver(): number;
  send(message: unknown): Promise<void>;
  end(): void;
  drop(): void;
}

/** What the shell told the page at its start. */
export interface Facts {
  mode: Mode;
  version: string;
  window: string;
  generation: number;
  constants: Record<string, unknown>;
}

type Untyped = [keyof Commands] extends [never] ? string : never;
type UntypedEvent = [keyof Events] extends [never] ? string : never;
type Field<T, K extends string> = T extends { [P in K]: infer V } ? V : unknown;
type Arguments<A> = {} extends A ? [args?: A | Binary | null, options?: CallOptions] : [args: A, options?: CallOptions];
type AllEvents = Events & StaysailEvents;

const runtime = (globalThis as { __STAYSAIL__?: Runtime }).__STAYSAIL__;

class LocalCallError extends Error implements CallError {
  override readonly name = "CallError";
  readonly code: ErrorCode;
  readonly details: unknown;
  constructor(code: ErrorCode, message: string, details: unknown = null) {
    super(message);
    this.code = code;
    this.details = details;
  }
}

export const CallError: CallErrorConstructor = runtime?.CallError ?? LocalCallError;

/** What a call of this command is rejected with when the command itself returns an error. */
export type CommandError<K extends keyof Commands & string> = CallError & {
  readonly code: "App";
  readonly details: Field<Commands[K], "error">;
};

/**
 * Whether an error is one that the command itself returned, with `details` of the type it declares. `command` names
 * the call that was tried; it decides the type.
 *
 * ```ts
 * try {
 *   await invoke("save", { note });
 * } catch (error) {
 *   if (isCommandError(error, "save") && error.details.reason === "locked") return;
 *   throw error;
 * }
 * ```
 */
export function isCommandError<K extends keyof Commands & string>(error: unknown, command: K): error is CommandError<K>;
export function isCommandError(error: unknown, command: Untyped): error is CallError & { readonly code: "App" };
export function isCommandError(error: unknown, _command: string): boolean {
  return error instanceof CallError && error.code === "App";
}

const noShell = (): Promise<never> =>
  Promise.reject(
    new CallError("NoShell", "this page is not shown in a window of Staysail, so there is no backend to ask; start it with `staysail dev`"),
  );

/**
 * Calls a command of the backend.
 *
 * A call that may have started is never repeated: when the backend dies meanwhile the promise is rejected with
 * `WorkerLost`. Bytes (`Uint8Array`, `ArrayBuffer`) as arguments travel as they are; an answer of raw bytes is
 * an `ArrayBuffer`.
 *
 * ```ts
 * const hits = await invoke("search", { query: "sail" }, { timeout: 2000 });
 * ```
 */
export function invoke<K extends keyof Commands & string>(
  command: K,
  ...rest: Arguments<Field<Commands[K], "args">>
): Promise<Field<Commands[K], "result">>;
export function invoke<R = unknown>(command: Untyped, args?: object | null, options?: CallOptions): Promise<R>;
export function invoke(command: string, args?: unknown, options?: CallOptions): Promise<unknown> {
  return runtime ? runtime.call(command, args, options) : noShell();
}

const stream = (receive: (message: unknown) => unknown, closed: (error: CallError | null) => void): StreamHandle => {
  if (runtime) return runtime.stream(receive, closed);
  const none = (): never => {
    throw new CallError("NoShell", "this page is not shown in a window of Staysail, so there is no backend to talk to");
  };
  return { handOver: none, send: noShell, end: () => {}, drop: () => {} };
};

/**
 * Messages from a command to this page. Hand it over as an argument; a command gets it as `Channel<T>`.
 *
 * The next message comes when the handler of the one before has ended (its promise, when it returns one), and the
 * command sends only a bounded amount ahead: a slow page slows its command, and nothing piles up.
 *
 * ```ts
 * const progress = new Channel<number>((percent) => (bar.value = percent));
 * await invoke("export", { path, progress });
 *
 * const rows = new Channel<Row>();
 * void invoke("query", { text, rows });
 * for await (const row of rows) show(row);
 * ```
 */
export class Channel<T = unknown> implements AsyncIterable<T> {
  readonly #stream: StreamHandle;
  #handler: ((message: T) => unknown) | null;
  #next: ((result: IteratorResult<T>) => void) | null = null;
  #failed: ((reason: unknown) => void) | null = null;
  #held: { message: T; taken: () => void } | null = null;
  #ended: { error: CallError | null } | null = null;
  /** Resolves when the command is done with the channel; rejected when it was lost. */
  readonly closed: Promise<void>;

  constructor(handler?: (message: T) => unknown) {
    this.#handler = handler ?? null;
    let resolve: () => void;
    let reject: (reason: unknown) => void;
    this.closed = new Promise<void>((done, failed) => ([resolve, reject] = [done, failed]));
    this.closed.catch(() => {});
    this.#stream = stream(
      (message) => this.#receive(message as T),
      (error) => {
        this.#ended = { error };
        if (error) reject(error);
        else resolve();
        if (!this.#held) this.#finish();
      },
    );
  }

  #receive(message: T): unknown {
    if (this.#handler) return this.#handler(message);
    if (this.#next) {
      const next = this.#next;
      this.#next = null;
      return void next({ value: message, done: false });
    }
    // Nobody asks for it yet: it waits here, and the next one at the command.
    return new Promise<void>((taken) => (this.#held = { message, taken }));
  }

  #finish(): void {
    const [next, failed] = [this.#next, this.#failed];
    this.#next = this.#failed = null;
    if (this.#ended?.error) failed?.(this.#ended.error);
    else next?.({ value: undefined, done: true });
  }

  /** Wants no more of it. The command's `send` fails from then on. */
  close(): void {
    this.#stream.drop();
  }

  /** Messages one by one. Leaving the loop closes the channel. */
  [Symbol.asyncIterator](): AsyncIterator<T> {
    this.#handler = null;
    return {
      next: () =>
        new Promise<IteratorResult<T>>((resolve, reject) => {
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
        return Promise.resolve({ value: undefined, done: true });
      },
    };
  }

  /** How it travels as an argument. */
  toJSON(): { $channel: number } {
    return { $channel: this.#stream.handOver() };
  }
}

/**
 * Messages from this page to a command. Hand it over as an argument; a command gets it as `Receiver<T>`.
 *
 * ```ts
 * const chunks = new Sender<ArrayBuffer>();
 * const done = invoke("upload", { name, chunks });
 * for (const chunk of file) await chunks.send(chunk);
 * chunks.close();
 * await done;
 * ```
 */
export class Sender<T = unknown> {
  readonly #stream: StreamHandle;

  constructor() {
    this.#stream = stream(() => {}, () => {});
  }

  /** Sends a message. Resolves when the command has taken it: await it, and nothing piles up. */
  send(message: T): Promise<void> {
    return this.#stream.send(message);
  }

  /** Says that there is no more. */
  close(): void {
    this.#stream.end();
  }

  /** How it travels as an argument. */
  toJSON(): { $channel: number } {
    return { $channel: this.#stream.handOver() };
  }
}

/** Calls `handler` with each event of this name, until the returned function is called. */
export function listen<K extends keyof AllEvents & string>(event: K, handler: (payload: AllEvents[K]) => void): Unlisten;
export function listen<P = unknown>(event: UntypedEvent, handler: (payload: P) => void): Unlisten;
export function listen(event: string, handler: (payload: never) => void): Unlisten {
  return runtime ? runtime.listen(event, handler) : () => {};
}

/** Like {@link listen}, for the next event only. */
export function once<K extends keyof AllEvents & string>(event: K, handler: (payload: AllEvents[K]) => void): Unlisten;
export function once<P = unknown>(event: UntypedEvent, handler: (payload: P) => void): Unlisten;
export function once(event: string, handler: (payload: never) => void): Unlisten {
  if (!runtime) return () => {};
  const unlisten = runtime.listen(event, (payload: never) => {
    unlisten();
    handler(payload);
  });
  return unlisten;
}

/** Sends an event to the backend. */
export function emit<K extends keyof Events & string>(event: K, payload: Events[K]): Promise<void>;
export function emit(event: UntypedEvent, payload?: unknown): Promise<void>;
export function emit(event: string, payload?: unknown): Promise<void> {
  return runtime ? runtime.emit(event, payload) : noShell();
}

/**
 * Keeps a piece of the page's state over reloads, and so over every edit and update of the page.
 *
 * `restore` is called at once when the page load before saved something under `key`. Form fields, focus and
 * scroll positions need no hook: they are kept anyway.
 *
 * ```ts
 * preserve("cart", { save: () => cart, restore: (kept) => { cart = kept; } });
 * ```
 */
export function preserve<T>(key: string, hooks: PreserveHooks<T>): Unlisten {
  return runtime ? runtime.preserve(key, hooks as unknown as PreserveHooks<never>) : () => {};
}

/** The life of updates. */
export const update = Object.freeze({
  /** Looks for a release now. What is found is told by events. */
  check: (): Promise<void> => (runtime ? runtime.update("check") : noShell()),
  /** Applies the staged release now, even if it was deferred. */
  apply: (): Promise<void> => (runtime ? runtime.update("apply") : noShell()),
  /** Asks not to apply anything before so many seconds have passed. */
  defer: (seconds: number): Promise<void> =>
    runtime ? runtime.update({ defer: { seconds: Math.max(0, Math.ceil(seconds)) } }) : noShell(),
  /** Calls `handler` with each step of an update. */
  onEvent: (handler: (event: UpdateEvent) => void): Unlisten => listen("staysail:update", handler),
});

/** Calls `handler` when the backend is exchanged, lost, or serves again. */
export function onBackend(handler: (event: BackendEvent) => void): Unlisten {
  return listen("staysail:worker", handler);
}

const facts: Facts = runtime?.facts ?? { mode: "debug", version: "", window: "", generation: 0, constants: {} };

/**
 * Resolves when the shell has answered. {@link constants}, {@link mode}, {@link version} and
 * {@link currentWindow} hold their values from then on; module scripts run after that in practice.
 */
export const ready: Promise<void> = runtime?.ready ?? Promise.resolve();

/** Values of `constants` in the chosen section of `staysail.toml`. */
export const constants: Readonly<Record<string, unknown>> = facts.constants;

/** `debug` or `production`. */
export let mode: Mode = facts.mode;

/** Version of the app that is live. */
export let version: string = facts.version;

const native = (feature: string, args?: object): Promise<never> =>
  runtime ? (runtime.desktop(feature, args) as Promise<never>) : noShell();

/** `minSize` as the shell spells it: `min_size`. */
function spelled(options: object): Record<string, unknown> {
  const out: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(options)) {
    out[name.replace(/[A-Z]/g, (letter) => `_${letter.toLowerCase()}`)] = value;
  }
  return out;
}

/** Width and height, or left and top, in logical pixels. */
export type Pair = [number, number];
export type Theme = "system" | "light" | "dark";
export type Progress = "none" | "indeterminate" | { percent: number } | { error: number };
export type Edge = "north" | "north_east" | "east" | "south_east" | "south" | "south_west" | "west" | "north_west";

/** What to change of a window; what is absent stays. */
export interface WindowChange {
  title?: string;
  size?: Pair;
  /** `[0, 0]` takes the limit away. */
  minSize?: Pair;
  maxSize?: Pair;
  position?: Pair;
  visible?: boolean;
  maximized?: boolean;
  minimized?: boolean;
  fullscreen?: boolean;
  alwaysOnTop?: boolean;
  resizable?: boolean;
  decorations?: boolean;
  theme?: Theme;
  zoom?: number;
  /** Path of a PNG of the page's files. */
  icon?: string;
  /** In the task bar. */
  progress?: Progress;
  skipTaskbar?: boolean;
  /** Use {@link AppWindow.onCloseRequested}, which does this by itself. */
  interceptClose?: boolean;
}

/** A window to open. */
export interface WindowOptions {
  /** Unique among the open windows. */
  label: string;
  /** Path of its page, beginning with `/`. */
  url?: string;
  title?: string;
  width?: number;
  height?: number;
  minSize?: Pair;
  maxSize?: Pair;
  position?: Pair;
  resizable?: boolean;
  decorations?: boolean;
  maximized?: boolean;
  fullscreen?: boolean;
  alwaysOnTop?: boolean;
  visible?: boolean;
  /** Before the page has painted: `#rrggbb`. */
  background?: string;
  /** Label of the window it stays above and closes with. */
  parent?: string;
  /** The parent takes no input meanwhile. */
  modal?: boolean;
  transparent?: boolean;
  theme?: Theme;
  icon?: string;
  skipTaskbar?: boolean;
  /** Opens where the user left it. */
  remember?: boolean;
  zoom?: number;
}

/** How a window is. */
export interface WindowState {
  label: string;
  title: string;
  size: Pair;
  position: Pair;
  scale: number;
  focused: boolean;
  visible: boolean;
  maximized: boolean;
  minimized: boolean;
  fullscreen: boolean;
  always_on_top: boolean;
  resizable: boolean;
  decorations: boolean;
  theme: "light" | "dark";
  intercept_close: boolean;
}

/** A screen, in logical pixels. */
export interface Screen {
  name: string | null;
  position: Pair;
  size: Pair;
  scale: number;
  primary: boolean;
}

/** What happened to a window: event `staysail:window`. */
export type WindowEvent = { label: string } & (
  | { kind: "created" | "closed" | "close_requested" | "focused" | "blurred" }
  | { kind: "resized"; width: number; height: number }
  | { kind: "moved"; x: number; y: number }
  | { kind: "theme_changed"; theme: "light" | "dark" }
  | { kind: "scale_changed"; scale: number }
);

/** The user wants to close a window. */
export interface CloseRequest {
  /** Keeps it open. */
  preventDefault(): void;
}

/**
 * A window of the app. The page of a window may steer windows when a capability of `staysail.toml` allows
 * `window.*`; calls are rejected with `Denied` otherwise.
 */
export class AppWindow {
  readonly #label: () => string;

  /** The window with this label, whether it is open or not. */
  constructor(label: string | (() => string)) {
    this.#label = typeof label === "string" ? () => label : label;
  }

  /** Its name. */
  get label(): string {
    return this.#label();
  }

  #ask(feature: string, more?: object): Promise<never> {
    return native(`window.${feature}`, { label: this.label || null, ...more });
  }

  /** How it is now. */
  state(): Promise<WindowState> {
    return this.#ask("state");
  }
  /** Changes what `change` names, and nothing else. */
  set(change: WindowChange): Promise<void> {
    return this.#ask("set", { change: spelled(change) });
  }
  /** Closes it; its page is asked first when it wants to be. */
  close(): Promise<void> {
    return this.#ask("close");
  }
  /** Closes it without asking. */
  destroy(): Promise<void> {
    return this.#ask("destroy");
  }
  /** Shows, raises and focuses it. */
  focus(): Promise<void> {
    return this.#ask("focus");
  }
  /** Puts it in the middle of its screen. */
  center(): Promise<void> {
    return this.#ask("center");
  }
  /** Asks for the user's attention. */
  requestAttention(): Promise<void> {
    return this.#ask("request_attention");
  }
  /** Moves it with the mouse, whose button is down. Elements with `data-staysail-drag` do it by themselves. */
  startDragging(): Promise<void> {
    return this.#ask("start_dragging");
  }
  /** Resizes it with the mouse, whose button is down. */
  startResizing(edge: Edge): Promise<void> {
    return this.#ask("start_resizing", { edge });
  }
  /** Calls `handler` with what happens to this window. */
  onEvent(handler: (event: WindowEvent) => void): Unlisten {
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
  onCloseRequested(handler: (event: CloseRequest) => unknown): Unlisten {
    const failed = (reason: unknown): void => reportError(reason);
    const unlisten = this.onEvent((event) => {
      if (event.kind !== "close_requested") return;
      let prevented = false;
      void this.#ask("hold_close")
        .then(() => handler({ preventDefault: () => void (prevented = true) }))
        .then(() => (prevented ? undefined : this.destroy()))
        .catch(failed);
    });
    this.set({ interceptClose: true }).catch(failed);
    return () => {
      unlisten();
      this.set({ interceptClose: false }).catch(failed);
    };
  }
}

/** Opens a window. */
export async function openWindow(options: WindowOptions): Promise<AppWindow> {
  await native("window.create", { window: spelled(options) });
  return new AppWindow(options.label);
}

/** The open windows. */
export async function windows(): Promise<AppWindow[]> {
  const labels: string[] = await native("window.list");
  return labels.map((label) => new AppWindow(label));
}

/** The screens, the primary one first. */
export function screens(): Promise<Screen[]> {
  return native("window.screens");
}

/** Files with these endings, without their dot; `*` for every file. */
export interface FileFilter {
  name: string;
  extensions: string[];
}

/** The system's own dialogs. They belong to this window, which takes no input meanwhile. */
export const dialog = Object.freeze({
  /** Lets the user choose files that are there, or a folder; null when they did not. */
  open: (options: { title?: string; multiple?: boolean; folder?: boolean; filters?: FileFilter[]; directory?: string } = {}): Promise<
    string[] | null
  > => native("dialog.open", options),
  /** Lets the user choose where to save; null when they did not. */
  save: (options: { title?: string; name?: string; filters?: FileFilter[]; directory?: string } = {}): Promise<string | null> =>
    native("dialog.save", options),
  /** Says or asks something. Resolves with the number of the button, from 0, or null when it was closed. */
  message: (
    text: string,
    options: { detail?: string; level?: "info" | "warning" | "error"; buttons?: string[] } = {},
  ): Promise<number | null> => native("dialog.message", { text, ...options }),
  /** Asks whether to go on. */
  confirm: async (text: string, options: { detail?: string; level?: "info" | "warning" | "error"; ok?: string; cancel?: string } = {}): Promise<boolean> => {
    const { ok = "OK", cancel = "Cancel", ...more } = options;
    return (await native("dialog.message", { text, buttons: [cancel, ok], ...more })) === 1;
  },
});

/** The clipboard. Images are PNG. */
export const clipboard = Object.freeze({
  readText: (): Promise<string | null> => native("clipboard.read_text"),
  writeText: (text: string): Promise<void> => native("clipboard.write_text", { text }),
  readHtml: (): Promise<string | null> => native("clipboard.read_html"),
  /** `text` is for programs that take no HTML. */
  writeHtml: (html: string, text = ""): Promise<void> => native("clipboard.write_html", { html, text }),
  readImage: async (): Promise<Uint8Array | null> => {
    const text: string | null = await native("clipboard.read_image");
    return text === null ? null : Uint8Array.from(atob(text), (letter) => letter.charCodeAt(0));
  },
  writeImage: (png: Uint8Array): Promise<void> => {
    let text = "";
    for (let i = 0; i < png.length; i += 0x8000) text += String.fromCharCode(...png.subarray(i, i + 0x8000));
    return native("clipboard.write_image", { png: btoa(text) });
  },
  clear: (): Promise<void> => native("clipboard.clear"),
});

/** What happened to a notification: event `staysail:notification`. */
export type NotificationEvent = { id: number } & ({ kind: "clicked" | "closed" } | { kind: "action"; action: string });

/** The system's notifications. */
export const notification = Object.freeze({
  /** Shows one and resolves with its number. */
  show: (options: { title: string; body?: string; actions?: { id: string; label: string }[] }): Promise<number> =>
    native("notification.show", options),
  /** Takes one away. */
  close: (id: number): Promise<void> => native("notification.close", { id }),
  /** Calls `handler` with what happens to notifications. */
  onEvent: (handler: (event: NotificationEvent) => void): Unlisten => listen("staysail:notification", handler),
});

/** An entry of a menu. */
export interface MenuItem {
  /** `action` when absent. */
  kind?: "action" | "check" | "radio" | "separator" | "submenu" | "role";
  id?: string;
  /** `&` before the letter that chooses it. */
  text?: string;
  /** Keys that choose it: `CmdOrCtrl+Shift+S`. */
  accelerator?: string;
  enabled?: boolean;
  checked?: boolean;
  /** Radio items of one group exclude each other. */
  group?: string;
  items?: MenuItem[];
  role?: "undo" | "redo" | "cut" | "copy" | "paste" | "select_all" | "minimize" | "maximize" | "fullscreen" | "close_window" | "quit" | "about";
}

/** An entry of a menu was chosen: event `staysail:menu`. */
export interface MenuEvent {
  id: string;
  /** Of a check or radio item: whether it is checked now. */
  checked?: boolean;
  /** Label of the window with the focus. */
  window?: string;
}

/** Menus. */
export const menu = Object.freeze({
  /** Puts another menu in place of the application's. */
  set: (items: MenuItem[]): Promise<void> => native("menu.set", { items }),
  /** Changes an entry of the application's menu. */
  update: (id: string, change: { text?: string; enabled?: boolean; checked?: boolean }): Promise<void> =>
    native("menu.update", { id, ...change }),
  /** Shows a menu where the mouse is. */
  popup: (items: MenuItem[]): Promise<void> => native("menu.popup", { items }),
  /** Calls `handler` with each entry that is chosen. */
  onChosen: (handler: (event: MenuEvent) => void): Unlisten => listen("staysail:menu", handler),
});

/** Other programs. */
export const opener = Object.freeze({
  /** Opens an address (https, http, mailto, tel) with the program the user has for it. */
  openUrl: (url: string): Promise<void> => native("opener.open_url", { url }),
  /** Opens a file or folder with the program the user has for it. */
  openPath: (path: string): Promise<void> => native("opener.open_path", { path }),
  /** Shows a file or folder in the file manager. */
  reveal: (path: string): Promise<void> => native("opener.reveal", { path }),
});

class CurrentWindow extends AppWindow {
  constructor() {
    super(() => facts.window);
  }
  /** Counts the page loads of this window, from 1. */
  get generation(): number {
    return facts.generation;
  }
}

/** The window this page is shown in. */
export const currentWindow: CurrentWindow = new CurrentWindow();

void ready.then(() => {
  ({ mode, version } = facts);
}, () => {});

/** What the app is and how it runs; the same values the backend sees. */
export interface AppInfo {
  version: string;
  mode: Mode;
  constants: Record<string, unknown>;
  /** Label of this window. */
  window: string;
}

/** What the app is and how it runs, once the shell has said it. */
export async function app(): Promise<AppInfo> {
  if (!runtime) return noShell();
  await ready;
  const { version, mode, constants, window } = facts;
  return { version, mode, constants, window };
}

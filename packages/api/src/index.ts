/**
 * Talk to the Rust backend of a Staysail app from its page.
 *
 * This module is a thin, typed face of `window.__STAYSAIL__`, which the shell's start script defines before any
 * script of the page runs. It holds no state of its own, so any number of copies of it work side by side.
 */
import type { ApplicationEvent, ShortcutEvent, TrayEvent } from "./app";
import type { AssetsEvent } from "./assets";
import type { MenuEvent, NotificationEvent, WindowEvent } from "./desktop";
import type { DownloadEvent, DropEvent } from "./webview";

export * from "./app";
export * from "./assets";
export * from "./desktop";
export * from "./fs";
export * from "./webview";

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
  "staysail:app": ApplicationEvent;
  "staysail:tray": TrayEvent;
  "staysail:shortcut": ShortcutEvent;
  "staysail:drop": DropEvent;
  "staysail:download": DownloadEvent;
  "staysail:assets": AssetsEvent;
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
  /** A file could not be read or written; `isFileError` tells why. */
  | "File"
  /** A file of an asset group is not here and can not be had; `isAssetUnavailable` tells why. */
  | "AssetUnavailable"
  /** The page is in a browser tab, which has no window this could be done to; `details.feature` names the call. */
  | "NoWindow"
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

/** One step in the life of an update. `left_s`: seconds left at the speed of just now, `null` while that is not known. */
export type UpdateEvent =
  | { kind: "available"; version: string; notes: string; bytes: number }
  | { kind: "progress"; version: string; bytes: number; total: number; left_s: number | null }
  | { kind: "staged"; version: string }
  | { kind: "waiting"; version: string; reason: string }
  | { kind: "held"; version: string; reason: string }
  | { kind: "following"; channel: string; pinned: string | null }
  | { kind: "skipped"; version: string }
  | {
      kind: "compared";
      version: string;
      passed: boolean;
      reason: string;
      calls: number;
      different: number;
    }
  | { kind: "applied"; version: string; milliseconds: number }
  | { kind: "committed"; version: string }
  | { kind: "rolled_back"; version: string; to: string; reason: string }
  | { kind: "failed"; reason: string };

/** A value the update policy can ask for. */
export type UpdateValue = boolean | number | string;

/** Tells such a value; null when there is none to tell, which makes what depends on it unknown. */
export type UpdateCondition = () => UpdateValue | null | undefined;

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
  updateStory(): readonly UpdateEvent[];
  condition(name: string, condition: UpdateCondition): Unlisten;
  desktop(feature: string, args?: object, body?: Binary): Promise<unknown>;
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
    new CallError(
      "NoShell",
      "this page is not shown by Staysail, so there is no backend to ask; `staysail dev` shows it in its window, `staysail dev --browser` in any browser",
    ),
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
  /** Takes what waits now, whatever conditions say, and even if it was deferred or skipped. */
  apply: (): Promise<void> => (runtime ? runtime.update("apply") : noShell()),
  /** Asks not to apply anything before so many seconds have passed. */
  defer: (seconds: number): Promise<void> =>
    runtime ? runtime.update({ defer: { seconds: Math.max(0, Math.ceil(seconds)) } }) : noShell(),
  /** Asks not to take this version. Remembered over starts; a critical release is taken all the same. */
  skip: (version: string): Promise<void> => (runtime ? runtime.update({ skip: { version } }) : noShell()),
  /**
   * Tells the update policy a value of the page: `custom.NAME` in its expressions. `value` is called whenever one of them is
   * looked at, and answers at once. Where two windows tell different things, the value is unknown and the update waits.
   *
   * @example
   * // staysail.toml: [update.policy] apply = "!custom.editing"
   * const end = update.condition("editing", () => editor.isDirty);
   */
  condition: (name: string, value: UpdateCondition): Unlisten => (runtime ? runtime.condition(name, value) : () => {}),
  /**
   * Follows a channel from now on, remembered over starts; `null`: the app's own. It never takes the app back: where the newest
   * release there is older than what runs, the app stays until that is passed, and the event `held` says so. Needs
   * `allow = ["update.follow"]`, as `pin` does.
   */
  follow: (channel: string | null): Promise<void> => (runtime ? runtime.update({ follow: { channel } }) : noShell()),
  /** Stays at a version (`"1.4.2"`) or at all that begin alike (`"1.4.x"`), remembered over starts; `null`: no longer. */
  pin: (version: string | null): Promise<void> => (runtime ? runtime.update({ pin: { version } }) : noShell()),
  /**
   * What had happened to the update under way when this page came up, in order; empty when there was none, and before the page
   * has come up. What happens afterwards is told by events.
   */
  story: (): readonly UpdateEvent[] => (runtime ? runtime.updateStory() : []),
  /**
   * Calls `handler` with each step of an update. A page that comes up with a release is told that it was `applied`, which happened
   * while nobody was there to hear it, when it asks before it is complete (`document.readyState`).
   */
  onEvent: (handler: (event: UpdateEvent) => void): Unlisten => {
    let unlisten: Unlisten | undefined = listen("staysail:update", handler);
    // Later the story is an old one.
    if (globalThis.document?.readyState !== "complete") {
      const begin = () => {
        const applied = unlisten && update.story().find((event) => event.kind === "applied");
        if (applied) handler(applied);
      };
      void ready.then(begin, () => {});
    }
    return () => {
      unlisten?.();
      unlisten = undefined;
    };
  },
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

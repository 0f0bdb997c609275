// Built from packages/api by `npm run build`; do not edit.
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
export interface Commands {
}
/** The app's events: name to type of payload. Filled in like {@link Commands}. */
export interface Events {
}
/** Staysail's own events. */
export interface StaysailEvents {
    "staysail:worker": BackendEvent;
    "staysail:update": UpdateEvent;
    "staysail:page": PageEvent;
    "staysail:events-lost": {
        count: number;
    };
}
/** Why a call failed. */
export type ErrorCode = 
/** The command itself returned an error; `details` holds it. */
"App" | "UnknownCommand" | "InvalidArguments"
/** The command panicked. Nothing else was harmed. */
 | "Panicked"
/** The backend ended while the call may already have started. It was not repeated. */
 | "WorkerLost"
/** The backend can not be started; the window shows why. */
 | "WorkerUnavailable" | "Cancelled" | "Timeout" | "Denied" | "TooLarge" | "QueueFull" | "PageGone" | "BadMessage" | "Internal"
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
export type UpdateEvent = {
    kind: "available";
    version: string;
    notes: string;
    bytes: number;
} | {
    kind: "progress";
    version: string;
    bytes: number;
    total: number;
} | {
    kind: "staged";
    version: string;
} | {
    kind: "applied";
    version: string;
    milliseconds: number;
} | {
    kind: "committed";
    version: string;
} | {
    kind: "rolled_back";
    version: string;
    to: string;
    reason: string;
} | {
    kind: "failed";
    reason: string;
};
/** Something that happened to the backend. */
export type BackendEvent = 
/** New code serves. `milliseconds`: how long calls were held up. */
{
    kind: "swapped";
    milliseconds: number;
}
/** It died by itself; it is being started again. */
 | {
    kind: "lost";
    reason: string;
    attempt: number;
}
/** It serves again after it was lost. */
 | {
    kind: "restarted";
}
/** New code failed its probation; the code before serves again. */
 | {
    kind: "returned";
    reason: string;
}
/** It died too often; the window offers to try again. */
 | {
    kind: "stopped";
    reason: string;
};
/** Something that happened to the page's own code. */
export type PageEvent = 
/** Style sheets were exchanged in place. */
{
    kind: "styles";
    paths: string[];
}
/** The page was reloaded with its state kept. */
 | {
    kind: "reloaded";
};
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
type Field<T, K extends string> = T extends {
    [P in K]: infer V;
} ? V : unknown;
type Arguments<A> = {} extends A ? [args?: A | Binary | null, options?: CallOptions] : [args: A, options?: CallOptions];
type AllEvents = Events & StaysailEvents;
export declare const CallError: CallErrorConstructor;
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
export declare function invoke<K extends keyof Commands & string>(command: K, ...rest: Arguments<Field<Commands[K], "args">>): Promise<Field<Commands[K], "result">>;
export declare function invoke<R = unknown>(command: Untyped, args?: object | null, options?: CallOptions): Promise<R>;
/** Calls `handler` with each event of this name, until the returned function is called. */
export declare function listen<K extends keyof AllEvents & string>(event: K, handler: (payload: AllEvents[K]) => void): Unlisten;
export declare function listen<P = unknown>(event: UntypedEvent, handler: (payload: P) => void): Unlisten;
/** Like {@link listen}, for the next event only. */
export declare function once<K extends keyof AllEvents & string>(event: K, handler: (payload: AllEvents[K]) => void): Unlisten;
export declare function once<P = unknown>(event: UntypedEvent, handler: (payload: P) => void): Unlisten;
/** Sends an event to the backend. */
export declare function emit<K extends keyof Events & string>(event: K, payload: Events[K]): Promise<void>;
export declare function emit(event: UntypedEvent, payload?: unknown): Promise<void>;
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
export declare function preserve<T>(key: string, hooks: PreserveHooks<T>): Unlisten;
/** The life of updates. */
export declare const update: Readonly<{
    /** Looks for a release now. What is found is told by events. */
    check: () => Promise<void>;
    /** Applies the staged release now, even if it was deferred. */
    apply: () => Promise<void>;
    /** Asks not to apply anything before so many seconds have passed. */
    defer: (seconds: number) => Promise<void>;
    /** Calls `handler` with each step of an update. */
    onEvent: (handler: (event: UpdateEvent) => void) => Unlisten;
}>;
/** Calls `handler` when the backend is exchanged, lost, or serves again. */
export declare function onBackend(handler: (event: BackendEvent) => void): Unlisten;
/**
 * Resolves when the shell has answered. {@link constants}, {@link mode}, {@link version} and
 * {@link currentWindow} hold their values from then on; module scripts run after that in practice.
 */
export declare const ready: Promise<void>;
/** Values of `constants` in the chosen section of `staysail.toml`. */
export declare const constants: Readonly<Record<string, unknown>>;
/** `debug` or `production`. */
export declare let mode: Mode;
/** Version of the app that is live. */
export declare let version: string;
/** The window this page is shown in. */
export declare const currentWindow: {
    readonly label: string;
    readonly generation: number;
};
/** What the app is and how it runs; the same values the backend sees. */
export interface AppInfo {
    version: string;
    mode: Mode;
    constants: Record<string, unknown>;
    /** Label of this window. */
    window: string;
}
/** What the app is and how it runs, once the shell has said it. */
export declare function app(): Promise<AppInfo>;
export {};

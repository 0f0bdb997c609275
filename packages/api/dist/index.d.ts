/**
 * Talk to the Rust backend of a Staysail app from its page.
 *
 * `staysail dev` writes the types of every command and event into the frontend; they fill {@link Commands} and
 * {@link Events}, and from then on `invoke` and `listen` know them.
 */
import type { InvokeOptions, PreserveHooks } from "./native";
export type { InvokeOptions, PreserveHooks };
/** Commands by name, filled in by the generated types. */
export interface Commands {
}
/** Events by name, filled in by the generated types. */
export interface Events {
    "staysail:worker": WorkerEvent;
    "staysail:update": UpdateEvent;
}
/** Something happened to the backend. */
export type WorkerEvent = {
    kind: "swapped";
    milliseconds: number;
} | {
    kind: "lost";
    reason: string;
    attempt: number;
} | {
    kind: "restarted";
} | {
    kind: "returned";
    reason: string;
} | {
    kind: "stopped";
    reason: string;
};
/** A step in the life of an update. */
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
type Field<T, K extends PropertyKey> = T extends {
    [P in K]: infer V;
} ? V : unknown;
type ArgsOf<K> = K extends keyof Commands ? Field<Commands[K], "args"> : Record<string, unknown> | Uint8Array | ArrayBuffer;
type ResultOf<K> = K extends keyof Commands ? Field<Commands[K], "result"> : any;
type PayloadOf<K> = K extends keyof Events ? Events[K] : any;
type Known<T> = keyof T & string;
type Name<T> = Known<T> | (string & {});
/** A failed call. `code` is its kind, `details` the error value of the command. */
export interface CallError extends Error {
    readonly code: string;
    readonly details: unknown;
}
/** The class of a failed call's error, for `instanceof`. */
export declare const CallError: new (code: string, message: string, details?: unknown) => CallError;
/**
 * Calls a command of the backend.
 *
 * Binary arguments (`Uint8Array`, `ArrayBuffer`) reach a command that takes `Bytes`; a command that answers `Bytes`
 * gives an `ArrayBuffer`.
 *
 * @throws {CallError} `code` says why: `App` (the command's own error, in `details`), `InvalidArguments`,
 * `UnknownCommand`, `Panicked`, `WorkerLost`, `Cancelled`, `Timeout`, …
 */
export declare function invoke<K extends Name<Commands>>(command: K, ...rest: {} extends ArgsOf<K> ? [args?: ArgsOf<K>, options?: InvokeOptions] : [args: ArgsOf<K>, options?: InvokeOptions]): Promise<ResultOf<K>>;
/** Listens to an event. Returns the function that stops listening. */
export declare function listen<K extends Name<Events>>(event: K, handler: (payload: PayloadOf<K>) => void): () => void;
/** Listens to the next event of this name only. */
export declare function once<K extends Name<Events>>(event: K, handler: (payload: PayloadOf<K>) => void): () => void;
/** Sends an event to the backend. */
export declare function emit<K extends Name<Events>>(event: K, payload?: PayloadOf<K>): Promise<void>;
/**
 * Keeps a part of the page's state over reloads. Form fields, focus and scroll are kept without it.
 *
 * ```js
 * preserve("board", { save: () => board.toJSON(), restore: (saved) => board.load(saved) });
 * ```
 */
export declare function preserve<T>(key: string, hooks: PreserveHooks<T>): void;
/** Is told when the backend was exchanged, lost, restarted. Returns the function that stops it. */
export declare function onBackend(handler: (event: WorkerEvent) => void): () => void;
/** Updates of the app. */
export declare const update: {
    /** Looks for a release now. */
    check: () => Promise<void>;
    /** Applies the staged release now, whatever was deferred. */
    apply: () => Promise<void>;
    /** Does not apply before this many seconds have passed. */
    defer: (seconds: number) => Promise<void>;
    /** Is told of each step in the life of an update. Returns the function that stops it. */
    onEvent: (handler: (event: UpdateEvent) => void) => (() => void);
};
/** What the app is and how it runs; the same values the backend sees. */
export interface AppInfo {
    /** Version that is live. */
    version: string;
    /** `debug` or `production`. */
    mode: string;
    /** Constants of `staysail.toml` for the mode. */
    constants: Record<string, unknown>;
    /** Label of this window. */
    window: string;
}
/** What the app is and how it runs. */
export declare function app(): Promise<AppInfo>;

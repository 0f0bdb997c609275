/** What the start script leaves in the page for this package: `window.__STAYSAIL__`. */
export interface Native {
    readonly call: (command: string, args: unknown, options?: InvokeOptions) => Promise<unknown>;
    readonly listen: (event: string, handler: (payload: unknown) => void) => () => void;
    readonly emit: (event: string, payload: unknown) => Promise<void>;
    readonly preserve: (key: string, hooks: PreserveHooks<unknown>) => void;
    readonly update: (wish: unknown) => Promise<void>;
    readonly welcome: Promise<Welcome>;
    readonly CallError: typeof CallErrorShape;
}
/** Options of a call. */
export interface InvokeOptions {
    /** Cancels the call: its promise is rejected with code `Cancelled`, its Rust future is dropped. */
    signal?: AbortSignal;
    /** Milliseconds after which the call is cancelled and rejected with code `Timeout`. */
    timeout?: number;
}
/** How a part of the page's state survives a reload. */
export interface PreserveHooks<T> {
    /** Called before the page is loaded again. The value must be JSON. */
    save: () => T;
    /** Called with the saved value after the load, at once when it is there already. */
    restore: (value: T) => void;
}
/** What the shell says to a page that says hello. */
export interface Welcome {
    key: string;
    generation: number;
    window: string;
    version: string;
    config: {
        mode: string;
        inspector: boolean;
        constants: Record<string, unknown>;
    };
    state: unknown;
    overlay: Overlay | null;
}
/** A message over the page. */
export interface Overlay {
    kind: string;
    title: string;
    detail: string;
    advice: string;
    retry: boolean;
}
/** A failed call. */
export declare class CallErrorShape extends Error {
    /** The kind of failure, e.g. `App`, `UnknownCommand`, `WorkerLost`. */
    readonly code: string;
    /** For `App`: the error value of the command. */
    readonly details: unknown;
    constructor(code: string, message: string, details?: unknown);
}
declare global {
    interface Window {
        readonly __STAYSAIL__?: Native;
    }
}

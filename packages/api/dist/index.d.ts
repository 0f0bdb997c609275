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
    "staysail:window": WindowEvent;
    "staysail:notification": NotificationEvent;
    "staysail:menu": MenuEvent;
    "staysail:app": ApplicationEvent;
    "staysail:tray": TrayEvent;
    "staysail:shortcut": ShortcutEvent;
    "staysail:drop": DropEvent;
    "staysail:download": DownloadEvent;
    "staysail:assets": AssetsEvent;
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
 | "WorkerUnavailable"
/** A newer version took over before this stream had ended; call again to go on. */
 | "Superseded" | "Cancelled" | "Timeout" | "Denied" | "TooLarge" | "QueueFull" | "PageGone" | "BadMessage"
/** A file could not be read or written; `isFileError` tells why. */
 | "File"
/** A file of an asset group is not here and can not be had; `isAssetUnavailable` tells why. */
 | "AssetUnavailable"
/** The page is in a browser tab, which has no window this could be done to; `details.feature` names the call. */
 | "NoWindow" | "Internal"
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
    left_s: number | null;
} | {
    kind: "staged";
    version: string;
} | {
    kind: "waiting";
    version: string;
    reason: string;
} | {
    kind: "held";
    version: string;
    reason: string;
} | {
    kind: "following";
    channel: string;
    pinned: string | null;
} | {
    kind: "skipped";
    version: string;
} | {
    kind: "compared";
    version: string;
    passed: boolean;
    reason: string;
    calls: number;
    different: number;
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
/** A value the update policy can ask for. */
export type UpdateValue = boolean | number | string;
/** Tells such a value; null when there is none to tell, which makes what depends on it unknown. */
export type UpdateCondition = () => UpdateValue | null | undefined;
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
type Field<T, K extends string> = T extends {
    [P in K]: infer V;
} ? V : unknown;
type Arguments<A> = {} extends A ? [args?: A | Binary | null, options?: CallOptions] : [args: A, options?: CallOptions];
type AllEvents = Events & StaysailEvents;
export declare const CallError: CallErrorConstructor;
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
export declare function isCommandError<K extends keyof Commands & string>(error: unknown, command: K): error is CommandError<K>;
export declare function isCommandError(error: unknown, command: Untyped): error is CallError & {
    readonly code: "App";
};
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
export declare class Channel<T = unknown> implements AsyncIterable<T> {
    #private;
    /** Resolves when the command is done with the channel; rejected when it was lost. */
    readonly closed: Promise<void>;
    constructor(handler?: (message: T) => unknown);
    /** Wants no more of it. The command's `send` fails from then on. */
    close(): void;
    /** Messages one by one. Leaving the loop closes the channel. */
    [Symbol.asyncIterator](): AsyncIterator<T>;
    /** How it travels as an argument. */
    toJSON(): {
        $channel: number;
    };
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
export declare class Sender<T = unknown> {
    #private;
    constructor();
    /** Sends a message. Resolves when the command has taken it: await it, and nothing piles up. */
    send(message: T): Promise<void>;
    /** Says that there is no more. */
    close(): void;
    /** How it travels as an argument. */
    toJSON(): {
        $channel: number;
    };
}
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
    /** Takes what waits now, whatever conditions say, and even if it was deferred or skipped. */
    apply: () => Promise<void>;
    /** Asks not to apply anything before so many seconds have passed. */
    defer: (seconds: number) => Promise<void>;
    /** Asks not to take this version. Remembered over starts; a critical release is taken all the same. */
    skip: (version: string) => Promise<void>;
    /**
     * Tells the update policy a value of the page: `custom.NAME` in its expressions. `value` is called whenever one of them is
     * looked at, and answers at once. Where two windows tell different things, the value is unknown and the update waits.
     *
     * @example
     * // staysail.toml: [update.policy] apply = "!custom.editing"
     * const end = update.condition("editing", () => editor.isDirty);
     */
    condition: (name: string, value: UpdateCondition) => Unlisten;
    /**
     * Follows a channel from now on, remembered over starts; `null`: the app's own. It never takes the app back: where the newest
     * release there is older than what runs, the app stays until that is passed, and the event `held` says so. Needs
     * `allow = ["update.follow"]`, as `pin` does.
     */
    follow: (channel: string | null) => Promise<void>;
    /** Stays at a version (`"1.4.2"`) or at all that begin alike (`"1.4.x"`), remembered over starts; `null`: no longer. */
    pin: (version: string | null) => Promise<void>;
    /**
     * What had happened to the update under way when this page came up, in order; empty when there was none, and before the page
     * has come up. What happens afterwards is told by events.
     */
    story: () => readonly UpdateEvent[];
    /**
     * Calls `handler` with each step of an update. A page that comes up with a release is told that it was `applied`, which happened
     * while nobody was there to hear it, when it asks before it is complete (`document.readyState`).
     */
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
/**
 * Native features: windows, dialogs, clipboard, notifications, menus, other programs. Each needs a capability in
 * `staysail.toml`; without one its promise is rejected with `Denied`.
 */
/** Width and height, or left and top, in logical pixels. */
export type Pair = [number, number];
export type Theme = "system" | "light" | "dark";
export type Progress = "none" | "indeterminate" | {
    percent: number;
} | {
    error: number;
};
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
    /** It shares no cookies and no storage with other windows, and keeps none when it is closed. */
    incognito?: boolean;
    /** Its own menu bar, in place of the application's; none at all when empty. */
    menu?: MenuItem[];
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
    alwaysOnTop: boolean;
    resizable: boolean;
    decorations: boolean;
    theme: "light" | "dark";
    interceptClose: boolean;
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
export type WindowEvent = {
    label: string;
} & ({
    kind: "created" | "closed" | "close_requested" | "focused" | "blurred";
} | {
    kind: "resized";
    width: number;
    height: number;
} | {
    kind: "moved";
    x: number;
    y: number;
} | {
    kind: "theme_changed";
    theme: "light" | "dark";
} | {
    kind: "scale_changed";
    scale: number;
});
/** The user wants to close a window. */
export interface CloseRequest {
    /** Keeps it open. */
    preventDefault(): void;
}
/**
 * A window of the app. The page of a window may steer windows when a capability of `staysail.toml` allows
 * `window.*`; calls are rejected with `Denied` otherwise.
 */
export declare class AppWindow {
    #private;
    /** The window with this label, whether it is open or not. */
    constructor(label: string | (() => string));
    /** Its name. */
    get label(): string;
    /** How it is now. */
    state(): Promise<WindowState>;
    /** Changes what `change` names, and nothing else. */
    set(change: WindowChange): Promise<void>;
    /** Closes it; its page is asked first when it wants to be. */
    close(): Promise<void>;
    /** Closes it without asking. */
    destroy(): Promise<void>;
    /** Shows, raises and focuses it. */
    focus(): Promise<void>;
    /** Puts it in the middle of its screen. */
    center(): Promise<void>;
    /** Asks for the user's attention. */
    requestAttention(): Promise<void>;
    /** Moves it with the mouse, whose button is down. Elements with `data-staysail-drag` do it by themselves. */
    startDragging(): Promise<void>;
    /** Resizes it with the mouse, whose button is down. */
    startResizing(edge: Edge): Promise<void>;
    /** Gives it another menu bar of its own, in place of the application's; none at all when empty. */
    setMenu(items: MenuItem[]): Promise<void>;
    /** Changes an entry of its own menu. */
    updateMenu(id: string, change: {
        text?: string;
        enabled?: boolean;
        checked?: boolean;
    }): Promise<void>;
    /** Calls `handler` with what happens to this window. */
    onEvent(handler: (event: WindowEvent) => void): Unlisten;
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
    onCloseRequested(handler: (event: CloseRequest) => unknown): Unlisten;
}
/** Opens a window. */
export declare function openWindow(options: WindowOptions): Promise<AppWindow>;
/** The open windows. */
export declare function windows(): Promise<AppWindow[]>;
/** The screens, the primary one first. */
export declare function screens(): Promise<Screen[]>;
/** Files with these endings, without their dot; `*` for every file. */
export interface FileFilter {
    name: string;
    extensions: string[];
}
/** The system's own dialogs. They belong to this window, which takes no input meanwhile. */
export declare const dialog: Readonly<{
    /** Lets the user choose files that are there, or a folder; null when they did not. */
    open: (options?: {
        title?: string;
        multiple?: boolean;
        folder?: boolean;
        filters?: FileFilter[];
        directory?: string;
    }) => Promise<string[] | null>;
    /** Lets the user choose where to save; null when they did not. */
    save: (options?: {
        title?: string;
        name?: string;
        filters?: FileFilter[];
        directory?: string;
    }) => Promise<string | null>;
    /**
     * Says or asks something, with up to three buttons; Return presses the last. Resolves with the number of the button,
     * from 0, or null when it was closed.
     */
    message: (text: string, options?: {
        detail?: string;
        level?: "info" | "warning" | "error";
        buttons?: string[];
    }) => Promise<number | null>;
    /** Asks whether to go on. */
    confirm: (text: string, options?: {
        detail?: string;
        level?: "info" | "warning" | "error";
        ok?: string;
        cancel?: string;
    }) => Promise<boolean>;
}>;
/** The clipboard. Images are PNG. */
export declare const clipboard: Readonly<{
    readText: () => Promise<string | null>;
    writeText: (text: string) => Promise<void>;
    readHtml: () => Promise<string | null>;
    /** `text` is for programs that take no HTML. */
    writeHtml: (html: string, text?: string) => Promise<void>;
    readImage: () => Promise<Uint8Array | null>;
    writeImage: (png: Uint8Array) => Promise<void>;
    clear: () => Promise<void>;
}>;
/** What happened to a notification: event `staysail:notification`. */
export type NotificationEvent = {
    id: number;
} & ({
    kind: "clicked" | "closed";
} | {
    kind: "action";
    action: string;
});
/** The system's notifications. */
export declare const notification: Readonly<{
    /** Shows one and resolves with its number. */
    show: (options: {
        title: string;
        body?: string;
        actions?: {
            id: string;
            label: string;
        }[];
    }) => Promise<number>;
    /** Takes one away. */
    close: (id: number) => Promise<void>;
    /** Calls `handler` with what happens to notifications. */
    onEvent: (handler: (event: NotificationEvent) => void) => Unlisten;
}>;
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
    /** Label of the window whose own menu it is in, else of the one with the focus. */
    window?: string;
}
/** Menus. */
export declare const menu: Readonly<{
    /** Puts another menu in place of the application's. */
    set: (items: MenuItem[]) => Promise<void>;
    /** Changes an entry of the application's menu. */
    update: (id: string, change: {
        text?: string;
        enabled?: boolean;
        checked?: boolean;
    }) => Promise<void>;
    /**
     * Shows a menu where the mouse is, or at a place of the page: hand over the event of `contextmenu`, whose `x` and `y`
     * are right for the keyboard's menu key, too.
     */
    popup: (items: MenuItem[], at?: {
        x: number;
        y: number;
    }) => Promise<void>;
    /** Calls `handler` with each entry that is chosen. */
    onChosen: (handler: (event: MenuEvent) => void) => Unlisten;
}>;
/** Other programs. */
export declare const opener: Readonly<{
    /** Opens an address (https, http, mailto, tel) with the program the user has for it. */
    openUrl: (url: string) => Promise<void>;
    /** Opens a file or folder with the program the user has for it. */
    openPath: (path: string) => Promise<void>;
    /** Shows a file or folder in the file manager. */
    reveal: (path: string) => Promise<void>;
}>;
declare class CurrentWindow extends AppWindow {
    constructor();
    /** Counts the page loads of this window, from 1. */
    get generation(): number;
}
/** The window this page is shown in. */
export declare const currentWindow: CurrentWindow;
export {};
/**
 * The app as a whole: its starts, tray, global shortcuts, start at log-in, keeping the machine awake. Each needs a
 * capability in `staysail.toml`; without one its promise is rejected with `Denied`.
 */
/** What the app is and how it was started. */
export interface ApplicationInfo {
    id: string;
    name: string;
    version: string;
    mode: "debug" | "production";
    /** Version of Staysail. */
    staysail: string;
    os: "linux" | "windows" | "macos";
    arch: string;
    /** The user's language as a BCP 47 tag; empty when it is not known. */
    locale: string;
    /** The installed executable; empty in development. */
    executable: string;
    /** Folder for the app's own data: `$DATA` of `fs`. */
    dataDir: string;
    homeDir: string;
    tempDir: string;
    /** Arguments of the start, without the program's name. */
    arguments: string[];
    /** Working folder of the start. */
    cwd: string;
}
/** A start of the app. What it brings is data from anywhere: check it. */
export interface OpenedEvent {
    kind: "opened";
    arguments: string[];
    cwd: string;
    /** Links among the arguments, of the schemes the app declares. */
    urls: string[];
    /** Files and folders among them, as absolute paths. */
    files: string[];
    /** The start of this very process; otherwise one that was handed over. */
    first: boolean;
}
/** Something that happened to the app: event `staysail:app`. */
export type ApplicationEvent = OpenedEvent;
/** The app as a whole. */
export declare const application: Readonly<{
    info: () => Promise<ApplicationInfo>;
    /** Shows and focuses the main window; opens it when it is closed. */
    show: () => Promise<void>;
    /** Ends the app in order. */
    exit: (code?: number) => Promise<void>;
    /** Ends the app and starts it again, with the same arguments or these. Fails in development. */
    relaunch: (args?: string[]) => Promise<void>;
    /**
     * Calls `handler` with each start that brings links or files, and each that was handed over by a second instance. One
     * that came before the page had loaded is told, too, when the handler is there by the page's `load` event.
     */
    onOpened: (handler: (event: OpenedEvent) => void) => Unlisten;
}>;
/** The icon in the tray. */
export interface TrayOptions {
    /** Path of a PNG of the page's files. */
    icon: string;
    tooltip?: string;
    title?: string;
    menu?: MenuItem[];
    /** A click opens the menu, too, and is not told. */
    menuOnClick?: boolean;
}
/** How it is with the tray. */
export interface TrayState {
    set: boolean;
    /** The desktop shows it. Without a tray it is shown as soon as there is one. */
    shown: boolean;
}
/** Something happened to the icon in the tray: event `staysail:tray`. */
export type TrayEvent = {
    kind: "clicked" | "middle_clicked";
}
/** An entry of its menu was chosen. */
 | {
    kind: "chosen";
    id: string;
    checked?: boolean;
};
/** The app's icon in the tray. */
export declare const tray: Readonly<{
    /** Puts this icon into the tray, in place of the one that is there. */
    set: (tray: TrayOptions) => Promise<TrayState>;
    /** Changes the icon that is there. `png` is a picture of its own in place of a file. */
    update: ({ png, ...change }: {
        icon?: string;
        png?: Uint8Array;
        tooltip?: string;
        title?: string;
    }) => Promise<void>;
    /** Changes an entry of its menu. */
    updateItem: (id: string, change: {
        text?: string;
        enabled?: boolean;
        checked?: boolean;
    }) => Promise<void>;
    /** Takes it away. */
    remove: () => Promise<void>;
    state: () => Promise<TrayState>;
    onEvent: (handler: (event: TrayEvent) => void) => Unlisten;
}>;
/** A shortcut of the app. */
export interface Shortcut {
    id: string;
    keys: string;
    /** Why it does not work, when it does not. */
    problem?: string;
}
/** Keys were pressed or let go: event `staysail:shortcut`. */
export interface ShortcutEvent {
    id: string;
    pressed: boolean;
}
/** Keys that reach the app whatever program has the focus. */
export declare const shortcut: Readonly<{
    /** Takes keys, `CmdOrCtrl+Shift+K` say, until they are given back or the app ends. */
    register: (id: string, keys: string) => Promise<void>;
    /** Gives them back. */
    unregister: (id: string) => Promise<void>;
    /** All of them, those the backend declares, too. */
    list: () => Promise<Shortcut[]>;
    onPressed: (handler: (event: ShortcutEvent) => void) => Unlisten;
}>;
/** The app's start when its user logs in. Only a built app can have one. */
export declare const autostart: Readonly<{
    enable: (args?: string[]) => Promise<void>;
    disable: () => Promise<void>;
    state: () => Promise<boolean>;
}>;
/** Keeping the machine awake. A wish ends with this page load. */
export declare const power: Readonly<{
    /** Keeps it from falling asleep for want of use; with `display` the screen stays on, too. */
    keepAwake: (reason: string, options?: {
        display?: boolean;
    }) => Promise<number>;
    /** Takes a wish back. */
    release: (id: number) => Promise<void>;
}>;
/**
 * Asset groups: files of the page that are not shipped with the app (`[assets.groups]` in `staysail.toml`). The page asks
 * for them by their addresses as for any other file; the first time they are fetched, from then on they are there. Here a
 * whole group is fetched, with progress, and asked about. No capability is needed.
 */
/** How a group is on this machine. */
export interface AssetGroupState {
    group: string;
    /** `ready`: everything is there, also offline; `partial`: something; `absent`: nothing. */
    state: "ready" | "partial" | "absent";
    files: number;
    /** Bytes of all its files. */
    bytes: number;
    /** Bytes that would have to be fetched, compressed. */
    missingBytes: number;
}
/** A group is being fetched as a whole, whoever asked for it: event `staysail:assets`. */
export interface AssetsEvent {
    group: string;
    /** Compressed bytes that have come so far, of those that were missing when it began. */
    bytes: number;
    /** Compressed bytes that were missing. */
    total: number;
}
/**
 * Why a file of a group can not be had. `offline`: the repository does not answer; `missing`: it has no such file;
 * `damaged`: what came is not what was released; `disk`: there is no place to keep it.
 */
export type AssetFault = "offline" | "missing" | "damaged" | "disk";
/**
 * What {@link assets} are rejected with when a file can not be had. The answer to an address has the same in its JSON body,
 * the status 503, 404 or 502, and the reason in the header `staysail-asset-reason`.
 */
export type AssetUnavailable = CallError & {
    readonly code: "AssetUnavailable";
    readonly details: {
        group: string;
        path: string;
        reason: AssetFault;
    };
};
/**
 * Whether an error says why a file of a group can not be had.
 *
 * ```ts
 * try {
 *   await assets.fetch("maps", { onProgress: ({ bytes, total }) => (bar.value = bytes / total) });
 * } catch (error) {
 *   if (isAssetUnavailable(error) && error.details.reason === "offline") return showThatWeAreOffline();
 *   throw error;
 * }
 * ```
 */
export declare function isAssetUnavailable(error: unknown): error is AssetUnavailable;
/** How to fetch a group. */
export interface FetchAssetsOptions {
    onProgress?: (progress: AssetsEvent) => void;
    /** Rejects with `Cancelled` at once; files under way are still fetched, no further ones. */
    signal?: AbortSignal | null;
}
declare function fetchGroup(group: string, options?: FetchAssetsOptions): Promise<AssetGroupState>;
/** Files of the page that are fetched when they are asked for. */
export declare const assets: Readonly<{
    /** Fetches what is missing of a group; resolves when all of it is there. */
    fetch: typeof fetchGroup;
    /** How a group is. */
    state: (group: string) => Promise<AssetGroupState>;
    /** How all groups are. */
    list: () => Promise<AssetGroupState[]>;
    onEvent: (handler: (event: AssetsEvent) => void) => Unlisten;
}>;
export {};
/**
 * Files. A page may touch those that `files` of its window's capabilities name in `staysail.toml`, and those the user
 * chose in a dialog. Paths are absolute or begin with a variable: `$DATA/charts/a.kap`.
 */
/** `link`: a symbolic link, which is not followed. `other`: a device, a pipe or a socket, which is not opened. */
export type FileKind = "file" | "folder" | "link" | "other";
/** What is known of a file or folder. */
export interface FileStat {
    kind: FileKind;
    /** In bytes; 0 of anything but a file. */
    size: number;
    /** When it was changed last, in milliseconds since 1970. */
    modified: number | null;
    readonly: boolean;
}
/** Something in a folder. */
export interface FileEntry extends FileStat {
    name: string;
    /** The name is no Unicode, and shown with replacement characters: it can not be opened from a page. */
    unreadableName?: boolean;
}
/** Why a file could not be read or written. */
export type FileFault = "not_found" | "exists" | "no_permission" | "disk_full" | "read_only" | "is_folder" | "not_a_folder" | "not_empty" | "is_link" | "not_a_file" | "not_text" | "other_disk" | "busy" | "bad_name" | "io";
/** What a promise of {@link fs} is rejected with when the disk is the reason. */
export type FileError = CallError & {
    readonly code: "File";
    readonly details: {
        reason: FileFault;
        path: string;
    };
};
/**
 * Whether an error says what was wrong with a file.
 *
 * ```ts
 * const settings = await fs.readText("$CONFIG/settings.json").catch((error) => {
 *   if (isFileError(error) && error.details.reason === "not_found") return "{}";
 *   throw error;
 * });
 * ```
 */
export declare function isFileError(error: unknown): error is FileError;
/** Files of the disk. */
export declare const fs: Readonly<{
    /** The text of a file in UTF-8. */
    readText: (path: string) => Promise<string>;
    /** The bytes of a file, or a part of them. */
    read: (path: string, part?: {
        offset?: number;
        length?: number;
    }) => Promise<ArrayBuffer>;
    /** Writes a text, whole or not at all; folders on the way are made. */
    writeText: (path: string, text: string) => Promise<void>;
    /** Writes bytes, whole or not at all; folders on the way are made. */
    write: (path: string, bytes: Binary) => Promise<void>;
    /** Writes at the end of a file, which is made when it is not there. */
    append: (path: string, content: string | Binary) => Promise<void>;
    /** What the page may read in a folder, by name. */
    list: (path: string) => Promise<FileEntry[]>;
    /** What is known of a file or folder; of a link, not of where it leads. */
    stat: (path: string) => Promise<FileStat>;
    /** Whether something is there. */
    exists: (path: string) => Promise<boolean>;
    /** Makes a folder and those it lies in, unless they are there. */
    createFolder: (path: string) => Promise<void>;
    /** Takes a file or an empty folder away; `recursive` a folder with everything in it. */
    remove: (path: string, options?: {
        recursive?: boolean;
    }) => Promise<void>;
    /** Gives a file or folder another name or place. A file that is there is replaced only with `overwrite`. */
    rename: (from: string, to: string, options?: {
        overwrite?: boolean;
    }) => Promise<void>;
    /** Copies a file. One that is there is replaced only with `overwrite`. */
    copy: (from: string, to: string, options?: {
        overwrite?: boolean;
    }) => Promise<void>;
}>;
/**
 * What belongs to the webview of a window: files dragged over it, printing, finding, cookies, storage, downloads.
 * Each needs a capability in `staysail.toml`; without one its promise is rejected with `Denied`.
 */
/** Files of other programs are dragged over a window: event `staysail:drop`. */
export interface DropEvent {
    /** Label of the window. */
    label: string;
    kind: "enter" | "over" | "dropped" | "left";
    /** With `enter` and `dropped`: paths of files and folders. */
    paths?: string[];
    /** In CSS pixels from the upper left corner of the page. */
    position: [number, number];
}
/**
 * Calls `handler` with what happens to files that are dragged over this window; needs the capability `drop.*`. The page's
 * own `dragover` and `drop` come as ever, and tell no paths.
 */
export declare function onFileDrop(handler: (event: DropEvent) => void): Unlisten;
/** How a PDF is laid out. */
export interface PdfOptions {
    /** Puts it in place of a file that is there; refused otherwise. */
    overwrite?: boolean;
    landscape?: boolean;
    /** Width and height of the upright paper in millimetres; A4 when absent. */
    paper?: [number, number];
    /** Above, right, below, left, in millimetres; 10 each when absent. */
    margins?: [number, number, number, number];
    /** Enlargement; 1 when absent. */
    scale?: number;
    /** Whether colours and pictures behind the text are printed; yes when absent. */
    backgrounds?: boolean;
}
/** This window's page on paper. */
export declare const page: Readonly<{
    /** Shows the system's dialog for printing. */
    print: () => Promise<void>;
    /** Prints to a PDF file the page may write, as with `fs`. Resolves when it is written whole. */
    printToPdf: (path: string, options?: PdfOptions) => Promise<void>;
}>;
/** What was found. */
export interface Found {
    /** Places in the page; 0 when there is none, or none any more in this direction. At most 1000 are counted. */
    matches: number;
}
/** Find in this window's page. */
export declare const find: Readonly<{
    /** Finds a text, marks all places, and goes to the first one. `wrap` unless it is false. */
    start: (text: string, options?: {
        case?: boolean;
        backwards?: boolean;
        wrap?: boolean;
    }) => Promise<Found>;
    /** Goes to the next place. */
    next: () => Promise<Found>;
    /** Goes to the place before. */
    previous: () => Promise<Found>;
    /** Takes the marks away. */
    stop: () => Promise<void>;
}>;
/** A cookie. */
export interface Cookie {
    name: string;
    value: string;
    /** The host it is for; with a dot before it, for the hosts below it, too. */
    domain: string;
    path?: string;
    /** When it ends, in seconds since 1970; with the app's session when absent. */
    expires?: number;
    secure?: boolean;
    /** No script of a page sees it. */
    httpOnly?: boolean;
    sameSite?: "none" | "lax" | "strict";
}
/** Cookies of the webview. All windows share them, private ones apart: name such a window by `label`. */
export declare const cookies: Readonly<{
    /** All of them, or those a request to `url` would carry. */
    list: (options?: {
        url?: string;
        label?: string;
    }) => Promise<Cookie[]>;
    get: (url: string, name: string) => Promise<Cookie | null>;
    set: ({ expires, ...cookie }: Cookie) => Promise<void>;
    /** Resolves with how many there were. */
    remove: (url: string, name: string) => Promise<number>;
    clear: () => Promise<void>;
}>;
/** What the webview keeps. */
export declare const storage: Readonly<{
    /** Forgets it; everything when no kind is named. */
    clear: (...kinds: ("cookies" | "cache" | "data")[]) => Promise<void>;
}>;
/** How a download is: event `staysail:download`. */
export interface DownloadEvent {
    id: number;
    /** Label of the window it was asked for in. */
    label: string;
    url: string;
    /** The name offered for it, made harmless. */
    name: string;
    /** Where it will be, or is. */
    path: string;
    state: "requested" | "running" | "finished" | "failed" | "cancelled" | "denied";
    /** Bytes so far. */
    received: number;
    /** Bytes in all, when the server says it. */
    total?: number;
    /** Why it failed. */
    reason?: string;
}
/** What this window's page has the webview save. */
export declare const downloads: Readonly<{
    /** Those under way. */
    list: () => Promise<DownloadEvent[]>;
    /** Takes one that waits (`downloads = "ask"`): to a path the page may write, into the user's download folder without one. */
    accept: (id: number, path?: string) => Promise<void>;
    /** Ends one; nothing of it stays. */
    cancel: (id: number) => Promise<void>;
    /** Calls `handler` with each step. */
    onEvent: (handler: (event: DownloadEvent) => void) => Unlisten;
}>;

/**
 * The app as a whole: its starts, tray, global shortcuts, start at log-in, keeping the machine awake. Each needs a
 * capability in `staysail.toml`; without one its promise is rejected with `Denied`.
 */
import type { MenuItem } from "./desktop";
import { CallError, listen, type Runtime, type Unlisten } from "./index";
import { spelled, unspelled } from "./spelling";

const runtime = (globalThis as { __STAYSAIL__?: Runtime }).__STAYSAIL__;

const ask = (feature: string, args?: object): Promise<never> =>
  runtime
    ? (runtime.desktop(feature, args) as Promise<never>)
    : Promise.reject(new CallError("NoShell", "this page is not shown in a window of Staysail, which would do that"));

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
export const application = Object.freeze({
  info: async (): Promise<ApplicationInfo> => unspelled(await ask("app.info")),
  /** Shows and focuses the main window; opens it when it is closed. */
  show: (): Promise<void> => ask("app.show"),
  /** Ends the app in order. */
  exit: (code = 0): Promise<void> => ask("app.exit", { code }),
  /** Ends the app and starts it again, with the same arguments or these. Fails in development. */
  relaunch: (args?: string[]): Promise<void> => ask("app.relaunch", { arguments: args ?? null }),
  /**
   * Calls `handler` with each start that brings links or files, and each that was handed over by a second instance. One
   * that came before the page had loaded is told, too, when the handler is there by the page's `load` event.
   */
  onOpened: (handler: (event: OpenedEvent) => void): Unlisten => listen("staysail:app", handler),
});

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
export type TrayEvent =
  | { kind: "clicked" | "middle_clicked" }
  /** An entry of its menu was chosen. */
  | { kind: "chosen"; id: string; checked?: boolean };

/** The app's icon in the tray. */
export const tray = Object.freeze({
  /** Puts this icon into the tray, in place of the one that is there. */
  set: (tray: TrayOptions): Promise<TrayState> => ask("tray.set", { tray: spelled(tray) }),
  /** Changes the icon that is there. `png` is a picture of its own in place of a file. */
  update: ({ png, ...change }: { icon?: string; png?: Uint8Array; tooltip?: string; title?: string }): Promise<void> => {
    let text = "";
    for (let i = 0; png && i < png.length; i += 0x8000) text += String.fromCharCode(...png.subarray(i, i + 0x8000));
    return ask("tray.update", { ...change, png: png ? btoa(text) : null });
  },
  /** Changes an entry of its menu. */
  updateItem: (id: string, change: { text?: string; enabled?: boolean; checked?: boolean }): Promise<void> =>
    ask("tray.update_item", { id, ...change }),
  /** Takes it away. */
  remove: (): Promise<void> => ask("tray.remove"),
  state: (): Promise<TrayState> => ask("tray.state"),
  onEvent: (handler: (event: TrayEvent) => void): Unlisten => listen("staysail:tray", handler),
});

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
export const shortcut = Object.freeze({
  /** Takes keys, `CmdOrCtrl+Shift+K` say, until they are given back or the app ends. */
  register: (id: string, keys: string): Promise<void> => ask("shortcut.register", { id, keys }),
  /** Gives them back. */
  unregister: (id: string): Promise<void> => ask("shortcut.unregister", { id }),
  /** All of them, those the backend declares, too. */
  list: (): Promise<Shortcut[]> => ask("shortcut.list"),
  onPressed: (handler: (event: ShortcutEvent) => void): Unlisten => listen("staysail:shortcut", handler),
});

/** The app's start when its user logs in. Only a built app can have one. */
export const autostart = Object.freeze({
  enable: (args: string[] = []): Promise<void> => ask("autostart.enable", { arguments: args }),
  disable: (): Promise<void> => ask("autostart.disable"),
  state: (): Promise<boolean> => ask("autostart.state"),
});

/** Keeping the machine awake. A wish ends with this page load. */
export const power = Object.freeze({
  /** Keeps it from falling asleep for want of use; with `display` the screen stays on, too. */
  keepAwake: (reason: string, options: { display?: boolean } = {}): Promise<number> =>
    ask("power.keep_awake", { reason, ...options }),
  /** Takes a wish back. */
  release: (id: number): Promise<void> => ask("power.release", { id }),
});

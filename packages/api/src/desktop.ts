/**
 * Native features: windows, dialogs, clipboard, notifications, menus, other programs. Each needs a capability in
 * `staysail.toml`; without one its promise is rejected with `Denied`.
 */
import { CallError, listen, type Runtime, type Unlisten } from "./index";
import { spelled, unspelled } from "./spelling";

const runtime = (globalThis as { __STAYSAIL__?: Runtime }).__STAYSAIL__;

const noShell = (): Promise<never> =>
  Promise.reject(new CallError("NoShell", "this page is not shown in a window of Staysail, which would do that"));

const native = (feature: string, args?: object): Promise<never> =>
  runtime ? (runtime.desktop(feature, args) as Promise<never>) : noShell();

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
  async state(): Promise<WindowState> {
    return unspelled(await this.#ask("state"));
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
  /** Gives it another menu bar of its own, in place of the application's; none at all when empty. */
  async setMenu(items: MenuItem[]): Promise<void> {
    await native("menu.set", { label: await this.#known(), items });
  }
  /** Changes an entry of its own menu. */
  async updateMenu(id: string, change: { text?: string; enabled?: boolean; checked?: boolean }): Promise<void> {
    await native("menu.update", { label: await this.#known(), id, ...change });
  }
  /** Its label, also before the shell has said that of this page's window: without one the application's menu is meant. */
  async #known(): Promise<string> {
    await runtime?.ready;
    return this.label;
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
  /**
   * Says or asks something, with up to three buttons; Return presses the last. Resolves with the number of the button,
   * from 0, or null when it was closed.
   */
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
  /** Label of the window whose own menu it is in, else of the one with the focus. */
  window?: string;
}

/** Menus. */
export const menu = Object.freeze({
  /** Puts another menu in place of the application's. */
  set: (items: MenuItem[]): Promise<void> => native("menu.set", { items }),
  /** Changes an entry of the application's menu. */
  update: (id: string, change: { text?: string; enabled?: boolean; checked?: boolean }): Promise<void> =>
    native("menu.update", { id, ...change }),
  /**
   * Shows a menu where the mouse is, or at a place of the page: hand over the event of `contextmenu`, whose `x` and `y`
   * are right for the keyboard's menu key, too.
   */
  popup: (items: MenuItem[], at?: { x: number; y: number }): Promise<void> =>
    native("menu.popup", { items, at: at ? [at.x, at.y] : null }),
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
    super(() => runtime?.facts.window ?? "");
  }
  /** Counts the page loads of this window, from 1. */
  get generation(): number {
    return runtime?.facts.generation ?? 0;
  }
}

/** The window this page is shown in. */
export const currentWindow: CurrentWindow = new CurrentWindow();

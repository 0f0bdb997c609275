/**
 * What belongs to the webview of a window: files dragged over it, printing, finding, cookies, storage, downloads.
 * Each needs a capability in `staysail.toml`; without one its promise is rejected with `Denied`.
 */
import { CallError, listen, type Runtime, type Unlisten } from "./index";
import { spelled, unspelled } from "./spelling";

const runtime = (globalThis as { __STAYSAIL__?: Runtime }).__STAYSAIL__;

const native = (feature: string, args?: object): Promise<never> =>
  runtime
    ? (runtime.desktop(feature, args) as Promise<never>)
    : Promise.reject(new CallError("NoShell", "this page is not shown in a window of Staysail, which would do that"));

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
export function onFileDrop(handler: (event: DropEvent) => void): Unlisten {
  return listen("staysail:drop", handler);
}

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
export const page = Object.freeze({
  /** Shows the system's dialog for printing. */
  print: (): Promise<void> => native("page.print"),
  /** Prints to a PDF file the page may write, as with `fs`. Resolves when it is written whole. */
  printToPdf: (path: string, options: PdfOptions = {}): Promise<void> => {
    const { overwrite = false, paper, margins, ...rest } = options;
    const layout: Record<string, unknown> = { ...rest };
    if (paper) layout["paper_mm"] = paper;
    if (margins) layout["margins_mm"] = margins;
    return native("page.print_to_pdf", { path, overwrite, layout });
  },
});

/** What was found. */
export interface Found {
  /** Places in the page; 0 when there is none, or none any more in this direction. At most 1000 are counted. */
  matches: number;
}

/** Find in this window's page. */
export const find = Object.freeze({
  /** Finds a text, marks all places, and goes to the first one. `wrap` unless it is false. */
  start: (text: string, options: { case?: boolean; backwards?: boolean; wrap?: boolean } = {}): Promise<Found> =>
    native("find.start", { text, ...options }),
  /** Goes to the next place. */
  next: (): Promise<Found> => native("find.next"),
  /** Goes to the place before. */
  previous: (): Promise<Found> => native("find.previous"),
  /** Takes the marks away. */
  stop: (): Promise<void> => native("find.stop"),
});

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

const cookieFrom = ({ expires_s, ...cookie }: { expires_s?: number }): Cookie => ({
  ...unspelled<Cookie>(cookie),
  ...(expires_s === undefined ? {} : { expires: expires_s }),
});

/** Cookies of the webview. All windows share them, private ones apart: name such a window by `label`. */
export const cookies = Object.freeze({
  /** All of them, or those a request to `url` would carry. */
  list: async (options: { url?: string; label?: string } = {}): Promise<Cookie[]> => {
    const all: object[] = await native("cookies.list", options);
    return all.map(cookieFrom);
  },
  get: async (url: string, name: string): Promise<Cookie | null> => {
    const found: object | null = await native("cookies.get", { url, name });
    return found && cookieFrom(found);
  },
  set: ({ expires, ...cookie }: Cookie): Promise<void> =>
    native("cookies.set", { cookie: { ...spelled(cookie), ...(expires === undefined ? {} : { expires_s: expires }) } }),
  /** Resolves with how many there were. */
  remove: (url: string, name: string): Promise<number> => native("cookies.remove", { url, name }),
  clear: (): Promise<void> => native("cookies.clear"),
});

/** What the webview keeps. */
export const storage = Object.freeze({
  /** Forgets it; everything when no kind is named. */
  clear: (...kinds: ("cookies" | "cache" | "data")[]): Promise<void> => native("storage.clear", { kinds }),
});

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
export const downloads = Object.freeze({
  /** Those under way. */
  list: (): Promise<DownloadEvent[]> => native("download.list"),
  /** Takes one that waits (`downloads = "ask"`): to a path the page may write, into the user's download folder without one. */
  accept: (id: number, path?: string): Promise<void> => native("download.accept", { id, path: path ?? null }),
  /** Ends one; nothing of it stays. */
  cancel: (id: number): Promise<void> => native("download.cancel", { id }),
  /** Calls `handler` with each step. */
  onEvent: (handler: (event: DownloadEvent) => void): Unlisten => listen("staysail:download", handler),
});

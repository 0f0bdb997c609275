/**
 * Files. A page may touch those that `files` of its window's capabilities name in `staysail.toml`, and those the user
 * chose in a dialog. Paths are absolute or begin with a variable: `$DATA/charts/a.kap`.
 */
import { CallError, type Binary, type Runtime } from "./index";
import { unspelled } from "./spelling";

const runtime = (globalThis as { __STAYSAIL__?: Runtime }).__STAYSAIL__;

const noShell = (): Promise<never> =>
  Promise.reject(new CallError("NoShell", "this page is not shown in a window of Staysail, which would do that"));

const ask = (operation: string, args: object, body?: Binary): Promise<never> =>
  runtime ? (runtime.desktop(`fs.${operation}`, args, body) as Promise<never>) : noShell();

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
export type FileFault =
  | "not_found"
  | "exists"
  | "no_permission"
  | "disk_full"
  | "read_only"
  | "is_folder"
  | "not_a_folder"
  | "not_empty"
  | "is_link"
  | "not_a_file"
  | "not_text"
  | "other_disk"
  | "busy"
  | "bad_name"
  | "io";

/** What a promise of {@link fs} is rejected with when the disk is the reason. */
export type FileError = CallError & { readonly code: "File"; readonly details: { reason: FileFault; path: string } };

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
export function isFileError(error: unknown): error is FileError {
  return error instanceof CallError && error.code === "File";
}

/** Files of the disk. */
export const fs = Object.freeze({
  /** The text of a file in UTF-8. */
  readText: (path: string): Promise<string> => ask("read_text", { path }),
  /** The bytes of a file, or a part of them. */
  read: (path: string, part: { offset?: number; length?: number } = {}): Promise<ArrayBuffer> =>
    ask("read", { path, offset: part.offset ?? 0, length: part.length ?? null }),
  /** Writes a text, whole or not at all; folders on the way are made. */
  writeText: (path: string, text: string): Promise<void> => ask("write_text", { path, text }),
  /** Writes bytes, whole or not at all; folders on the way are made. */
  write: (path: string, bytes: Binary): Promise<void> => ask("write", { path }, bytes),
  /** Writes at the end of a file, which is made when it is not there. */
  append: (path: string, content: string | Binary): Promise<void> =>
    typeof content === "string" ? ask("append", { path, text: content }) : ask("append", { path }, content),
  /** What the page may read in a folder, by name. */
  list: async (path: string): Promise<FileEntry[]> => {
    const entries: object[] = await ask("list", { path });
    return entries.map((entry) => unspelled<FileEntry>(entry));
  },
  /** What is known of a file or folder; of a link, not of where it leads. */
  stat: (path: string): Promise<FileStat> => ask("stat", { path }),
  /** Whether something is there. */
  exists: (path: string): Promise<boolean> => ask("exists", { path }),
  /** Makes a folder and those it lies in, unless they are there. */
  createFolder: (path: string): Promise<void> => ask("create_folder", { path }),
  /** Takes a file or an empty folder away; `recursive` a folder with everything in it. */
  remove: (path: string, options: { recursive?: boolean } = {}): Promise<void> =>
    ask("remove", { path, recursive: options.recursive ?? false }),
  /** Gives a file or folder another name or place. A file that is there is replaced only with `overwrite`. */
  rename: (from: string, to: string, options: { overwrite?: boolean } = {}): Promise<void> =>
    ask("rename", { from, to, overwrite: options.overwrite ?? false }),
  /** Copies a file. One that is there is replaced only with `overwrite`. */
  copy: (from: string, to: string, options: { overwrite?: boolean } = {}): Promise<void> =>
    ask("copy", { from, to, overwrite: options.overwrite ?? false }),
});

/**
 * What the `staysail` command tells a bundler: environment variables when it starts, files in one folder while it runs.
 * The format is docs/spec/bundlers.md; every bundler may read it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";

/** Newest format of the files that this plugin understands. */
const FORMAT = 1;

/** The command that started this bundler. */
export interface Session {
  /** Which section of staysail.toml is in use. */
  mode: string;
  /** The app's identifier. */
  app: string;
  /** The app's version. */
  version: string;
  /** Constants of that section. */
  constants: Readonly<Record<string, unknown>>;
  /** Where the dev server must listen; `null` while building. */
  address: URL | null;
  /** Where the built page must be. */
  dist: string | null;
  /** The generated declarations. */
  types: string | null;
  /** The folder of files; `null` when the command is too old or not there. */
  folder: string | null;
}

/** Whether the backend compiles. */
export interface Backend {
  state: "good" | "failed";
  /** What the compiler said. */
  errors: string;
  /** Where the first error is, when the compiler named a place. */
  file: string | null;
  line: number;
  column: number;
}

/** The names of what the backend offers. */
export interface Interface {
  commands: string[];
  events: string[];
}

/** Reads the environment. Without the command around it the page is built as for a debug session. */
export function session(environment: NodeJS.ProcessEnv): Session {
  const text = (name: string): string | null => environment[name] || null;
  const constants = text("STAYSAIL_CONSTANTS");
  const address = text("STAYSAIL_DEV_URL");
  return {
    mode: text("STAYSAIL_MODE") ?? "debug",
    app: text("STAYSAIL_APP") ?? "",
    version: text("STAYSAIL_VERSION") ?? "",
    constants: constants ? (JSON.parse(constants) as Record<string, unknown>) : {},
    address: address ? new URL(address) : null,
    dist: text("STAYSAIL_DIST"),
    types: text("STAYSAIL_TYPES"),
    folder: text("STAYSAIL_SESSION"),
  };
}

/** Reads a file of the session; `null` when there is none yet, it is half written, or of a format of the future. */
function read(folder: string | null, name: string): Record<string, unknown> | null {
  if (!folder) return null;
  try {
    const value = JSON.parse(readFileSync(join(folder, name), "utf8")) as Record<string, unknown>;
    return value["format"] === FORMAT ? value : null;
  } catch {
    return null;
  }
}

const textOf = (value: unknown): string => (typeof value === "string" ? value : "");
const namesOf = (value: unknown): string[] => (Array.isArray(value) ? value.filter((name) => typeof name === "string") : []);

/** Name of the file with the backend's state. */
export const BACKEND_FILE = "backend.json";
/** Name of the file with the backend's interface. */
export const INTERFACE_FILE = "interface.json";
/** Name of the file with what the bundler says. */
const BUNDLER_FILE = "bundler.json";

/** Whether the backend compiles, as last told. */
export function backend(folder: string | null): Backend | null {
  const value = read(folder, BACKEND_FILE);
  const state = value?.["state"];
  if (!value || (state !== "good" && state !== "failed")) return null;
  const number = (name: string): number => (typeof value[name] === "number" ? (value[name] as number) : 1);
  return {
    state,
    errors: textOf(value["errors"]),
    file: textOf(value["file"]) || null,
    line: number("line"),
    column: number("column"),
  };
}

/** What the backend offers, as last described. */
export function offered(folder: string | null): Interface {
  const value = read(folder, INTERFACE_FILE);
  return { commands: namesOf(value?.["commands"]), events: namesOf(value?.["events"]) };
}

/** Tells the command that compile errors are shown here, so that it does not show them as well. */
export function announce(folder: string | null, shows_errors: boolean): void {
  if (!folder) return;
  try {
    writeFileSync(join(folder, BUNDLER_FILE), JSON.stringify({ format: FORMAT, bundler: "vite", shows_errors }));
  } catch {
    // The folder has gone with its session; then nobody shows anything any more.
  }
}

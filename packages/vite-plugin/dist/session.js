/**
 * What the `staysail` command tells a bundler: environment variables when it starts, files in one folder while it runs.
 * The format is docs/spec/bundlers.md; every bundler may read it.
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
/** Newest format of the files that this plugin understands. */
const FORMAT = 1;
/** Reads the environment. Without the command around it the page is built as for a debug session. */
export function session(environment) {
    const text = (name) => environment[name] || null;
    const constants = text("STAYSAIL_CONSTANTS");
    const address = text("STAYSAIL_DEV_URL");
    return {
        mode: text("STAYSAIL_MODE") ?? "debug",
        app: text("STAYSAIL_APP") ?? "",
        version: text("STAYSAIL_VERSION") ?? "",
        constants: constants ? JSON.parse(constants) : {},
        address: address ? new URL(address) : null,
        dist: text("STAYSAIL_DIST"),
        types: text("STAYSAIL_TYPES"),
        folder: text("STAYSAIL_SESSION"),
    };
}
/** Reads a file of the session; `null` when there is none yet, it is half written, or of a format of the future. */
function read(folder, name) {
    if (!folder)
        return null;
    try {
        const value = JSON.parse(readFileSync(join(folder, name), "utf8"));
        return value["format"] === FORMAT ? value : null;
    }
    catch {
        return null;
    }
}
const textOf = (value) => (typeof value === "string" ? value : "");
const namesOf = (value) => (Array.isArray(value) ? value.filter((name) => typeof name === "string") : []);
/** Name of the file with the backend's state. */
export const BACKEND_FILE = "backend.json";
/** Name of the file with the backend's interface. */
export const INTERFACE_FILE = "interface.json";
/** Name of the file with what the bundler says. */
const BUNDLER_FILE = "bundler.json";
/** Whether the backend compiles, as last told. */
export function backend(folder) {
    const value = read(folder, BACKEND_FILE);
    const state = value?.["state"];
    if (!value || (state !== "good" && state !== "failed"))
        return null;
    const number = (name) => (typeof value[name] === "number" ? value[name] : 1);
    return {
        state,
        errors: textOf(value["errors"]),
        file: textOf(value["file"]) || null,
        line: number("line"),
        column: number("column"),
    };
}
/** What the backend offers, as last described. */
export function offered(folder) {
    const value = read(folder, INTERFACE_FILE);
    return { commands: namesOf(value?.["commands"]), events: namesOf(value?.["events"]) };
}
/** Tells the command that compile errors are shown here, so that it does not show them as well. */
export function announce(folder, shows_errors) {
    if (!folder)
        return;
    try {
        writeFileSync(join(folder, BUNDLER_FILE), JSON.stringify({ format: FORMAT, bundler: "vite", shows_errors }));
    }
    catch {
        // The folder has gone with its session; then nobody shows anything any more.
    }
}

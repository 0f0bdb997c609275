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
export declare function session(environment: NodeJS.ProcessEnv): Session;
/** Name of the file with the backend's state. */
export declare const BACKEND_FILE = "backend.json";
/** Name of the file with the backend's interface. */
export declare const INTERFACE_FILE = "interface.json";
/** Whether the backend compiles, as last told. */
export declare function backend(folder: string | null): Backend | null;
/** What the backend offers, as last described. */
export declare function offered(folder: string | null): Interface;
/** Tells the command that compile errors are shown here, so that it does not show them as well. */
export declare function announce(folder: string | null, shows_errors: boolean): void;

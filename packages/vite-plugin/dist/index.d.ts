/** Settings of the plugin. All have a good default. */
export interface Options {
    /** Show the backend's compile errors in Vite's overlay, instead of Staysail's. Default: as `server.hmr.overlay`. */
    overlay?: boolean;
}
/**
 * A plugin for `plugins` of Vite's configuration. Its type names nothing of Vite, so that it fits whichever version
 * the project has.
 */
export interface StaysailPlugin {
    name: "staysail";
}
/** An error as Vite's overlay wants it. */
export interface Shown {
    message: string;
    stack: string;
    plugin: string;
    id?: string;
    loc?: {
        file: string;
        line: number;
        column: number;
    };
}
/** The plugin. */
export default function staysail(options?: Options): StaysailPlugin;

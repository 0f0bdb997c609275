import type { ViteDevServer } from "vite";
/** What a page is told when it asks. */
export interface Present {
    /** Which server counts. */
    server: string;
    /** How many changes were sent to the pages so far. */
    changes: number;
    /** The mistake Vite last told of, if nothing has changed since. */
    mistake: object | null;
}
/** What has come of it so far. */
export interface Counted {
    /** How much was sent, by which server. */
    count(): Omit<Present, "mistake">;
    /** The mistake Vite last told of, if it is still one: a file that now can be read, or what was no file's, is none. */
    mistake(): Promise<object | null>;
}
/** Counts what `server` sends to the pages. */
export declare function counted(server: ViteDevServer): Counted;

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
/** Counts what `server` sends to the pages; the function returned says what has come of it. */
export declare function counted(server: ViteDevServer): () => Present;

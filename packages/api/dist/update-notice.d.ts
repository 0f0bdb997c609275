// Built from packages/api by `npm run build`; do not edit.
import type { Unlisten, UpdateEvent } from "./index.js";
/** How far an update is. */
export type UpdatePhase = 
/** Nothing to tell. */
"idle"
/** A release was found; its download begins when the policy allows. */
 | "available" | "downloading"
/** Here and verified; it is applied next, when the policy allows or the user says so. */
 | "ready"
/** It runs. */
 | "applied"
/** It did not work; the version before runs again. */
 | "returned"
/** Looking or downloading failed; it is tried again by itself. */
 | "failed";
/** All that a notice shows. */
export interface UpdateState {
    readonly phase: UpdatePhase;
    /** The version it is about. */
    readonly version: string;
    /** Its notes for users, as they were published. */
    readonly notes: string;
    /** Bytes so far. */
    readonly bytes: number;
    /** Bytes in all; 0 while nobody knows. */
    readonly total: number;
    /** At the speed so far; `null` while there is none to tell. */
    readonly secondsLeft: number | null;
    /** What it waits for, or why it failed. */
    readonly reason: string;
}
/** Before anything was heard. */
export declare const noUpdate: UpdateState;
/** The state after an event. */
export declare function nextUpdateState(before: UpdateState, event: UpdateEvent): UpdateState;
/**
 * Calls `handler` with the state of updates, now and whenever it changes.
 *
 * ```ts
 * const end = watchUpdate(({ phase, version }) => { badge.hidden = phase !== "ready"; badge.title = version; });
 * ```
 */
export declare function watchUpdate(handler: (state: UpdateState) => void): Unlisten;
/** The words of a notice in one language. `{version}`, `{done}`, `{total}` and `{left}` are filled in. */
export interface UpdateWords {
    /** Name of the notice, for screen readers. */
    notice: string;
    available: string;
    downloading: string;
    /** Below it: how much. */
    amount: string;
    /** Below it, once the speed is known. */
    amountLeft: string;
    ready: string;
    applied: string;
    returned: string;
    failed: string;
    now: string;
    later: string;
    skip: string;
    news: string;
    close: string;
}
/** Words by language. Add your own: `updateWords.nl = { … }`. What is missing is said in English. */
export declare const updateWords: Record<string, UpdateWords>;
/** The words for a language tag: of `de-AT`, else of `de`, else English. */
export declare function wordsFor(tag: string): UpdateWords;
declare const Base: typeof HTMLElement;
/**
 * `<staysail-update>`: the notice.
 *
 * | Attribute | |
 * |---|---|
 * | `lang` | its language; otherwise the page's, then the user's |
 * | `later` | seconds that "Later" puts it off; 4 hours |
 * | `show-download` | shows downloads, which are otherwise quiet |
 * | `show-failures` | shows failures, which are otherwise left to the log |
 *
 * Looks: custom properties `--staysail-update-background`, `-color`, `-accent`, `-accent-color`, `-radius`; parts `notice`,
 * `headline`, `amount`, `notes`, `button`; its place is that of any element (`position`, `inset`).
 */
export declare class UpdateNoticeElement extends Base {
    #private;
    static readonly observedAttributes: string[];
    /** Makes the notes' element of their text; as plain text when absent. */
    renderNotes: ((notes: string) => Node) | null;
    connectedCallback(): void;
    disconnectedCallback(): void;
    attributeChangedCallback(): void;
}
declare global {
    interface HTMLElementTagNameMap {
        "staysail-update": UpdateNoticeElement;
    }
}
export {};

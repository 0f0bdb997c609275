// Made by `staysail dev` and `staysail build` from the backend's commands and events. Do not edit.

import type { Channel as PageChannel, Sender as PageSender } from "@staysail/api";

/**
 * Adjacently tagged.
 */
export type Adjacent = { "t": "Nothing" } | { "t": "One", "c": Colour } | { "t": "Two", "c": [number, string] } | { "t": "Named", "c": { id: number, } };
export type Both<A, B> = { left: A, right: B | null, };
export type Colour = "dark-red" | "azure";
/**
 * What other crates have, each by a feature of `staysail`.
 */
export type Dates = { born: string, seen: string, stamped: string, day: string | null, id: string, home: string, };
export type Empty = Record<symbol, never>;
/**
 * Externally tagged.
 */
export type External = "Nothing" | { "One": number | null } | { "Two": [number, string] } | { "Named": { 
/**
 * A field of a variant.
 */
id: NoteId, } } | { "Of": Position };
/**
 * Internally tagged.
 */
export type Internal = { "kind": "no_size" } | { "kind": "with_size", innerSize: number, } | { "kind": "at" } & Position;
export type JsonValue = number | string | boolean | Array<JsonValue> | { [key in string]: JsonValue } | null;
/**
 * Integers that a page's number can not hold, each chosen.
 */
export type Large = { most: `${bigint}`, least: `${bigint}`, widest: `${bigint}`, tallest: `${bigint}`, words: number, offset: number, maybe: number | null, none: `${bigint}` | null, list: Array<`${bigint}`>, by_id: { [key in `${bigint}`]: number }, };
/**
 * A type whose JSON is another type's.
 */
export type Mail = string;
export type Maps = { by_name: { [key in string]: Position }, by_number: { [key in number]: Array<number> }, by_newtype: { [key in NoteId]: number }, by_enum: { [key in Colour]?: number }, by_truth: { [key in "true" | "false"]?: number }, unique: Array<number>, };
/**
 * Names and presence.
 */
export type Named = { firstName: string, type: string, "with-dash": number, match: boolean, leftOut?: number, defaulted?: Array<number>, x: number, y: number, } & ({ [key in string]: number | string | boolean | Array<JsonValue> | { [key in string]: JsonValue } | null });
/**
 * A plain struct.
 *
 * Its comment has two paragraphs and what would end one: * /
 */
export type Note = { 
/**
 * Its title, with "quotes".
 */
title: string, tags: Array<string>, parent: string | null, stars: number, ratio: number, initial: string, pinned: boolean, nothing: null, pair: [number, string], three: [number, number, number], path: string, address: string, shared: number | null, };
/**
 * A newtype.
 */
export type NoteId = string;
/**
 * Told when a note was saved.
 */
export type NoteSaved = { id: NoteId, revision: `${bigint}`, };
/**
 * Called `Note`, too.
 */
export type OtherNote = { text: string, };
/**
 * One page of anything.
 */
export type Page<T> = { items: Array<T>, next: number | null, };
/**
 * Named like the library's own type, which it must not be taken for.
 */
export type PageEvent = { turned: number, };
export type Pair = [number, NoteId];
export type Position = { x: number, y: number, };
/**
 * Why something is refused.
 */
export type Refusal = { "reason": "too_large", 
/**
 * The largest allowed.
 */
most: number, } | { "reason": "locked" };
/**
 * Times of the standard library.
 */
export type Times = { changed: { secs_since_epoch: number, nanos_since_epoch: number }, took: { secs: number, nanos: number } | null, all: Array<{ secs: number, nanos: number }>, };
/**
 * Recursive.
 */
export type Tree = { name: string, children: Array<Tree>, index: { [key in string]: Tree }, };
export type Unit = null;
export type Untagged = number | string | Array<Untagged> | { id: NoteId, } | null;

/** What the page may call. */
export interface AppCommands {
  age: { args: { since: { secs_since_epoch: number, nanos_since_epoch: number } }; result: { secs: number, nanos: number }; error: string };
  anything: { args: { value: JsonValue }; result: JsonValue; error: never };
  /**
   * Streams to the page and from it.
   */
  convert: { args: { progress: PageChannel<PageEvent>; chunks: PageSender<ArrayBuffer>; done?: PageChannel<{ secs: number, nanos: number }> | null }; result: null; error: never };
  dates: { args: { dates: Dates }; result: Dates; error: never };
  forget: { args: {}; result: null; error: never };
  large: { args: { large: Large }; result: Large; error: never };
  named: { args: { named: Named; extra?: Mail | null }; result: Named; error: never };
  nested: { args: {}; result: Page<Both<Page<NoteId>, OtherNote | null>>; error: never };
  next_id: { args: { after: `${bigint}` }; result: `${bigint}`; error: never };
  /**
   * Looks for notes.
   * 
   * `limit` is how many at most.
   */
  search: { args: { query: string; limit?: number | null; type: Colour }; result: Page<Note>; error: Refusal };
  shapes: { args: { maps: Maps; tree: Tree }; result: [External, Internal, Adjacent, Untagged, Unit, Empty, Pair]; error: never };
  times: { args: { times: Times }; result: Times; error: never };
  turned: { args: {}; result: PageEvent; error: never };
  upload: { args: {}; result: ArrayBuffer; error: never };
  /**
   * The widths that only come from the page need no choice.
   */
  wait: { args: { milliseconds: number; offset: number }; result: number; error: never };
}

/** What the backend tells. */
export interface AppEvents {
  "note-saved": NoteSaved;
}

declare module "@staysail/api" {
  interface Commands extends AppCommands {}
  interface Events extends AppEvents {}
}

declare module "/__staysail/api.js" {
  interface Commands extends AppCommands {}
  interface Events extends AppEvents {}
}

export {};

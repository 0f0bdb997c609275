// Compiled only: a page's own code against the declarations of an app with every kind of type.
import { CallError, Channel, Sender, emit, invoke, isCommandError, listen } from "@staysail/api";
import type { CommandError, Commands } from "@staysail/api";
import type { AppCommands, External, Internal, Large, Maps, Named, Note, NoteId, Page, PageEvent, Tree } from "./staysail";

// Arguments and answers.
const page: Page<Note> = await invoke("search", { query: "sail", type: "dark-red" });
await invoke("search", { query: "sail", limit: 3, type: "azure" }, { timeout: 100 });
await invoke("search", { query: "sail", limit: null, type: "azure" });
const first: Note | undefined = page.items[0];
const initial: string | undefined = first?.initial;
// @ts-expect-error: no such colour
await invoke("search", { query: "sail", type: "red" });
// @ts-expect-error: an argument is missing
await invoke("search", { query: "sail" });
// @ts-expect-error: no such command
await invoke("searched", {});
const nothing: null = await invoke("forget");

// Integers with all their digits.
const next = await invoke("next_id", { after: "18446744073709551614" });
const id: bigint = BigInt(next);
await invoke("next_id", { after: `${id}` });
// @ts-expect-error: a number can not hold it
await invoke("next_id", { after: 18446744073709551614 });
// @ts-expect-error: these are no digits
await invoke("next_id", { after: "many" });
// @ts-expect-error: not to be reckoned with before it is a bigint
const more: bigint = next;
const waited: number = await invoke("wait", { milliseconds: 5, offset: -1 });
declare const large: Large;
const counted: number | undefined = large.by_id[`${id}`];

// Unions narrow by their tags.
function told(external: External, internal: Internal): number {
  if (external === "Nothing") return 0;
  if ("Two" in external) return external.Two[0];
  switch (internal.kind) {
    case "no_size":
      return 0;
    case "with_size":
      return internal.innerSize;
    case "at":
      return internal.x;
    default:
      return internal satisfies never;
  }
}
// @ts-expect-error: the field is named by the rename
const wrong: Internal = { kind: "with_size", inner_size: 1 };

// Maps, optional fields, recursion, generics in generics.
declare const maps: Maps;
const truth: number | undefined = maps.by_truth["true"];
const list: number[] | undefined = maps.by_number[7];
// @ts-expect-error: not one of the keys
maps.by_enum["red"];
const named: Named = { firstName: "Ada", type: "person", "with-dash": 1, match: true, x: 0, y: 0 };
const extra = (await invoke("named", { named })).leftOut?.toFixed();
// @ts-expect-error: a field is missing
await invoke("named", { named: { firstName: "Ada" } });
const leaf = (tree: Tree): Tree => tree.children[0] ?? tree.index["leaf"] ?? tree;
const deep: NoteId | undefined = (await invoke("nested")).items[0]?.left.items[0];
const seconds: number = (await invoke("age", { since: { secs_since_epoch: 0, nanos_since_epoch: 0 } })).secs;
const raw: ArrayBuffer = await invoke("upload", new Uint8Array(3));
// Streams, with messages of the app's type that is named like the library's.
const progress = new Channel<PageEvent>(({ turned }) => console.log(turned));
const chunks = new Sender<ArrayBuffer>();
await invoke("convert", { progress, chunks });
await invoke("convert", { progress, chunks, done: new Channel(({ secs }) => console.log(secs)) });
// @ts-expect-error: messages of another type
await invoke("convert", { progress: new Channel<number>(), chunks });
// @ts-expect-error: the wrong end
await invoke("convert", { progress: chunks, chunks });
// The app's type, not the library's of the same name.
const turned: PageEvent = await invoke("turned");
const times: number = turned.turned;

// Errors.
try {
  await invoke("search", { query: "sail", type: "azure" });
} catch (error) {
  if (isCommandError(error, "search")) {
    const code: "App" = error.code;
    const most: number = error.details.reason === "too_large" ? error.details.most : code.length;
    // @ts-expect-error: no such reason
    const never: boolean = error.details.reason === "unknown";
    console.log(most, never);
  } else if (error instanceof CallError) {
    // @ts-expect-error: an error of no known command has no known details
    console.log(error.details.reason);
  }
  // @ts-expect-error: no such command
  isCommandError(error, "searched");
}
const refused = (error: CommandError<"search">): string => error.details.reason;
const declared: Commands["search"]["error"] = { reason: "locked" };
const same: AppCommands["search"]["error"] = declared;

// Events.
listen("note-saved", ({ id, revision }) => console.log(id.length, BigInt(revision)));
await emit("note-saved", { id: "a", revision: "1" });
// @ts-expect-error: the revision is a bigint
await emit("note-saved", { id: "a", revision: 1 });

export { counted, deep, extra, initial, leaf, list, more, nothing, raw, refused, same, seconds, times, told, truth, waited, wrong };

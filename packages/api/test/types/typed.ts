// Compiled only: once the commands are known, names, arguments, answers and payloads are checked.
import { assets, CallError, emit, isAssetUnavailable, invoke, listen, once, preserve, update } from "@staysail/api";
import type { Hit } from "./staysail";

const answer: Promise<string> = invoke("greet", { name: "Ada" }, { timeout: 100, signal: AbortSignal.abort() });
const hits: Promise<Hit[]> = invoke("search", { query: "x" });
invoke("tick");
invoke("tick", new Uint8Array(1));
invoke("anything", new Uint8Array(1));
invoke("anything");
// @ts-expect-error: no such command
invoke("grete", { name: "Ada" });
// @ts-expect-error: an argument is missing
invoke("greet");
// @ts-expect-error: an argument has the wrong type
invoke("greet", { name: 1 });
// @ts-expect-error: the answer is a string
const wrong: Promise<number> = invoke("greet", { name: "Ada" });

listen("note-saved", ({ id }) => id.toFixed());
listen("staysail:worker", (event) => event.kind === "swapped" && event.milliseconds.toFixed());
once("staysail:update", (event) => event.kind === "rolled_back" && event.reason.length);
// @ts-expect-error: no such event
listen("note-lost", () => {});
emit("note-saved", { id: 1 });
// @ts-expect-error: the payload has another type
emit("note-saved", { id: "1" });

preserve("a", { save: () => ({ at: 1 }), restore: (state) => state.at.toFixed() });
update.onEvent((event) => event.kind);
assets.fetch("maps", { onProgress: ({ bytes, total }) => bytes / total, signal: null }).then((group) => group.missingBytes);
assets.list().catch((error: unknown) => isAssetUnavailable(error) && error.details.reason === "offline");
const error = new CallError("Timeout", "late");
const code: string = error.code;
export { answer, code, hits, wrong };

// Compiled only: as long as nothing is generated, every name may be called.
import { CallError, emit, invoke, isCommandError, listen } from "@staysail/api";

const answer: Promise<string> = invoke<string>("greet", { name: "Ada" }, { timeout: 100 });
const plain: Promise<unknown> = invoke("greet");
invoke("upload", new Uint8Array(3));
listen<{ id: number }>("note-saved", ({ id }) => id.toFixed());
listen("staysail:update", (event) => event.kind);
emit("anything");
isCommandError(new CallError("App", "refused"), "greet");
export { answer, plain };

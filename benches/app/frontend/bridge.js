// How the bench's page talks to the backend of this app.
import { Channel, Sender, invoke } from "/__staysail/api.js";

export { invoke, listen } from "/__staysail/api.js";

/** Has the backend send pieces of raw bytes, and hands them over one after the other. */
export async function down(pieces, bytes, receive) {
  const out = new Channel(receive);
  await invoke("pour", { pieces, bytes, out });
  await out.closed;
}

/** Lets `produce` send pieces of raw bytes, and says how many bytes the backend got. */
export async function up(produce) {
  const pieces = new Sender();
  const done = invoke("drain", { pieces });
  await produce((piece) => pieces.send(piece));
  pieces.close();
  return await done;
}

// How the bench's page talks to the backend of this app.
const { Channel, invoke: call } = window.__TAURI__.core;

export const invoke = call;

export const listen = (event, handler) => window.__TAURI__.event.listen(event, ({ payload }) => handler(payload));

/** Has the backend send pieces of raw bytes, and hands them over one after the other. */
export function down(pieces, bytes, receive) {
  return new Promise((done, failed) => {
    const out = new Channel();
    let seen = 0;
    out.onmessage = (piece) => {
      try {
        receive(piece);
      } catch (error) {
        failed(error);
      }
      if (++seen === pieces) done();
    };
    invoke("pour", { pieces, bytes, out }).catch(failed);
  });
}

/** Lets `produce` send pieces of raw bytes, and says how many bytes the backend got. Tauri has no stream upwards. */
export async function up(produce) {
  await produce((piece) => invoke("sink", piece));
  return await invoke("sunk");
}

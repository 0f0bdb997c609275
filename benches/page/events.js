// A flood of events to one window or to several, each of which counts what it hears.
import { invoke, listen } from "./bridge.js";

const RUNS = 5;
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

/** Makes this window one that counts. Each event is a number; a flood ends with `count - 1`. */
export async function hear() {
  const count = await invoke("event_count");
  let received = 0;
  let last = -1;
  await listen("tick", (number) => {
    received += number > last ? 1 : 0;
    last = number;
    if (number !== count - 1) return;
    void invoke("heard", { received });
    received = 0;
    last = -1;
  });
  await invoke("listens");
}

/** Opens the other windows, floods all, and tells of each flood how long it took until the slowest had heard it all. */
export async function events(report) {
  const windows = await invoke("window_count");
  await hear();
  if (windows > 1) await invoke("open_listeners", { count: windows - 1 });
  while ((await invoke("listening")) < windows) await pause(20);
  const count = await invoke("event_count");
  for (let run = 0; run < RUNS; run++) {
    // Long enough for the memory to be measured that the flood before left behind.
    await pause(1_500);
    const start = await invoke("flood", { count });
    let outcome;
    while (!(outcome = await invoke("outcome", { windows }))) await pause(20);
    const [end, received] = outcome;
    await report("flooded", { run, per_s: count / ((end - start) / 1e9), lost: count - received });
  }
  await report("events");
}

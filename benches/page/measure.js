// The page both apps show while they are measured. bridge.js is the only file that differs between them.
import { calls, sizes } from "./calls.js";
import { events } from "./events.js";
import { load } from "./load.js";
import { streams } from "./streams.js";
import { invoke } from "./bridge.js";

const MARKER = "page-0"; // the bench changes this line and waits until it is reported

const said = document.querySelector("#said");
const report = (kind, values = {}) => invoke("report", { line: JSON.stringify({ kind, marker: MARKER, ...values }) });
const frame = () => new Promise((done) => requestAnimationFrame(done));
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

async function watch() {
  const field = document.querySelector("#field");
  field.focus();
  let last;
  for (;;) {
    const revision = await invoke("revision").catch(() => last);
    if (revision !== last) {
      last = revision;
      said.textContent = revision;
      await report("revision", { revision, field: field.value });
    }
    await pause(15);
  }
}

async function main() {
  await report("script");
  await frame();
  await frame();
  await report("paint");
  const task = await invoke("task");
  if (task === "watch") await watch();
  if (task === "load") await load(report);
  if (task === "calls") await report("calls", await calls());
  if (task === "sizes") await report("sizes", await sizes());
  if (task === "streams") await report("streams", await streams());
  if (task === "events") await events(report);
}

main().catch((error) => report("failed", { message: String(error?.message ?? error) }));

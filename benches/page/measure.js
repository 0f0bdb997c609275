// The page both apps show while they are measured. bridge.js is the only file that differs between them.
// WebKit's performance.now() counts whole milliseconds, so single calls are timed by the backend's own clock:
// two `stamp` answers in a row are one round trip apart.
import { invoke } from "./bridge.js";

const MARKER = "page-0"; // the bench changes this line and waits until it is reported

const said = document.querySelector("#said");
const report = (kind, values = {}) => invoke("report", { line: JSON.stringify({ kind, marker: MARKER, ...values }) });
const frame = () => new Promise((done) => requestAnimationFrame(done));
const pause = (milliseconds) => new Promise((done) => setTimeout(done, milliseconds));

async function watch() {
  let last;
  for (;;) {
    const revision = await invoke("revision").catch(() => last);
    if (revision !== last) {
      last = revision;
      said.textContent = revision;
      await report("revision", { revision });
    }
    await pause(15);
  }
}

async function calls() {
  for (let i = 0; i < 300; i++) await invoke("stamp");
  const stamps = [];
  for (let i = 0; i <= 3000; i++) stamps.push(await invoke("stamp"));
  const single_us = stamps.slice(1).map((stamp, i) => (stamp - stamps[i]) / 1000);

  const pipelined_us = [];
  for (let run = 0; run < 10; run++) {
    const start = await invoke("stamp");
    await Promise.all(Array.from({ length: 1000 }, () => invoke("stamp")));
    const end = await invoke("stamp");
    pipelined_us.push((end - start) / 1000 / 1000);
  }

  const megabyte = new Uint8Array(1 << 20).map((_, i) => i * 31);
  const echo_ms = [];
  for (let run = 0; run < 20; run++) {
    const start = await invoke("stamp");
    const back = new Uint8Array(await invoke("echo", megabyte));
    const end = await invoke("stamp");
    if (back.length !== megabyte.length || back[12345] !== megabyte[12345]) throw new Error("echo: wrong bytes");
    echo_ms.push((end - start) / 1e6);
  }
  await report("calls", { single_us, pipelined_us, echo_ms });
}

async function main() {
  await report("script");
  await frame();
  await frame();
  await report("paint");
  const task = await invoke("task");
  if (task === "watch") await watch();
  if (task === "calls") await calls();
}

main().catch((error) => report("failed", { message: String(error?.message ?? error) }));

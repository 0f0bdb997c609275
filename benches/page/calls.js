// Calls: one at a time, pipelined, and with arguments and answers of 10 B to 16 MB.
// WebKit's performance.now() counts whole milliseconds, so everything is timed by the backend's own clock. Of two
// calls in a row the second begins when the first has been answered: two entries into the command are one round
// trip apart.
import { invoke } from "./bridge.js";

/** Bytes and rounds; few rounds where one takes long. */
const SIZES = [
  ["10b", 10, 1000],
  ["1kb", 1 << 10, 1000],
  ["64kb", 1 << 16, 200],
  ["1mb", 1 << 20, 40],
  ["16mb", 1 << 24, 8],
];

export async function calls() {
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
  return { single_us, pipelined_us, echo_ms };
}

export async function sizes() {
  const found = {};
  for (const [name, bytes, rounds] of SIZES) {
    found[`json_${name}`] = await laps(rounds, text(bytes), "say", (text) => ({ text }), same);
    found[`binary_${name}`] = await laps(rounds, new Uint8Array(bytes).map((_, i) => i * 31), "echo", (all) => all, sameBytes);
  }
  return found;
}

/** Round trips, in microseconds. */
async function laps(rounds, payload, command, args, check) {
  const warm = Math.max(2, rounds / 10);
  for (let i = 0; i <= warm; i++) check(payload, await invoke(command, args(payload)));
  await invoke("laps");
  for (let i = 0; i <= rounds; i++) check(payload, await invoke(command, args(payload)));
  return await invoke("laps");
}

function text(length) {
  const line = "The quick brown fox jumps over the lazy dog 0123456789. ";
  return line.repeat(Math.ceil(length / line.length)).slice(0, length);
}

function same(sent, back) {
  const at = sent.length >> 1;
  if (back.length !== sent.length || back[at] !== sent[at]) throw new Error("say: another text came back");
}

function sameBytes(sent, answer) {
  const back = new Uint8Array(answer);
  const at = sent.length >> 1;
  if (back.length !== sent.length || back[at] !== sent[at]) throw new Error("echo: other bytes came back");
}

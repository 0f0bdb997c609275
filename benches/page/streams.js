// Streams of raw bytes, down from the backend and up to it.
import { down, invoke, up } from "./bridge.js";

const MB = 1 << 20;
/** What is sent each time. */
const TOTAL_MB = 64;
const RUNS = 4;
/** Pieces of the page that are under way at once. */
const IN_FLIGHT = 4;

export async function streams() {
  const found = { down_mb_per_s: [], down_16mb_mb_per_s: [], up_mb_per_s: [] };
  const piece = new Uint8Array(MB).map((_, i) => i * 31);
  // The first run warms up.
  for (let run = 0; run <= RUNS; run++) {
    const numbers = [
      await rate(() => pour(TOTAL_MB, MB)),
      await rate(() => pour(TOTAL_MB / 16, 16 * MB)),
      await rate(() => push(piece)),
    ];
    if (run === 0) continue;
    found.down_mb_per_s.push(numbers[0]);
    found.down_16mb_mb_per_s.push(numbers[1]);
    found.up_mb_per_s.push(numbers[2]);
  }
  return found;
}

async function rate(work) {
  const start = await invoke("stamp");
  await work();
  const end = await invoke("stamp");
  return TOTAL_MB / ((end - start) / 1e9);
}

async function pour(pieces, bytes) {
  let seen = 0;
  await down(pieces, bytes, (answer) => {
    const piece = new Uint8Array(answer);
    if (piece.length !== bytes || piece[0] !== seen || piece[bytes - 1] !== seen) throw new Error(`pour: piece ${seen} is wrong`);
    seen += 1;
  });
  if (seen !== pieces) throw new Error(`pour: ${seen} pieces of ${pieces}`);
}

async function push(piece) {
  const bytes = await up(async (send) => {
    let next = 0;
    const lane = async () => {
      while (next++ < TOTAL_MB) await send(piece);
    };
    await Promise.all(Array.from({ length: IN_FLIGHT }, lane));
  });
  if (bytes !== TOTAL_MB * MB) throw new Error(`push: ${bytes} bytes arrived`);
}

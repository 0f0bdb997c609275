// Calls without a pause, by several at once, while what answers them is exchanged.
import { invoke } from "./bridge.js";

const CALLERS = 4;
const REPORT_EVERY_MS = 500;

/** Never ends. Each failure is reported at once, how many calls there were now and then, and each new answer when it is first seen. */
export async function load(report) {
  let [calls, slowest_ms, seen] = [0, 0, ""];
  const tell = async (kind, values) => {
    // The report is a call, too, and what answers may end in the middle of it.
    while (!(await report(kind, values).then(() => true, () => false)));
  };
  async function caller() {
    for (;;) {
      const begun = performance.now();
      try {
        const answer = await invoke("revision");
        if (!answer.startsWith("backend-")) throw new Error(`the answer was ${answer}`);
        calls += 1;
        slowest_ms = Math.max(slowest_ms, performance.now() - begun);
        if (answer !== seen) {
          seen = answer;
          await tell("revision", { revision: answer });
        }
      } catch (error) {
        await tell("call_failed", { message: String(error?.message ?? error) });
      }
    }
  }
  const loaded = Date.now();
  setInterval(() => tell("load", { loaded, calls, slowest_ms }), REPORT_EVERY_MS);
  await Promise.all(Array.from({ length: CALLERS }, caller));
}

/** Errors of the page, told to the shell; and whether the page has come up. */
import type { Send } from "./transport";

/** When a hidden window paints no frame, the page counts as up this long after its load. */
const NO_FRAME_MS = 250;
/** Longest message that is reported. */
const MESSAGE_CHARACTERS_MAX = 4000;

export function watch(send: Send): void {
  let failed: string | null = null;
  let up = false;
  const report = (kind: string, level: string, message: string, place = "") => {
    const payload = JSON.stringify({ kind, level, message: message.slice(0, MESSAGE_CHARACTERS_MAX), place });
    send('"t":"report"', payload).catch(() => {});
  };
  const fail = (kind: string, message: string, place: string) => {
    if (!up && failed === null) {
      failed = message;
      report("boot", "error", message, place);
    } else {
      report(kind, "error", message, place);
    }
  };
  addEventListener(
    "error",
    (event: Event) => {
      if (event instanceof ErrorEvent) {
        fail("error", event.message, `${event.filename}:${event.lineno}:${event.colno}`);
      } else if (event.target instanceof HTMLScriptElement) {
        fail("error", `the script ${event.target.src} could not be loaded`, location.href);
      }
    },
    true,
  );
  addEventListener("unhandledrejection", (event) => {
    const reason = event.reason as { message?: string; stack?: string } | null;
    fail("rejection", String(reason?.message ?? event.reason), String(reason?.stack ?? "").split("\n")[0] ?? "");
  });
  for (const level of ["error", "warn"] as const) {
    const original = console[level].bind(console);
    console[level] = (...said: unknown[]) => {
      original(...said);
      const text = (part: unknown) => (part instanceof Error ? `${part.name}: ${part.message}` : String(part));
      report("console", level, said.map(text).join(" "));
    };
  }
  const ready = () => {
    if (up || failed !== null) return;
    up = true;
    send('"t":"ready"').catch(() => {});
  };
  const painted = () => {
    requestAnimationFrame(() => setTimeout(ready));
    setTimeout(ready, NO_FRAME_MS);
  };
  if (document.readyState === "complete") painted();
  else addEventListener("load", painted, { once: true });
}

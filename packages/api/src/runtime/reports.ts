/** What goes wrong or is said in the page, for the terminal and for the shell's judgement of a new page. */
import { toJson } from "./json";
import * as natives from "./natives";

const REPORTS_MAX = 100;
const REPORTS_WINDOW_MS = 10_000;
const MESSAGE_CHARS_MAX = 8_000;

export interface Report {
  kind: "error" | "rejection" | "console" | "boot";
  level: "error" | "warn";
  message: string;
  place: string;
}

export class Reporter {
  #send: (text: string) => void;
  #count = 0;
  #since = 0;
  #booting = true;
  /** Whether something failed before the page had come up. */
  boot_failed = false;

  constructor(send: (text: string) => void) {
    this.#send = send;
    addEventListener("error", (event) => this.#error(event), true);
    addEventListener("unhandledrejection", (event) => this.#failure("rejection", describe(event.reason), placeIn(event.reason?.stack)));
    for (const level of ["error", "warn"] as const) {
      const original = console[level];
      console[level] = (...parts: unknown[]) => {
        original.apply(console, parts);
        const place = placeIn(new Error().stack);
        this.report({ kind: "console", level, message: parts.map(describe).join(" "), place });
      };
    }
  }

  /** From now on nothing counts as an error of the start. */
  booted(): void {
    this.#booting = false;
  }

  report(report: Report): void {
    const now = natives.now();
    if (now - this.#since > REPORTS_WINDOW_MS) {
      this.#since = now;
      this.#count = 0;
    }
    if (++this.#count > REPORTS_MAX) return;
    const message = natives.slice(report.message, 0, MESSAGE_CHARS_MAX);
    this.#send(toJson({ ...report, message }) ?? "{}");
  }

  #error(event: ErrorEvent | Event): void {
    if (event instanceof ErrorEvent) {
      const place = event.filename ? `${event.filename}:${event.lineno}:${event.colno}` : "";
      this.#failure("error", event.error ? describe(event.error) : event.message, place);
    } else if (event.target instanceof HTMLScriptElement) {
      this.#failure("error", `a script, or one that it imports, could not be loaded: ${event.target.src}`, event.target.src);
    } else if (event.target instanceof HTMLLinkElement) {
      this.report({ kind: "error", level: "error", message: `a file could not be loaded: ${event.target.href}`, place: event.target.href });
    }
  }

  #failure(kind: "error" | "rejection", message: string, place: string): void {
    if (this.#booting) this.boot_failed = true;
    this.report({ kind: this.#booting ? "boot" : kind, level: "error", message, place });
  }
}

/** The first place in a stack that is of a file of the page: scripts that Staysail puts before it have no address, or one of its own. */
function placeIn(stack: unknown): string {
  const places = typeof stack === "string" ? stack.match(/[a-z]+:\/\/[^\s()]+:\d+:\d+/g) : null;
  return places?.find((place) => !place.includes("/__staysail/")) ?? "";
}

function describe(value: unknown): string {
  try {
    if (value instanceof Error) {
      const head = `${value.name}: ${value.message}`;
      const stack = value.stack ?? "";
      return stack.includes(value.message) ? stack : stack ? `${head}\n${stack}` : head;
    }
    return typeof value === "string" ? value : (JSON.stringify(value) ?? String(value));
  } catch {
    return "(a value that can not be written)";
  }
}

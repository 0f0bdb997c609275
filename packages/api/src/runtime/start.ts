/**
 * The start script: runs before any script of the page, in the main frame of an allowed origin, and leaves
 * `window.__STAYSAIL__` behind. See docs/spec/bridge.md.
 */
import type { InvokeOptions, Native, Overlay } from "../native";
import * as overlay from "./overlay";
import * as pageState from "./pageState";
import { watch } from "./reports";
import { exchange } from "./styles";
import { type Boot, CallError, connect } from "./transport";

/** Longest pause between two tries to reach the shell. */
const PAUSE_MAX_MS = 1000;

type PageEvent =
  | { t: "event"; name: string; payload: unknown }
  | { t: "styles_changed"; paths: string[] }
  | { t: "reload" }
  | { t: "overlay"; overlay: Overlay | null }
  | { t: "events_lost"; count: number };

export function start(boot: Boot): void {
  if (window.top !== window || !boot.allowed.includes(location.protocol + "//" + location.host)) return;
  const { send, welcome } = connect(boot);
  const { stringify } = JSON;
  const listeners = new Map<string, Set<(payload: unknown) => void>>();
  let calls = 0;

  const retry = () => void send('"t":"retry_backend"').catch(() => {});
  const reload = async () => {
    try {
      await send('"t":"keep_state"', pageState.collect());
    } finally {
      location.reload();
    }
  };

  const dispatch = (name: string, payload: unknown) => {
    for (const handler of [...(listeners.get(name) ?? [])]) {
      try {
        handler(payload);
      } catch (error) {
        console.error(`a listener of ${name} failed`, error);
      }
    }
  };

  const heed = (event: PageEvent) => {
    if (event.t === "event") dispatch(event.name, event.payload);
    else if (event.t === "styles_changed") exchange(event.paths);
    else if (event.t === "reload") void reload();
    else if (event.t === "overlay") overlay.show(event.overlay, retry);
    else console.warn(`${event.count} events were dropped: this page did not take them in time`);
  };

  const listenToShell = async () => {
    for (let pause = 50; ; ) {
      try {
        for (const event of (await send('"t":"next"')) as PageEvent[]) heed(event);
        pause = 50;
      } catch {
        await new Promise((go) => setTimeout(go, pause));
        pause = Math.min(pause * 2, PAUSE_MAX_MS);
      }
    }
  };

  const call = (command: string, args: unknown, options: InvokeOptions = {}): Promise<unknown> => {
    const number = ++calls;
    const raw = args instanceof Uint8Array || args instanceof ArrayBuffer;
    const head = `"t":"call","i":${number},"c":${stringify(String(command))}` + (raw ? ',"raw":true' : "");
    const { signal, timeout } = options;
    if (signal?.aborted) return Promise.reject(new CallError("Cancelled", "the call was cancelled"));
    const payload = raw ? new Uint8Array(args as ArrayBuffer) : stringify(args ?? {});
    const answer = send(head, payload);
    if (!signal && timeout === undefined) return answer;
    return new Promise((resolve, reject) => {
      const give_up = (code: string, message: string) => {
        void send(`"t":"cancel","i":${number}`).catch(() => {});
        finish();
        reject(new CallError(code, message));
      };
      const abort = () => give_up("Cancelled", "the call was cancelled");
      const timer =
        timeout === undefined
          ? undefined
          : setTimeout(() => give_up("Timeout", `${command} took longer than ${timeout} ms`), timeout);
      const finish = () => {
        clearTimeout(timer);
        signal?.removeEventListener("abort", abort);
      };
      signal?.addEventListener("abort", abort);
      answer.then(resolve, reject).finally(finish);
    });
  };

  const native: Native = {
    call,
    welcome,
    CallError,
    preserve: pageState.preserve,
    listen: (name, handler) => {
      const set = listeners.get(name) ?? new Set();
      listeners.set(name, set.add(handler));
      return () => void set.delete(handler);
    },
    emit: async (name, payload) => void (await send(`"t":"emit","e":${stringify(String(name))}`, stringify(payload ?? null))),
    update: async (wish) => void (await send('"t":"update"', stringify(wish))),
  };
  Object.defineProperty(window, "__STAYSAIL__", { value: Object.freeze(native) });

  watch(send);
  welcome.then(
    (said) => {
      pageState.restore(said.state);
      if (said.overlay) overlay.show(said.overlay, retry);
      void listenToShell();
    },
    (error) => console.error("the shell did not welcome this page", error),
  );
}

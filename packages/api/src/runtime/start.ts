/**
 * The start script: runs in the main frame of every page before any script of its own.
 *
 * The way of one call: `invoke` (index.ts) → `Session.call` → transport → shell → transport → the promise.
 * The way of one event: the request `next` that waits at the shell → `dispatch` → handlers.
 */
import type { Binary, Facts, Mode, Runtime, UpdateEvent } from "../index";
import type { Boot } from "./boot";
import { CallError } from "./call_error";
import { Conditions } from "./conditions";
import { toJson } from "./json";
import { Keeper } from "./keep";
import { Listeners } from "./listeners";
import * as natives from "./natives";
import { OverlayView } from "./overlay";
import { Reporter } from "./reports";
import { Session } from "./session";
import { exchange } from "./styles";
import { makeTabTransport, openTab } from "./tab";
import { makeTransport } from "./transport";

/** Calls under way get this long to be answered before the page reloads. */
const RELOAD_DRAIN_MS = 100;
/** A reload that did not happen within this time is not going to. */
const RELOAD_GIVE_UP_MS = 3_000;
/** A page without a first frame within this time (a hidden window) counts as painted. */
const PAINT_MS_MAX = 300;

/** Shown in a browser tab when `staysail dev` has ended. */
const LOST = {
  kind: "worker",
  title: "staysail dev has ended",
  detail: "",
  advice: "The page stays as it is, but nothing answers it. Start `staysail dev --browser` again and open the address it prints.",
  retry: false,
};

function start(here: Boot): void {
  const session: Session = new Session(IN_TAB ? makeTabTransport(here, () => overlay.show(LOST)) : makeTransport(here));
  const listeners = new Listeners();
  const conditions = new Conditions();
  const facts: Facts = { mode: "debug", version: "", window: "", generation: 0, constants: {} };
  const reporter = new Reporter((report) => void session.request({ t: "report" }, report));
  const keeper = new Keeper((message) => reporter.report({ kind: "error", level: "error", message, place: "" }));
  const overlay: OverlayView = new OverlayView(
    () => void session.request({ t: "retry_backend" }, ""),
    () => void session.request({ t: "start_fresh" }, ""),
  );
  let is_ready = false;
  let leaving = false;

  const tell = (name: string, payload: unknown): void => listeners.tell(name, payload);

  const reload = (): void => {
    if (leaving) return;
    leaving = true;
    session.drain(RELOAD_DRAIN_MS, () => {
      const go = (): void => {
        natives.later(() => {
          leaving = false;
          session.resume();
        }, RELOAD_GIVE_UP_MS);
        location.reload();
      };
      // A page that never came up has nothing worth keeping; what was kept for it waits for the next one.
      if (!is_ready) go();
      else session.urgent({ t: "keep_state" }, keeper.save(true), go, go);
    });
  };

  /** What the update policy asks for; everybody answers, be it with nothing, so that nobody is waited for. */
  const answer = (question: unknown): void => {
    const values = conditions.values(natives.own(question, "names"));
    const wish = { conditions: { id: natives.own(question, "id"), values } };
    session.request({ t: "update" }, toJson(wish) ?? "null", () => {}, () => {});
  };

  const dispatch = (event: unknown): void => {
    switch (natives.own(event, "t")) {
      case "event": {
        const name = natives.toText(natives.own(event, "name"));
        const payload = natives.own(event, "payload");
        return name === "staysail:conditions" ? answer(payload) : tell(name, payload);
      }
      case "styles_changed": {
        const paths = natives.own(event, "paths") as string[];
        return exchange(paths, () => tell("staysail:page", { kind: "styles", paths }), reload);
      }
      case "reload":
        return reload();
      case "overlay":
        return overlay.show(natives.own(event, "overlay") ?? null);
      case "events_lost":
        return tell("staysail:events-lost", { count: natives.own(event, "count") });
    }
  };

  let restored = false;
  let story: readonly UpdateEvent[] = [];
  const ready = new Promise<void>((resolve, reject) => {
    session.hello(here.secret, (welcome) => {
      const config = natives.own(welcome, "config");
      facts.mode = natives.own(config, "mode") as Mode;
      facts.version = natives.toText(natives.own(welcome, "version"));
      facts.window = natives.toText(natives.own(welcome, "window"));
      facts.generation = natives.toNumber(natives.own(welcome, "generation"));
      natives.freeze(natives.assign(facts.constants, natives.own(config, "constants")));
      natives.freeze(facts);
      restored = keeper.accept(natives.own(welcome, "state"));
      overlay.show(natives.own(welcome, "overlay") ?? null);
      story = natives.freeze((natives.own(welcome, "update") as UpdateEvent[] | null) ?? []);
      session.listen((events) => {
        if (!natives.isArray(events)) return;
        for (let i = 0; i < events.length; i++) dispatch(events[i]);
      });
      if (restored) {
        const restore = (): void => keeper.restore();
        if (document.readyState === "loading") addEventListener("DOMContentLoaded", restore);
        else restore();
      }
      afterPaint(() => {
        reporter.booted();
        if (reporter.boot_failed) return;
        session.urgent({ t: "ready" }, "");
        is_ready = true;
        const lowered = keeper.lowered();
        if (lowered) session.urgent({ t: "keep_state" }, lowered);
        if (restored) tell("staysail:page", { kind: "reloaded" });
      });
      resolve();
    }, reject);
  });
  natives.settle(ready, () => {}, () => {});

  // Reloads the shell did not ask for (a bundler's, the user's) keep the state, too.
  addEventListener("pagehide", () => {
    if (is_ready && !leaving) session.urgent({ t: "keep_state" }, keeper.save(false));
  });
  // A page out of the browser's cache holds a key that is no longer good.
  addEventListener("pageshow", (event) => {
    if (event.persisted) location.reload();
  });

  const asPromise = (head: Record<string, string>, payload: unknown): Promise<void> =>
    new natives.NativePromise((resolve, reject) => {
      session.request(head, toJson(payload ?? null) ?? "null", () => resolve(), reject);
    });

  const desktop = (feature: string, args?: object, body?: Binary): Promise<unknown> =>
    new natives.NativePromise((resolve, reject) => {
      const f = natives.toText(feature);
      const text = toJson(args ?? {}) ?? "{}";
      const bytes = natives.asBytes(body);
      if (bytes) session.request({ t: "desktop", f, a: text }, bytes, resolve, reject);
      else session.request({ t: "desktop", f }, text, resolve, reject);
    });
  // The window of a tab is the browser's.
  if (!IN_TAB) dragByRegions(desktop);

  const runtime: Runtime = Object.freeze({
    CallError,
    facts,
    ready,
    call: (command, args, options) => session.call(command, args, options),
    listen: (event, handler) => listeners.add(event, handler),
    emit: (event, payload) => asPromise({ t: "emit", e: natives.toText(event) }, payload),
    preserve: (key, hooks) => keeper.preserve(String(key), hooks),
    update: (wish) => asPromise({ t: "update" }, wish),
    updateStory: () => story,
    condition: (name, condition) => conditions.add(name, condition),
    desktop,
    stream: (receive, closed) => session.stream(receive, closed),
  } satisfies Runtime);
  Object.defineProperty(window, "__STAYSAIL__", { value: runtime });
}

/** The mouse drags, rather than clicks, once it has gone this far with its button down. */
const DRAG_DISTANCE_PX = 4;

/**
 * `data-staysail-drag` makes an element the title bar of a window without one: it drags the window, and a double click
 * fills the screen. Controls inside it work as ever.
 *
 * A press alone does not begin to drag: the window manager would take the mouse, and with it the second press of a double
 * click; told too late, after the release, it would hold on to the window until the next one.
 */
function dragByRegions(desktop: (feature: string, args?: object) => Promise<unknown>): void {
  const failed = (reason: unknown): void => reportError(reason);
  let from: { x: number; y: number } | null = null;
  addEventListener("mousedown", (event) => {
    from = null;
    if (event.button !== 0 || event.defaultPrevented || !event.isTrusted || !(event.target instanceof Element)) return;
    const near = event.target.closest("[data-staysail-drag], a, button, input, select, textarea, summary, [contenteditable], [data-staysail-no-drag]");
    if (!near?.hasAttribute("data-staysail-drag")) return;
    event.preventDefault();
    if (event.detail !== 2) {
      from = { x: event.screenX, y: event.screenY };
      return;
    }
    natives.settle(
      desktop("window.state"),
      (state) => natives.settle(desktop("window.set", { change: { maximized: !natives.own(state, "maximized") } }), () => {}, failed),
      failed,
    );
  });
  addEventListener("mousemove", (event) => {
    if (!from || !event.isTrusted) return;
    const is_down = (event.buttons & 1) === 1;
    if (is_down && Math.hypot(event.screenX - from.x, event.screenY - from.y) < DRAG_DISTANCE_PX) return;
    from = null;
    if (is_down) natives.settle(desktop("window.start_dragging"), () => {}, failed);
  });
  addEventListener("mouseup", () => (from = null));
}

/** Calls `then` when the page is loaded and its first frame is painted. */
function afterPaint(then: () => void): void {
  const loaded = (): void => {
    let over = false;
    const end = (): void => {
      if (over) return;
      over = true;
      then();
    };
    requestAnimationFrame(() => requestAnimationFrame(end));
    natives.later(end, PAINT_MS_MAX);
  };
  if (document.readyState === "complete") loaded();
  else addEventListener("load", loaded, { once: true });
}

if (window.top === window) {
  const here = IN_TAB ? openTab() : boot;
  if (here.allowed.includes(`${location.protocol}//${location.host}`)) start(here);
}

/**
 * Runs in the page while developing: shows the backend's compile errors in Vite's own overlay, and makes up for what Vite
 * sent before the page could hear it.
 *
 * The overlay is put there and taken away by hand. Vite's own error message would do for the first half, but the only
 * message that takes an error away again reloads the page when it is the first one (vite/client, `isFirstUpdate`).
 */
import type { Shown } from "./index.js";
import type { Present } from "./late.js";

interface Hot {
  on(event: string, handler: (payload: never) => void): void;
  send(event: string): void;
}

/** Vite's element, or none where it is switched off. */
type Overlay = new (error: object) => HTMLElement;

export function start(hot: Hot, ErrorOverlay: Overlay | undefined): void {
  const loaded = loadedFrom();
  let heard = 0;
  const hear = (): void => void (heard += 1);

  let shown: HTMLElement | null = null;
  hot.on("staysail:backend", (error: Shown | null) => {
    shown?.remove();
    shown = null;
    if (!error || !ErrorOverlay) return;
    shown = new ErrorOverlay(error);
    document.body.append(shown);
  });
  hot.on("staysail:present", ({ server, changes, mistake }: Present) => {
    if (server === loaded?.server && changes > loaded.changes + heard) loadAgain(`${server} ${changes}`);
    else if (mistake && ErrorOverlay && !document.querySelector("vite-error-overlay")) {
      document.body.append(new ErrorOverlay(mistake));
    }
  });
  // Whatever was said before this page was connected, it has missed; and so has it what was said before its modules have
  // run: Vite's client passes over those it does not know yet.
  hot.send("staysail:hello");
  const whole = (): void => {
    hot.on("vite:beforeUpdate", hear);
    hot.on("vite:beforeFullReload", hear);
    hot.send("staysail:hello");
  };
  if (document.readyState === "complete") whole();
  else addEventListener("load", whole, { once: true });
}

/** What the page's files were made from: `transformIndexHtml` of `index.ts` writes it into the tag of this script. */
function loadedFrom(): { server: string; changes: number } | null {
  const [server, changes] = document.querySelector<HTMLElement>("script[data-staysail]")?.dataset["staysail"]?.split(" ") ?? [];
  return server && changes ? { server, changes: Number(changes) } : null;
}

/** Once for each count: a page that is kept somewhere on the way (a service worker) comes out no newer. */
function loadAgain(count: string): void {
  const KEY = "staysail:loaded-again";
  if (sessionStorage.getItem(KEY) === count) return;
  sessionStorage.setItem(KEY, count);
  location.reload();
}

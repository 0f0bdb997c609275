/**
 * Runs in the page while developing: shows the backend's compile errors in Vite's own overlay.
 *
 * The overlay is put there and taken away by hand. Vite's own error message would do for the first half, but the only
 * message that takes an error away again reloads the page when it is the first one (vite/client, `isFirstUpdate`).
 */
import type { Shown } from "./index.js";

interface Hot {
  on(event: string, handler: (payload: never) => void): void;
  send(event: string): void;
}

/** Vite's element, or none where it is switched off. */
type Overlay = new (error: object) => HTMLElement;

export function start(hot: Hot, ErrorOverlay: Overlay | undefined): void {
  let shown: HTMLElement | null = null;
  hot.on("staysail:backend", (error: Shown | null) => {
    shown?.remove();
    shown = null;
    if (!error || !ErrorOverlay) return;
    shown = new ErrorOverlay(error);
    document.body.append(shown);
  });
  // A page that was loaded while the backend is broken has missed the message.
  hot.send("staysail:hello");
}

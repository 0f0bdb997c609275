/** Exchanges style sheets and images in place: the new sheet is loaded beside the old one, which goes when it has come. */
import { exchangeImage, isImage } from "./images";

const EXCHANGE_MS_MAX = 3_000;
let exchanges = 0;

/** Calls `done` when all are in place; `unknown` when the page names one of them nowhere. */
export function exchange(paths: readonly string[], done: () => void, unknown: () => void): void {
  const links = new Set<HTMLLinkElement>();
  for (const path of paths) {
    if (isImage(path)) {
      if (!exchangeImage(path)) return unknown();
      continue;
    }
    const users = stylesheetLinks().filter((link) => uses(link, path));
    if (users.length === 0) return unknown();
    for (const link of users) links.add(link);
  }
  let open = links.size;
  if (open === 0) return done();
  const over = (): void => {
    open -= 1;
    if (open === 0) done();
  };
  for (const link of links) replace(link, over);
}

function stylesheetLinks(): HTMLLinkElement[] {
  return Array.from(document.querySelectorAll<HTMLLinkElement>("link[rel~=stylesheet][href]"));
}

function uses(link: HTMLLinkElement, path: string): boolean {
  return samePath(link.href, path) || imports(link.sheet, path);
}

function imports(sheet: CSSStyleSheet | null, path: string, depth = 0): boolean {
  if (!sheet || depth > 8) return false;
  try {
    return Array.from(sheet.cssRules).some(
      (rule) =>
        rule instanceof CSSImportRule &&
        (samePath(new URL(rule.href, sheet.href ?? document.baseURI).href, path) || imports(rule.styleSheet, path, depth + 1)),
    );
  } catch {
    return false; // A sheet of another origin shows nothing of itself.
  }
}

function samePath(address: string, path: string): boolean {
  const url = new URL(address, document.baseURI);
  return url.host === location.host && decodeURI(url.pathname) === decodeURI(path);
}

function replace(old: HTMLLinkElement, over: () => void): void {
  const next = old.cloneNode() as HTMLLinkElement;
  const url = new URL(old.href);
  url.searchParams.set("staysail", String(++exchanges));
  next.href = url.href;
  let ended = false;
  const end = (loaded: boolean): void => {
    if (ended) return;
    ended = true;
    clearTimeout(timer);
    (loaded ? old : next).remove();
    over();
  };
  const timer = setTimeout(() => end(true), EXCHANGE_MS_MAX);
  next.addEventListener("load", () => end(true));
  next.addEventListener("error", () => end(false));
  old.after(next);
}

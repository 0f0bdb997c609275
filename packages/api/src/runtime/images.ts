/**
 * Exchanges images in place: whatever names the file gets an address that no cache knows, and the browser shows the old
 * image until the new one has come.
 */

const IMAGE = /\.(?:avif|bmp|gif|ico|jpe?g|png|svg|webp)$/i;
/** Attributes with one address, and with a list of them (`srcset`). */
const NAMES = [
  ["img, input[type=image], source", "src"],
  ["video", "poster"],
  ["link[rel~=icon], link[rel~=apple-touch-icon], image, use", "href"],
  ["object", "data"],
] as const;
const LISTS = ["img[srcset]", "source[srcset]"].join();
const RULES_DEPTH_MAX = 8;
let exchanges = 0;

export const isImage = (path: string): boolean => IMAGE.test(path);

/** Exchanges one image; `false` when nothing of the page names it, so that only a script may know it. */
export function exchangeImage(path: string): boolean {
  const mark = `staysail=i${++exchanges}`;
  let found = false;
  /** The marked address when it is this image's, without the mark of the exchange before. */
  const marked = (address: string, base: string): string | null => {
    let url: URL;
    try {
      url = new URL(address, base);
    } catch {
      return null;
    }
    if (url.host !== location.host || decodeURI(url.pathname) !== decodeURI(path)) return null;
    found = true;
    const rest = url.search.slice(1).split("&").filter((part) => part && !part.startsWith("staysail="));
    url.search = [...rest, mark].join("&");
    return url.href;
  };
  const base = document.baseURI;
  for (const [selector, name] of NAMES) {
    for (const element of document.querySelectorAll(selector)) {
      const next = marked(element.getAttribute(name) ?? "", base);
      if (next) element.setAttribute(name, next);
    }
  }
  for (const element of document.querySelectorAll(LISTS)) {
    const list = element.getAttribute("srcset") ?? "";
    const next = list.replace(/(^|,\s*)([^\s,]+)/g, (all, before: string, address: string) => {
      const one = marked(address, base);
      return one ? before + one : all;
    });
    if (next !== list) element.setAttribute("srcset", next);
  }
  const inStyle = (style: CSSStyleDeclaration, from: string): void => {
    for (const name of Array.from(style)) {
      const value = style.getPropertyValue(name);
      if (!value.includes("url(")) continue;
      const next = value.replace(/url\((["']?)([^"')]+)\1\)/g, (all, _quote: string, address: string) => {
        const one = marked(address, from);
        return one ? `url("${one}")` : all;
      });
      if (next !== value) style.setProperty(name, next, style.getPropertyPriority(name));
    }
  };
  const inRules = (sheet: CSSStyleSheet | CSSGroupingRule, from: string, depth: number): void => {
    let rules: CSSRule[];
    try {
      rules = Array.from(sheet.cssRules ?? []);
    } catch {
      return; // A sheet of another origin shows nothing of itself.
    }
    for (const rule of rules) {
      if ("style" in rule) inStyle(rule.style as CSSStyleDeclaration, from);
      if (depth >= RULES_DEPTH_MAX) continue;
      if ("styleSheet" in rule && rule.styleSheet) {
        const imported = rule.styleSheet as CSSStyleSheet;
        inRules(imported, imported.href ?? from, depth + 1);
      } else if ("cssRules" in rule) inRules(rule as CSSGroupingRule, from, depth + 1);
    }
  };
  for (const sheet of Array.from(document.styleSheets)) inRules(sheet, sheet.href ?? base, 0);
  for (const element of document.querySelectorAll<HTMLElement>("[style*='url(']")) inStyle(element.style, base);
  return found;
}

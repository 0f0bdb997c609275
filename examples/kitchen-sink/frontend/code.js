// The code beside a demo: cut out of the file that runs, so that it can not be out of date.
import { clipboard, invoke } from "/__staysail/api.js";
import { element } from "/element.js";

const KEYWORDS = new Set(
  ("as async await break class const continue else enum export extends fn for from function if impl import in let match mod move mut new " +
    "null of pub return self Self static struct throw true false try catch use while").split(" "),
);
const TOKENS = {
  js: /(\/\/[^\n]*|<!--[\s\S]*?-->)|("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])*'|`(?:\\.|[^`\\])*`)|\b(\d[\d._]*)\b|([A-Za-z_]\w*)/g,
  rs: /(\/\/[^\n]*)|("(?:\\.|[^"\\])*"|'(?:\\.|[^'\\])')|\b(\d[\d._]*)\b|(#!?\[[^\]]*\]|'?[A-Za-z_]\w*)/g,
  toml: /(#[^\n]*)|("[^"]*")|\b(\d+)\b|(\[\[?[\w.]+\]\]?)/g,
};

function kind([, comment, string, number, word]) {
  if (comment) return "comment";
  if (string) return "string";
  if (number) return "number";
  return word.startsWith("#") || word.startsWith("[") || KEYWORDS.has(word) ? "keyword" : null;
}

/** Line by line; what does not fit goes on further to the right. */
function highlighted(text, language) {
  const lines = text.split("\n").map((line) => {
    const shown = element("span", { class: "line" });
    const indent = line.match(/^ */)[0];
    shown.style.setProperty("--indent", `${indent.length}ch`);
    shown.append(element("span", { class: "indent" }, indent));
    let end = indent.length;
    for (const match of line.matchAll(TOKENS[language] ?? TOKENS.js)) {
      const name = kind(match);
      if (!name) continue;
      shown.append(line.slice(end, match.index), element("span", { class: name }, match[0]));
      end = match.index + match[0].length;
    }
    shown.append(line.slice(end) || (line ? "" : " "));
    return shown;
  });
  return element("code", {}, ...lines);
}

/** The lines between `#region name` and `#endregion`, moved to the left. */
export function region(text, name) {
  const lines = text.split("\n");
  const start = lines.findIndex((line) => line.trim().match(/#region (\S+)/)?.[1] === name);
  const length = lines.slice(start + 1).findIndex((line) => line.includes("#endregion"));
  if (start < 0 || length < 0) throw new Error(`there is no region ${name}`);
  const found = lines.slice(start + 1, start + 1 + length);
  const indent = Math.min(...found.filter((line) => line.trim()).map((line) => line.match(/^ */)[0].length));
  return found.map((line) => line.slice(indent)).join("\n");
}

async function source(path) {
  if (path.startsWith("backend/")) {
    const text = await invoke("source", { path });
    if (text === null) throw new Error(`there is no file ${path}`);
    return text;
  }
  const response = await fetch(path.replace(/^frontend/, ""));
  if (!response.ok) throw new Error(`there is no file ${path}`);
  return response.text();
}

const NAMES = { js: "JavaScript", rs: "Rust", html: "HTML", toml: "staysail.toml" };

/** What a demo shows of its code: its own file, further files, and what the page needs leave for. */
export function listings(section, { id, code = [], needs = [], settings = "" }) {
  const own = { path: `frontend/sections/${section}.js`, name: id };
  const more = code.map((place) => ({ path: place.split("#")[0], name: place.split("#")[1] ?? id }));
  const capability = `[[capabilities]]\nwindows = ["main"]\nallow = [${needs.map((name) => `"${name}"`).join(", ")}]`;
  const toml = [needs.length ? capability : "", settings].filter(Boolean).join("\n");
  return [
    ...[own, ...more].map(({ path, name }) => ({ path, text: () => source(path).then((text) => region(text, name)) })),
    ...(toml ? [{ path: "staysail.toml", text: async () => toml }] : []),
  ].map((listing) => ({ ...listing, language: listing.path.split(".").pop() }));
}

/** A panel with a tab for each listing. */
export function panel(key, all) {
  const body = element("div", { class: "listing", role: "tabpanel", id: `${key}-code`, tabindex: "0" });
  const path = element("span", { class: "path" });
  const copy = element("button", { type: "button", class: "quiet", onclick: () => void copyText() }, "Copy");
  let text = "";

  const copyText = async () => {
    await clipboard.writeText(text);
    copy.textContent = "Copied";
    setTimeout(() => (copy.textContent = "Copy"), 1500);
  };
  const show = async (listing, tab) => {
    for (const other of tabs) {
      other.setAttribute("aria-selected", String(other === tab));
      other.tabIndex = other === tab ? 0 : -1;
    }
    body.setAttribute("aria-labelledby", tab.id);
    path.textContent = listing.path.split("/").slice(-2).join("/");
    path.title = listing.path;
    try {
      text = await listing.text();
      body.replaceChildren(element("pre", {}, highlighted(text, listing.language)));
    } catch (error) {
      body.replaceChildren(element("p", { class: "error" }, `The code can not be shown: ${error.message ?? error}`));
    }
  };
  const isOneOfMany = ({ language }) => all.filter((other) => other.language === language).length > 1;
  const tabs = all.map((listing, number) =>
    element(
      "button",
      {
        type: "button",
        role: "tab",
        id: `${key}-tab-${number}`,
        "aria-controls": `${key}-code`,
        onclick: (event) => void show(listing, event.currentTarget),
      },
      number > 0 && isOneOfMany(listing) ? listing.path.split("/").pop() : NAMES[listing.language],
    ),
  );
  const keys = (event) => {
    const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
    if (!step) return;
    event.preventDefault();
    const next = tabs[(tabs.indexOf(document.activeElement) + step + tabs.length) % tabs.length];
    next.focus();
    next.click();
  };
  void show(all[0], tabs[0]);
  return element(
    "div",
    { class: "code" },
    element("header", {}, element("div", { role: "tablist", "aria-label": "Code", onkeydown: keys }, ...tabs), path, copy),
    body,
  );
}

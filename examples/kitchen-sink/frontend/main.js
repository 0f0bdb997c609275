// The page around the sections: the list of features, the one that is shown, theme and backend.
import { currentWindow, invoke, onBackend } from "/__staysail/api.js";
import { draw } from "/demo.js";
import { element } from "/element.js";
import { groups } from "/sections/index.js";

const at = (id) => document.getElementById(id);
const [filter, features, jump, theme, backend, content] = ["filter", "features", "jump", "theme", "backend", "content"].map(at);
const sections = groups.flatMap((group) => group.sections);
const drawn = new Map();
const nothing = element("p", { role: "status", hidden: true }, "No feature is called that.");

function fill() {
  for (const { title, sections } of groups) {
    const link = ({ id, title }) => element("li", {}, element("a", { href: `#${id}` }, title));
    features.append(element("div", {}, element("h2", {}, title), element("ul", {}, ...sections.map(link))));
    jump.append(element("optgroup", { label: title }, ...sections.map(({ id, title }) => element("option", { value: id }, title))));
  }
  features.append(nothing);
}

function go(move_focus) {
  const section = sections.find(({ id }) => id === location.hash.slice(1)) ?? sections[0];
  if (!drawn.has(section.id)) {
    drawn.set(section.id, draw(section));
    content.append(drawn.get(section.id));
  }
  for (const [id, node] of drawn) node.hidden = id !== section.id;
  for (const link of features.querySelectorAll("a")) {
    if (link.hash.slice(1) === section.id) {
      link.setAttribute("aria-current", "page");
      link.scrollIntoView({ block: "nearest" });
    } else {
      link.removeAttribute("aria-current");
    }
  }
  jump.value = section.id;
  document.title = `${section.title} – Kitchen Sink`;
  if (!move_focus) return;
  content.scrollTop = 0;
  at(`heading-${section.id}`).focus();
}

function search() {
  const words = filter.value.toLowerCase().split(/\s+/).filter(Boolean);
  const fits = ({ title, about, demos }) => {
    const said = ({ id, title, about, actions = [], needs = [] }) => [id, title, about, ...actions.map(({ label }) => label), ...needs];
    const text = [title, about, ...demos.flatMap(said)].join(" ").toLowerCase();
    return words.every((word) => text.includes(word));
  };
  for (const link of features.querySelectorAll("a")) {
    link.parentElement.hidden = !fits(sections.find(({ id }) => id === link.hash.slice(1)));
  }
  for (const group of features.querySelectorAll("div")) group.hidden = !group.querySelector("li:not([hidden])");
  nothing.hidden = features.querySelector("li:not([hidden])") !== null;
}

async function sayWhoServes(news = "") {
  try {
    const [, process] = await invoke("pace");
    backend.textContent = `Backend process ${process}${news}`;
  } catch (error) {
    backend.textContent = error.message;
  }
}

fill();
go(false);
addEventListener("hashchange", () => go(true));
jump.addEventListener("change", () => (location.hash = jump.value));
filter.addEventListener("input", search);
theme.addEventListener("change", () => void currentWindow.set({ theme: theme.value }));
document.querySelector(".skip").addEventListener("click", (event) => {
  event.preventDefault();
  content.focus();
});
void sayWhoServes();
onBackend((event) => {
  if (event.kind === "swapped") void sayWhoServes(`, exchanged in ${event.milliseconds} ms`);
  else if (event.kind === "restarted" || event.kind === "returned") void sayWhoServes(", back again");
  else backend.textContent = event.reason;
});

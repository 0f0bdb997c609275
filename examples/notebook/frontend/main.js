// Notebook's page. State that matters (open note, search, unsaved text) is the backend's declared state; cursor and
// scroll are kept over reloads by `preserve`.
import { invoke, listen, preserve } from "/__staysail/api.js";

const at = (id) => document.getElementById(id);
const [query, list, text, page, desk, saved, news] = ["query", "list", "text", "page", "desk", "saved", "news"].map(at);

const SAVE_AFTER_MS = 700;
let open = null;
let dirty = false;
let saving;
let newest = 0;
let version = "";
let pending;

const problem = (error) => {
  saved.textContent = error?.details?.message ?? error?.message ?? String(error);
};

function entry(name, pieces) {
  const item = document.createElement("li");
  item.tabIndex = 0;
  item.dataset.name = name;
  item.setAttribute("aria-current", String(name === open));
  const title = item.appendChild(document.createElement("strong"));
  title.textContent = name;
  const line = item.appendChild(document.createElement("p"));
  for (const { text: part, hit } of pieces) {
    const node = hit ? document.createElement("mark") : document.createTextNode("");
    node.textContent = part;
    line.append(node);
  }
  return item;
}

async function fill() {
  const number = ++newest;
  const words = query.value.trim();
  try {
    const found = words
      ? (await invoke("search", { query: words })).map((hit) => entry(hit.name, hit.snippet))
      : (await invoke("list_notes")).map((note) => entry(note.name, [{ text: note.preview, hit: false }]));
    if (number !== newest) return;
    if (!words) await invoke("search", { query: "" });
    if (found.length === 0) {
      const empty = document.createElement("li");
      empty.className = "empty";
      empty.textContent = words ? "Nothing holds these words." : "No notes yet.";
      found.push(empty);
    }
    list.replaceChildren(...found);
  } catch (error) {
    problem(error);
  }
}

async function draw() {
  const source = text.value;
  try {
    const html = await invoke("render", { text: source });
    if (source !== text.value) return;
    const at = page.scrollTop;
    page.innerHTML = html;
    page.scrollTop = at;
  } catch (error) {
    problem(error);
  }
}

async function show(name) {
  if (dirty) await save();
  try {
    const note = await invoke("read_note", { name });
    open = note.name;
    text.value = note.text;
    at("name").textContent = note.name;
    saved.textContent = "";
    for (const item of list.children) item.setAttribute("aria-current", String(item.dataset.name === open));
    await draw();
  } catch (error) {
    problem(error);
  }
}

async function save() {
  clearTimeout(saving);
  if (!open || !dirty) return;
  const [name, content] = [open, text.value];
  dirty = false;
  try {
    const note = await invoke("save_note", { name, text: content });
    saved.textContent = `Saved · ${note.words} words`;
  } catch (error) {
    dirty = true;
    problem(error);
  }
}

function typed() {
  dirty = true;
  saved.textContent = "…";
  invoke("keep_typing", { name: open ?? "", text: text.value }).catch(problem);
  draw();
  clearTimeout(saving);
  saving = setTimeout(save, SAVE_AFTER_MS);
}

async function create() {
  try {
    const note = await invoke("create_note");
    query.value = "";
    await fill();
    await show(note.name);
    text.focus();
  } catch (error) {
    problem(error);
  }
}

async function remove() {
  if (!open) return;
  try {
    await invoke("delete_note", { name: open });
    dirty = false;
    open = null;
    await fill();
    const next = list.querySelector("[data-name]");
    if (next) await show(next.dataset.name);
  } catch (error) {
    problem(error);
  }
}

function preview(on) {
  desk.classList.toggle("alone", !on);
  at("preview").setAttribute("aria-pressed", String(on));
}

function theme(name) {
  document.documentElement.dataset.theme = name;
}

async function about(what) {
  try {
    const { version: live, tagline, process } = await invoke("about");
    version = live;
    at("tagline").textContent = tagline;
    at("about").textContent = `version ${live} · backend ${process}`;
    if (what) {
      news.textContent = `${what} at ${new Date().toLocaleTimeString()}`;
      at("pulse").classList.remove("beat");
      void at("pulse").offsetWidth;
      at("pulse").classList.add("beat");
    }
  } catch (error) {
    problem(error);
  }
}

text.addEventListener("input", typed);
query.addEventListener("input", fill);
at("new").addEventListener("click", create);
at("delete").addEventListener("click", remove);
at("preview").addEventListener("click", () => preview(desk.classList.contains("alone")));
list.addEventListener("click", (event) => {
  const name = event.target.closest("[data-name]")?.dataset.name;
  if (name) show(name);
});
list.addEventListener("keydown", (event) => {
  if (event.key === "Enter") event.target.closest("[data-name]")?.click();
});
addEventListener("keydown", (event) => {
  if (event.key === "Escape") text.focus();
  if (!event.ctrlKey && !event.metaKey) return;
  const action = {
    n: create,
    f: () => query.select(),
    k: () => query.select(),
    s: save,
    p: () => preview(desk.classList.contains("alone")),
    d: () => theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark"),
  }[event.key.toLowerCase()];
  if (action) {
    event.preventDefault();
    action();
  }
});

const said = {
  swapped: "New backend live",
  returned: "Back on the backend before",
  restarted: "Backend started again",
};
listen("staysail:worker", (event) => said[event.kind] && about(said[event.kind]));
listen("staysail:page", (event) => event.kind === "styles" && about("New styles live"));
listen("staysail:update", (event) => {
  if (event.kind === "available") news.textContent = `Version ${event.version} is on its way…`;
  if (event.kind === "applied") about(`Version ${event.version} live`);
  if (event.kind === "rolled_back") about(`Version ${event.version} failed, ${event.to} is back`);
});

theme(matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light");
preserve("notebook", {
  save: () => ({
    preview: !desk.classList.contains("alone"),
    theme: document.documentElement.dataset.theme,
    version,
    start: text.selectionStart,
    end: text.selectionEnd,
    typing: document.activeElement === text,
    scroll: text.scrollTop,
  }),
  restore: (state) => {
    preview(state.preview);
    theme(state.theme);
    pending = state;
  },
});

const session = await invoke("session").catch(() => ({ open: null, query: "" }));
query.value = session.query;
await fill();
const first = session.open ?? list.querySelector("[data-name]")?.dataset.name;
if (first) await show(first);
if (pending) {
  text.setSelectionRange(pending.start, pending.end);
  text.scrollTop = pending.scroll;
  if (pending.typing) text.focus();
} else {
  text.focus();
}
await about();
if (pending?.version && pending.version !== version) await about(`Version ${version} live`);

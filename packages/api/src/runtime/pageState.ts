/**
 * What survives a reload: form fields with their selection, focus, scroll, and what `preserve` hooks say. It travels
 * through the shell, so that it also survives a change of everything else.
 */
import type { PreserveHooks } from "../native";

/** Fields that appear this long after the load are still filled in. */
const LATE_FIELDS_MS = 2000;

interface Field {
  at: string;
  value?: string;
  checked?: boolean;
  chosen?: number[];
  selection?: [number, number];
}

interface State {
  path: string;
  fields: Field[];
  focus: string | null;
  scroll: [string, number, number][];
  hooks: Record<string, unknown>;
}

type Control = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement | HTMLElement;

const CONTROLS = "input, textarea, select, [contenteditable='true'], [contenteditable='']";
const hooks = new Map<string, PreserveHooks<unknown>>();
let kept: State | null = null;

/** A selector that finds this element again after a reload. */
function place(element: Element): string {
  if (element.id) return "#" + CSS.escape(element.id);
  const name = element.getAttribute("name");
  if (name) {
    const selector = `${element.localName}[name="${CSS.escape(name)}"]`;
    const value = element instanceof HTMLInputElement && element.type === "radio" ? element.value : null;
    const exact = value === null ? selector : `${selector}[value="${CSS.escape(value)}"]`;
    if (document.querySelectorAll(exact).length === 1) return exact;
  }
  const parent = element.parentElement;
  if (!parent) return element.localName;
  const index = Array.prototype.indexOf.call(parent.children, element) + 1;
  return `${place(parent)} > :nth-child(${index})`;
}

function read(control: Control): Field | null {
  const at = place(control);
  if (control instanceof HTMLSelectElement) {
    return { at, chosen: [...control.selectedOptions].map((option) => option.index) };
  }
  if (control instanceof HTMLInputElement) {
    if (control.type === "password" || control.type === "file" || control.type === "hidden") return null;
    if (control.type === "checkbox" || control.type === "radio") return { at, checked: control.checked };
  }
  if (control instanceof HTMLInputElement || control instanceof HTMLTextAreaElement) {
    const field: Field = { at, value: control.value };
    try {
      if (control.selectionStart !== null) field.selection = [control.selectionStart, control.selectionEnd ?? 0];
    } catch {
      // Some input types have no selection.
    }
    return field;
  }
  return { at, value: control.innerText };
}

function write(field: Field): boolean {
  const control = document.querySelector<Control>(field.at);
  if (!control) return false;
  if (control instanceof HTMLSelectElement) {
    for (const option of control.options) option.selected = field.chosen?.includes(option.index) ?? false;
  } else if (field.checked !== undefined && control instanceof HTMLInputElement) {
    control.checked = field.checked;
  } else if (control instanceof HTMLInputElement || control instanceof HTMLTextAreaElement) {
    if (control.value !== field.value) {
      control.value = field.value ?? "";
      control.dispatchEvent(new Event("input", { bubbles: true }));
    }
    try {
      if (field.selection) control.setSelectionRange(...field.selection);
    } catch {
      // Some input types have no selection.
    }
  } else {
    control.innerText = field.value ?? "";
  }
  return true;
}

/** Everything worth keeping, as JSON. */
export function collect(): string {
  const scroll: State["scroll"] = [["", scrollX, scrollY]];
  for (const element of document.querySelectorAll("*")) {
    if (element.scrollTop || element.scrollLeft) scroll.push([place(element), element.scrollLeft, element.scrollTop]);
  }
  const said: Record<string, unknown> = {};
  for (const [key, hook] of hooks) {
    try {
      said[key] = hook.save();
    } catch (error) {
      console.error(`preserve("${key}") failed to save`, error);
    }
  }
  const fields = [...document.querySelectorAll<Control>(CONTROLS)].map(read).filter((field) => field !== null);
  const active = document.activeElement;
  const focus = active && active !== document.body ? place(active) : null;
  const state: State = { path: location.pathname, fields, focus, scroll, hooks: said };
  return JSON.stringify(state);
}

/** Takes the state kept over the reload that made this page. */
export function restore(state: unknown): void {
  if (!state) return;
  kept = state as State;
  for (const key of hooks.keys()) giveBack(key);
  const fill = () => fillIn(kept as State);
  if (document.readyState === "loading") addEventListener("DOMContentLoaded", fill, { once: true });
  else fill();
}

function giveBack(key: string): void {
  if (!kept || !(key in kept.hooks)) return;
  const value = kept.hooks[key];
  delete kept.hooks[key];
  try {
    hooks.get(key)?.restore(value);
  } catch (error) {
    console.error(`preserve("${key}") failed to restore`, error);
  }
}

export function preserve(key: string, hook: PreserveHooks<unknown>): void {
  hooks.set(key, hook);
  giveBack(key);
}

function fillIn(state: State): void {
  if (state.path !== location.pathname) return;
  let fields = state.fields;
  let scroll = state.scroll;
  const attempt = () => {
    fields = fields.filter((field) => !write(field));
    if (state.focus && document.activeElement === document.body) {
      document.querySelector<HTMLElement>(state.focus)?.focus({ preventScroll: true });
    }
    scroll = scroll.filter(([at, left, top]) => {
      if (!at) {
        scrollTo(left, top);
        return scrollY !== top;
      }
      const element = document.querySelector(at);
      if (!element) return true;
      element.scrollTo(left, top);
      return element.scrollTop !== top;
    });
  };
  attempt();
  // Frameworks render late, and layout comes after them.
  const observer = new MutationObserver(() => {
    attempt();
    if (fields.length === 0 && scroll.length === 0) observer.disconnect();
  });
  observer.observe(document.documentElement, { childList: true, subtree: true });
  const stop = () => observer.disconnect();
  addEventListener("load", attempt, { once: true });
  addEventListener("input", (event) => event.isTrusted && stop(), { once: true, capture: true });
  setTimeout(stop, LATE_FIELDS_MS);
}

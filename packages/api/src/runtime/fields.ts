/** Form fields by a name that survives a reload: id, else form and name, else the place in the document. */

export type FieldValue = string | boolean | readonly string[];
type Field = HTMLInputElement | HTMLTextAreaElement | HTMLSelectElement | HTMLElement;

const SKIPPED = ["password", "file", "hidden", "submit", "button", "image", "reset"];
const SELECTOR = "input,textarea,select,[contenteditable]";

const setterOf = (prototype: object, name: string) => Object.getOwnPropertyDescriptor(prototype, name)?.set;
const setInput = setterOf(HTMLInputElement.prototype, "value");
const setChecked = setterOf(HTMLInputElement.prototype, "checked");
const setArea = setterOf(HTMLTextAreaElement.prototype, "value");

/** Fields whose content may be kept. `data-staysail-keep="off"` on a field or around it leaves it alone. */
export function isKept(element: Element | null): element is Field {
  if (!element?.matches(SELECTOR) || element.closest('[data-staysail-keep="off"]')) return false;
  if (element instanceof HTMLInputElement) return !SKIPPED.includes(element.type) && element.autocomplete !== "one-time-code";
  return element.getAttribute("contenteditable") !== "false";
}

export function fields(): Field[] {
  return Array.from(document.querySelectorAll(SELECTOR)).filter(isKept);
}

/** The name of an element. */
export function nameOf(element: Element): string {
  if (element.id) return "#" + element.id;
  const name = element.getAttribute("name");
  if (name) {
    const same = Array.from(document.getElementsByName(name));
    return `@${name}:${same.indexOf(element as HTMLElement)}`;
  }
  const steps: string[] = [];
  let at: Element | null = element;
  while (at && at !== document.body && at !== document.documentElement) {
    if (at.id) return `#${at.id}>${steps.join(">")}`;
    const parent: Element | null = at.parentElement;
    steps.unshift(`${at.localName}:${parent ? Array.from(parent.children).indexOf(at) : 0}`);
    at = parent;
  }
  return ">" + steps.join(">");
}

/** The element of a name in the document as it is now. */
export function find(name: string): HTMLElement | null {
  if (name[0] === "@") {
    const colon = name.lastIndexOf(":");
    return document.getElementsByName(name.slice(1, colon))[Number(name.slice(colon + 1))] ?? null;
  }
  const [root, ...steps] = name.split(">");
  let at: Element | null = root ? document.getElementById(root.slice(1)) : document.body;
  for (const step of steps) {
    const [tag, index] = step.split(":");
    at = at?.children[Number(index)] ?? null;
    if (at?.localName !== tag) return null;
  }
  return at as HTMLElement | null;
}

export function valueOf(field: Field): FieldValue {
  if (field instanceof HTMLSelectElement) return Array.from(field.selectedOptions, (option) => option.value);
  if (field instanceof HTMLTextAreaElement) return field.value;
  if (field instanceof HTMLInputElement) return ticks(field) ? field.checked : field.value;
  return field.innerHTML;
}

/** Whether the content differs from what the page itself put there. */
export function isChanged(field: Field): boolean {
  if (field instanceof HTMLSelectElement) {
    return Array.from(field.options).some((option) => option.selected !== option.defaultSelected);
  }
  if (field instanceof HTMLTextAreaElement) return field.value !== field.defaultValue;
  if (field instanceof HTMLInputElement) {
    return ticks(field) ? field.checked !== field.defaultChecked : field.value !== field.defaultValue;
  }
  return false;
}

/** Puts a value in the way typing does, so that frameworks hear of it. */
export function fill(field: Field, value: FieldValue): void {
  if (same(valueOf(field), value)) return;
  if (field instanceof HTMLSelectElement) {
    if (!Array.isArray(value)) return;
    for (const option of Array.from(field.options)) option.selected = value.includes(option.value);
  } else if (field instanceof HTMLInputElement && ticks(field)) {
    if (typeof value !== "boolean") return;
    setChecked?.call(field, value);
  } else if (typeof value !== "string") {
    return;
  } else if (field instanceof HTMLInputElement) {
    setInput?.call(field, value);
  } else if (field instanceof HTMLTextAreaElement) {
    setArea?.call(field, value);
  } else {
    field.innerHTML = value;
  }
  field.dispatchEvent(new Event("input", { bubbles: true }));
  field.dispatchEvent(new Event("change", { bubbles: true }));
}

const ticks = (field: HTMLInputElement): boolean => field.type === "checkbox" || field.type === "radio";
const same = (a: FieldValue, b: FieldValue): boolean => JSON.stringify(a) === JSON.stringify(b);

/**
 * The page's state over a reload: fields, focus and selection, scroll positions, `preserve` hooks, the route.
 *
 * It travels through the shell, so it survives the end of the web process and a page served from elsewhere.
 * A state made for a reload holds until the page has come up; afterwards it is only good for the same address
 * and for a minute, so that it never comes back over something newer.
 */
import type { PreserveHooks } from "../index";
import { type FieldValue, fields, fill, find, isChanged, isKept, nameOf, valueOf } from "./fields";
import { toJson } from "./json";
import * as natives from "./natives";

const RESTORE_MS_MAX = 2_000;
const STATE_AGE_MS_MAX = 60_000;

interface Kept {
  format: 1;
  reload: boolean;
  at: number;
  path: string;
  hash: string;
  scroll: [number, number];
  scrolled: [string, number, number][];
  fields: [string, FieldValue][];
  focus: { name: string; selection: [number, number] | null } | null;
  preserve: Record<string, unknown>;
}

export class Keeper {
  #hooks = new Map<string, PreserveHooks<never>>();
  #touched = new WeakSet<Element>();
  #kept: Kept | null = null;
  #waiting: Record<string, unknown> = {};
  #report: (message: string) => void;

  constructor(report: (message: string) => void) {
    this.#report = report;
    const touch = (event: Event): void => {
      if (event.isTrusted && event.target instanceof Element) this.#touched.add(event.target);
    };
    for (const type of ["input", "change"]) addEventListener(type, touch, true);
  }

  /** Takes what the shell kept. Call before the page asks for anything. Returns whether it will be restored. */
  accept(value: unknown): boolean {
    if (natives.own(value, "format") !== 1) return false;
    const kept = value as Kept;
    const here = location.pathname + location.search;
    if (!kept.reload && (kept.path !== here || natives.now() - kept.at > STATE_AGE_MS_MAX)) return false;
    if (kept.path !== here || kept.hash !== location.hash) {
      try {
        history.replaceState(history.state, "", kept.path + kept.hash);
      } catch {
        // A page without an origin of its own keeps the address it was loaded from.
      }
    }
    this.#kept = kept;
    this.#waiting = Object.assign(Object.create(null), kept.preserve);
    for (const key of this.#hooks.keys()) this.#hand(key);
    return true;
  }

  preserve(key: string, hooks: PreserveHooks<never>): () => void {
    this.#hooks.set(key, hooks);
    this.#hand(key);
    return () => {
      if (this.#hooks.get(key) === hooks) this.#hooks.delete(key);
    };
  }

  #hand(key: string): void {
    if (!(key in this.#waiting)) return;
    const state = this.#waiting[key];
    delete this.#waiting[key];
    try {
      this.#hooks.get(key)?.restore(state as never);
    } catch (reason) {
      this.#report(`restore of preserve("${key}") failed: ${String(reason)}`);
    }
  }

  /** The whole state now, as JSON. */
  save(reload: boolean): string {
    const preserve: Record<string, unknown> = Object.assign(Object.create(null), this.#waiting);
    for (const [key, hooks] of this.#hooks) {
      try {
        preserve[key] = natives.parse(toJson(hooks.save()) ?? "null");
      } catch (reason) {
        this.#report(`save of preserve("${key}") failed: ${String(reason)}`);
      }
    }
    const changed = fields().filter((field) => this.#touched.has(field) || isChanged(field));
    const kept: Kept = {
      format: 1,
      reload,
      at: natives.now(),
      path: location.pathname + location.search,
      hash: location.hash,
      scroll: [scrollX, scrollY],
      scrolled: Array.from(document.querySelectorAll("[id]"))
        .filter((element) => element.scrollTop !== 0 || element.scrollLeft !== 0)
        .map((element) => [element.id, element.scrollLeft, element.scrollTop]),
      fields: changed.map((field) => [nameOf(field), valueOf(field)]),
      focus: focusNow(),
      preserve,
    };
    return toJson(kept) ?? "null";
  }

  /** The state that was restored, for the time after this page has come up: `null` when there was none. */
  lowered(): string | null {
    return this.#kept && (toJson({ ...this.#kept, reload: false, at: natives.now() }) ?? null);
  }

  /** Puts everything back, and goes on for a bounded time with what the page renders late. */
  restore(): void {
    const kept = this.#kept;
    if (!kept) return;
    const open = new Map(kept.fields);
    let scrolled = kept.scrolled;
    let scroll: [number, number] | null = kept.scroll[0] || kept.scroll[1] ? kept.scroll : null;
    let focus = kept.focus;

    const attempt = (): void => {
      for (const [name, value] of open) {
        const field = find(name);
        if (!isKept(field)) continue;
        open.delete(name);
        if (!this.#touched.has(field)) fill(field, value);
        this.#touched.add(field);
      }
      scrolled = scrolled.filter(([id, x, y]) => {
        const element = document.getElementById(id);
        if (!element || element.scrollHeight - element.clientHeight < y || element.scrollWidth - element.clientWidth < x) return true;
        element.scrollLeft = x;
        element.scrollTop = y;
        return false;
      });
      const page = document.documentElement;
      if (scroll && page.scrollHeight - innerHeight >= scroll[1] && page.scrollWidth - innerWidth >= scroll[0]) {
        scrollTo(scroll[0], scroll[1]);
        scroll = null;
      }
      const target = focus && !open.has(focus.name) ? find(focus.name) : null;
      if (focus && target) {
        if (document.activeElement === document.body || document.activeElement === target || !document.activeElement) {
          focusAgain(target, focus.selection);
        }
        focus = null;
      }
      if (open.size === 0 && scrolled.length === 0 && !scroll && !focus) stop();
    };
    const observer = new MutationObserver(attempt);
    const stop = (): void => {
      observer.disconnect();
      removeEventListener("load", attempt);
      for (const type of ["wheel", "pointerdown", "keydown"]) removeEventListener(type, userScrolls, true);
    };
    // Whoever moves meanwhile is not moved back.
    const userScrolls = (event: Event): void => {
      if (!event.isTrusted) return;
      scroll = null;
      scrolled = [];
      focus = null;
    };
    for (const type of ["wheel", "pointerdown", "keydown"]) addEventListener(type, userScrolls, true);
    observer.observe(document.documentElement, { childList: true, subtree: true, characterData: true });
    addEventListener("load", attempt);
    natives.later(stop, RESTORE_MS_MAX);
    attempt();
  }
}

function focusNow(): Kept["focus"] {
  const element = document.activeElement;
  if (!element || element === document.body || element === document.documentElement) return null;
  let selection: [number, number] | null = null;
  if (element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement) {
    if (element.selectionStart !== null) selection = [element.selectionStart, element.selectionEnd ?? element.selectionStart];
  } else if (isKept(element)) {
    const range = getSelection()?.rangeCount ? getSelection()!.getRangeAt(0) : null;
    if (range && element.contains(range.commonAncestorContainer)) {
      const before = range.cloneRange();
      before.selectNodeContents(element);
      before.setEnd(range.startContainer, range.startOffset);
      const start = before.toString().length;
      selection = [start, start + range.toString().length];
    }
  }
  return { name: nameOf(element), selection };
}

function focusAgain(element: HTMLElement, selection: [number, number] | null): void {
  element.focus({ preventScroll: true });
  if (!selection) return;
  if (element instanceof HTMLInputElement || element instanceof HTMLTextAreaElement) {
    try {
      element.setSelectionRange(selection[0], selection[1]);
    } catch {
      // Fields without text, like numbers, have no selection.
    }
    return;
  }
  const range = document.createRange();
  range.selectNodeContents(element);
  const walker = document.createTreeWalker(element, NodeFilter.SHOW_TEXT);
  let passed = 0;
  let started = false;
  for (let node = walker.nextNode(); node; node = walker.nextNode()) {
    const length = node.textContent?.length ?? 0;
    if (!started && passed + length >= selection[0]) {
      range.setStart(node, selection[0] - passed);
      started = true;
    }
    if (passed + length >= selection[1]) {
      range.setEnd(node, selection[1] - passed);
      break;
    }
    passed += length;
  }
  getSelection()?.removeAllRanges();
  getSelection()?.addRange(range);
}

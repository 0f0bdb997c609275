/**
 * What users see of an update: the element `<staysail-update>`, ready-made, and beneath it {@link watchUpdate} for those who
 * draw their own.
 *
 * # Theory of operation
 * Events of an update are steps; {@link nextUpdateState} folds them into the one state a notice shows. An applied update may
 * load the page again, so the state is kept over reloads: what is new is told by the page that is new. The element never
 * takes the focus, tells screen readers its headline only (not each step of a download), and decides nothing: its buttons
 * are the calls of `update`, what happens without them is the app's policy.
 */
import { preserve, ready, update } from "./index";
import type { Unlisten, UpdateEvent } from "./index";

/** How far an update is. */
export type UpdatePhase =
  /** Nothing to tell. */
  | "idle"
  /** A release was found; its download begins when the policy allows. */
  | "available"
  | "downloading"
  /** Here and verified; it is applied next, when the policy allows or the user says so. */
  | "ready"
  /** It runs. */
  | "applied"
  /** It did not work; the version before runs again. */
  | "returned"
  /** Looking or downloading failed; it is tried again by itself. */
  | "failed";

/** All that a notice shows. */
export interface UpdateState {
  readonly phase: UpdatePhase;
  /** The version it is about. */
  readonly version: string;
  /** Its notes for users, as they were published. */
  readonly notes: string;
  /** Bytes so far. */
  readonly bytes: number;
  /** Bytes in all; 0 while nobody knows. */
  readonly total: number;
  /** At the speed so far; `null` while there is none to tell. */
  readonly secondsLeft: number | null;
  /** What it waits for, or why it failed. */
  readonly reason: string;
}

/** Before anything was heard. */
export const noUpdate: UpdateState = Object.freeze({
  phase: "idle",
  version: "",
  notes: "",
  bytes: 0,
  total: 0,
  secondsLeft: null,
  reason: "",
});

/** The state after an event. */
export function nextUpdateState(before: UpdateState, event: UpdateEvent): UpdateState {
  if (event.kind === "failed") return { ...before, phase: "failed", reason: event.reason };
  // What is not taken, and what is followed, is for those who draw that themselves.
  if (event.kind === "held" || event.kind === "following") return before;
  const same = before.version === event.version;
  const about: UpdateState = same ? before : { ...noUpdate, version: event.version };
  switch (event.kind) {
    case "available":
      return { ...about, phase: "available", notes: event.notes, bytes: 0, total: event.bytes, reason: "" };
    case "progress":
      return { ...about, phase: "downloading", bytes: event.bytes, total: event.total, secondsLeft: event.left_s };
    case "staged":
      return { ...about, phase: "ready", reason: "" };
    case "waiting":
      return { ...about, reason: event.reason };
    case "skipped":
      return noUpdate;
    case "applied":
      return { ...about, phase: "applied", reason: "" };
    case "committed":
      return about.phase === "idle" ? before : { ...about, phase: "applied" };
    case "rolled_back":
      return { ...about, phase: "returned", reason: event.reason };
    default:
      return before;
  }
}

/**
 * Calls `handler` with the state of updates, now and whenever it changes.
 *
 * ```ts
 * const end = watchUpdate(({ phase, version }) => { badge.hidden = phase !== "ready"; badge.title = version; });
 * ```
 */
export function watchUpdate(handler: (state: UpdateState) => void): Unlisten {
  let state = noUpdate;
  const change = (next: UpdateState) => {
    state = next;
    handler(state);
  };
  const ends = [
    update.onEvent((event) => change(nextUpdateState(state, event))),
    preserve<UpdateState>("staysail:update", { save: () => state, restore: change }),
  ];
  if (state === noUpdate) handler(state);
  // A page that comes up while an update is under way begins where that is, and not where the load before it was.
  let ended = false;
  const early = globalThis.document?.readyState !== "complete";
  const begin = () => {
    const counts = !ended && (early || state === noUpdate) && update.story().length > 0;
    if (counts) change(update.story().reduce(nextUpdateState, state));
  };
  void ready.then(begin, () => {});
  return () => {
    ended = true;
    ends.forEach((end) => end());
  };
}

/** The words of a notice in one language. `{version}`, `{done}`, `{total}` and `{left}` are filled in. */
export interface UpdateWords {
  /** Name of the notice, for screen readers. */
  notice: string;
  available: string;
  downloading: string;
  /** Below it: how much. */
  amount: string;
  /** Below it, once the speed is known. */
  amountLeft: string;
  ready: string;
  applied: string;
  returned: string;
  failed: string;
  now: string;
  later: string;
  skip: string;
  news: string;
  close: string;
}

/** Words by language. Add your own: `updateWords.nl = { … }`. What is missing is said in English. */
export const updateWords: Record<string, UpdateWords> = {
  en: {
    notice: "Update",
    available: "Version {version} is available.",
    downloading: "Version {version} is being downloaded.",
    amount: "{done} of {total}",
    amountLeft: "{done} of {total}, {left} left",
    ready: "Version {version} is ready.",
    applied: "This is version {version} now.",
    returned: "Version {version} did not work. The version before runs again.",
    failed: "The update failed. It will be tried again.",
    now: "Update now",
    later: "Later",
    skip: "Skip this version",
    news: "What’s new",
    close: "Close",
  },
  de: {
    notice: "Aktualisierung",
    available: "Version {version} ist verfügbar.",
    downloading: "Version {version} wird geladen.",
    amount: "{done} von {total}",
    amountLeft: "{done} von {total}, noch {left}",
    ready: "Version {version} ist bereit.",
    applied: "Das ist jetzt Version {version}.",
    returned: "Version {version} lief nicht. Die Version davor läuft wieder.",
    failed: "Die Aktualisierung schlug fehl. Sie wird wieder versucht.",
    now: "Jetzt aktualisieren",
    later: "Später",
    skip: "Diese Version überspringen",
    news: "Was ist neu?",
    close: "Schließen",
  },
  fr: {
    notice: "Mise à jour",
    available: "La version {version} est disponible.",
    downloading: "Téléchargement de la version {version}.",
    amount: "{done} sur {total}",
    amountLeft: "{done} sur {total}, encore {left}",
    ready: "La version {version} est prête.",
    applied: "C’est maintenant la version {version}.",
    returned: "La version {version} n’a pas fonctionné. La version précédente est de retour.",
    failed: "La mise à jour a échoué. Elle sera tentée de nouveau.",
    now: "Mettre à jour",
    later: "Plus tard",
    skip: "Ignorer cette version",
    news: "Nouveautés",
    close: "Fermer",
  },
  es: {
    notice: "Actualización",
    available: "La versión {version} está disponible.",
    downloading: "Descargando la versión {version}.",
    amount: "{done} de {total}",
    amountLeft: "{done} de {total}, quedan {left}",
    ready: "La versión {version} está lista.",
    applied: "Esta es ahora la versión {version}.",
    returned: "La versión {version} no funcionó. Vuelve a ejecutarse la anterior.",
    failed: "La actualización falló. Se intentará de nuevo.",
    now: "Actualizar ahora",
    later: "Más tarde",
    skip: "Omitir esta versión",
    news: "Novedades",
    close: "Cerrar",
  },
};

/** The words for a language tag: of `de-AT`, else of `de`, else English. */
export function wordsFor(tag: string): UpdateWords {
  const own = updateWords[tag.toLowerCase()] ?? updateWords[tag.toLowerCase().split("-")[0] ?? ""];
  return { ...(updateWords["en"] as UpdateWords), ...own };
}

const STYLE = `
:host { --staysail-update-background: Canvas; --staysail-update-color: CanvasText; --staysail-update-accent: #0a66c2;
  --staysail-update-accent-color: #fff; --staysail-update-radius: 10px; position: fixed; inset: auto 16px 16px auto; z-index: 2147483000;
  max-inline-size: min(24rem, calc(100vw - 32px)); font: 14px/1.45 system-ui, sans-serif; color-scheme: light dark; }
:host([hidden]), [hidden] { display: none !important; }
section { display: grid; gap: 10px; padding: 14px 16px; color: var(--staysail-update-color); background: var(--staysail-update-background);
  border: 1px solid color-mix(in srgb, currentColor 22%, transparent); border-radius: var(--staysail-update-radius);
  box-shadow: 0 6px 24px rgb(0 0 0 / .22); }
header { display: flex; gap: 8px; align-items: start; justify-content: space-between; }
p { margin: 0; } .headline { font-weight: 600; } .amount { opacity: .8; font-variant-numeric: tabular-nums; }
progress { inline-size: 100%; block-size: 6px; accent-color: var(--staysail-update-accent); }
.notes { max-block-size: 14rem; overflow: auto; white-space: pre-wrap; overflow-wrap: anywhere; }
.buttons { display: flex; flex-wrap: wrap; gap: 8px; }
button { font: inherit; color: inherit; padding: 5px 12px; border-radius: 6px; border: 1px solid color-mix(in srgb, currentColor 30%, transparent);
  background: transparent; cursor: pointer; }
button:focus-visible { outline: 2px solid var(--staysail-update-accent); outline-offset: 2px; }
.now { background: var(--staysail-update-accent); color: var(--staysail-update-accent-color); border-color: transparent; }
.close { border: 0; padding: 0 6px; font-size: 16px; line-height: 1.3; }
@media (prefers-reduced-motion: no-preference) { section { animation: rise .18s ease-out; } @keyframes rise { from { opacity: 0; transform: translateY(6px); } } }
@media (forced-colors: active) { section, button { border-color: ButtonText; } }
`;

/** "Later", where the element says nothing else. */
const LATER_S = 4 * 3600;

/** Which buttons a phase has. */
const BUTTONS: Partial<Record<UpdatePhase, readonly ("now" | "later" | "skip")[]>> = {
  available: ["skip"],
  ready: ["now", "later", "skip"],
};

// Outside of a page (a server that renders, a test) there is nothing to derive from.
const Base = (globalThis.HTMLElement ?? class {}) as typeof HTMLElement;

/**
 * `<staysail-update>`: the notice.
 *
 * | Attribute | |
 * |---|---|
 * | `lang` | its language; otherwise the page's, then the user's |
 * | `later` | seconds that "Later" puts it off; 4 hours |
 * | `show-download` | shows downloads, which are otherwise quiet |
 * | `show-failures` | shows failures, which are otherwise left to the log |
 *
 * Looks: custom properties `--staysail-update-background`, `-color`, `-accent`, `-accent-color`, `-radius`; parts `notice`,
 * `headline`, `amount`, `notes`, `button`; its place is that of any element (`position`, `inset`).
 */
export class UpdateNoticeElement extends Base {
  static readonly observedAttributes = ["lang", "show-download", "show-failures"];

  /** Makes the notes' element of their text; as plain text when absent. */
  renderNotes: ((notes: string) => Node) | null = null;

  #state = noUpdate;
  #closed = "";
  /** Why the last wish was refused. */
  #refused = "";
  #newsOpen = false;
  #end: Unlisten | null = null;
  #root: ShadowRoot | null = null;

  connectedCallback(): void {
    if (!this.#root) {
      this.#root = this.attachShadow({ mode: "open" });
      // A constructed sheet is no inline style: the strictest content policy allows it.
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      this.#root.adoptedStyleSheets = [sheet];
      this.#root.innerHTML =
        '<section part="notice"><header><p class="headline" part="headline" role="status"></p><button class="close" part="button" type="button">×</button></header>' +
        '<p class="amount" part="amount"></p><progress></progress><div class="notes" part="notes" tabindex="0" role="document"></div><div class="buttons"></div></section>';
      this.#find(".close").addEventListener("click", () => this.#close());
      this.#root.addEventListener("keydown", (event) => {
        if ((event as KeyboardEvent).key === "Escape") this.#close();
      });
    }
    this.#end = watchUpdate((state) => {
      this.#state = state;
      this.#refused = "";
      this.#show();
    });
  }

  disconnectedCallback(): void {
    this.#end?.();
    this.#end = null;
  }

  attributeChangedCallback(): void {
    if (this.#end) this.#show();
  }

  #find(selector: string): HTMLElement {
    return (this.#root as ShadowRoot).querySelector(selector) as HTMLElement;
  }

  /** One closing is for one phase of one version. */
  get #topic(): string {
    return `${this.#state.phase} ${this.#state.version}`;
  }

  #close(): void {
    this.#closed = this.#topic;
    this.#show();
  }

  get #language(): string {
    return this.lang || this.closest<HTMLElement>("[lang]")?.lang || navigator.language || "en";
  }

  #shown(): boolean {
    const { phase } = this.#state;
    if (phase === "idle" || this.#closed === this.#topic) return false;
    if (phase === "available" || phase === "downloading") return this.hasAttribute("show-download");
    return phase !== "failed" || this.hasAttribute("show-failures");
  }

  #show(): void {
    this.hidden = !this.#shown();
    if (this.hidden) return;
    const { phase, version, notes, bytes, total, secondsLeft, reason } = this.#state;
    const language = this.#language;
    const words = wordsFor(language);
    const values: Record<string, string> = {
      version,
      done: size(bytes, language),
      total: size(total, language),
      left: secondsLeft === null ? "" : duration(secondsLeft, language),
    };
    const fill = (text: string) => text.replace(/\{(\w+)\}/g, (whole, name: string) => values[name] ?? whole);
    const section = this.#find("section");
    section.setAttribute("aria-label", words.notice);
    section.lang = language;
    const close = this.#find(".close");
    close.setAttribute("aria-label", words.close);
    close.title = words.close;
    // A live region that is written anew is read anew.
    const headline = fill(words[phase as "ready"]);
    if (this.#find(".headline").textContent !== headline) this.#find(".headline").textContent = headline;

    const loading = phase === "downloading";
    const amount = this.#find(".amount");
    // Reasons are written for those who made the app: what it waits for and why it came back is in the state and the log.
    const why = this.#refused || (phase === "failed" ? reason : "");
    amount.textContent = loading && total > 0 ? fill(secondsLeft === null ? words.amount : words.amountLeft) : why;
    amount.hidden = amount.textContent === "";
    const bar = this.#find("progress") as HTMLProgressElement;
    bar.hidden = !loading;
    if (loading && total > 0) {
      bar.max = total;
      bar.value = bytes;
    } else {
      bar.removeAttribute("value");
    }
    bar.setAttribute("aria-label", headline);
    this.#showButtons(words, notes);
  }

  #showButtons(words: UpdateWords, notes: string): void {
    const { phase, version } = this.#state;
    const hasNews = notes.trim() !== "" && (phase === "available" || phase === "ready" || phase === "applied");
    const wanted = [...(BUTTONS[phase] ?? []), ...(hasNews ? (["news"] as const) : [])];
    const box = this.#find(".buttons");
    const there = [...box.children] as HTMLElement[];
    // Kept while they are the same ones: the focus stays where it is.
    if (there.map((button) => button.dataset["does"]).join() !== wanted.join()) {
      box.replaceChildren(...wanted.map((does) => this.#button(does, version)));
      this.#newsOpen &&= hasNews;
    }
    for (const button of [...box.children] as HTMLElement[]) button.textContent = words[button.dataset["does"] as "now"];
    box.hidden = wanted.length === 0;

    const open = hasNews && this.#newsOpen;
    box.querySelector("[data-does=news]")?.setAttribute("aria-expanded", String(open));
    const place = this.#find(".notes");
    place.hidden = !open;
    place.setAttribute("aria-label", words.news);
    if (open) place.replaceChildren(this.renderNotes?.(notes) ?? document.createTextNode(notes.trim()));
  }

  #button(does: "now" | "later" | "skip" | "news", version: string): HTMLElement {
    const button = document.createElement("button");
    button.type = "button";
    button.className = does;
    button.dataset["does"] = does;
    button.setAttribute("part", `button ${does}`);
    button.addEventListener("click", () => {
      if (does === "news") {
        this.#newsOpen = !this.#newsOpen;
        this.#show();
        return;
      }
      const seconds = Number(this.getAttribute("later")) || LATER_S;
      const done = does === "now" ? update.apply() : does === "later" ? update.defer(seconds) : update.skip(version);
      if (does !== "now") this.#close();
      done.catch((error: unknown) => {
        this.#closed = "";
        this.#refused = error instanceof Error ? error.message : String(error);
        this.#show();
      });
    });
    return button;
  }
}

function size(bytes: number, language: string): string {
  const [value, unit] = bytes < 1e6 ? [bytes / 1e3, "kilobyte"] : [bytes / 1e6, "megabyte"];
  return new Intl.NumberFormat(language, { style: "unit", unit, maximumFractionDigits: value < 10 ? 1 : 0 }).format(value);
}

function duration(seconds: number, language: string): string {
  const [value, unit] = seconds < 90 ? [Math.max(1, seconds), "second"] : seconds < 5400 ? [seconds / 60, "minute"] : [seconds / 3600, "hour"];
  return new Intl.NumberFormat(language, { style: "unit", unit, unitDisplay: "long", maximumFractionDigits: 0 }).format(value);
}

if (globalThis.customElements && !customElements.get("staysail-update")) customElements.define("staysail-update", UpdateNoticeElement);

declare global {
  interface HTMLElementTagNameMap {
    "staysail-update": UpdateNoticeElement;
  }
}

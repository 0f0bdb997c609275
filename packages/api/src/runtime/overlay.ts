/**
 * What the shell has to say over the page: in a closed shadow tree, with a constructable style sheet, so that
 * neither the page's styles nor its content security policy reach it. The page stays usable beneath, and
 * focus stays where the user types.
 */
import { render } from "./ansi";
import { own } from "./natives";

const STYLE = `
:host{all:initial;position:fixed!important;inset:auto 0 0 0!important;width:auto!important;height:auto!important;
margin:0!important;padding:0!important;border:0!important;background:none!important;overflow:visible!important;
z-index:2147483647!important;display:block!important;pointer-events:none}
*{box-sizing:border-box}
.panel,.pill{pointer-events:auto;font:14px/1.5 system-ui,-apple-system,"Segoe UI",sans-serif;color:#e8eaf0;
--c0:#7d8799;--c1:#ff7b86;--c2:#8fd694;--c3:#f5c86a;--c4:#7fb4ff;--c5:#d2a1ff;--c6:#6fd6d9;--c7:#e8eaf0}
.panel{margin:0 auto 20px;width:min(920px,calc(100% - 40px));max-height:min(62vh,640px);display:flex;
flex-direction:column;background:#171a23f5;border-radius:14px;overflow:hidden;
box-shadow:0 0 0 1px #ffffff1a,0 18px 60px #0009;animation:rise .18s ease-out}
.panel::before{content:"";height:3px;flex:none;background:var(--accent)}
.build,.page{--accent:#ff7b86}.server,.worker,.state{--accent:#f5c86a}.crash_loop{--accent:#ff5566}
header{display:flex;align-items:center;gap:12px;padding:14px 18px 10px}
h1{all:unset;flex:1;font-weight:650;font-size:15px;min-width:0;overflow-wrap:anywhere}
.tag{flex:none;font-size:11px;font-weight:650;letter-spacing:.06em;text-transform:uppercase;padding:2px 9px;
border-radius:99px;color:#171a23;background:var(--accent)}
pre{margin:0;padding:12px 18px;overflow:auto;flex:1 1 auto;font:12.5px/1.55 ui-monospace,"SF Mono",Menlo,Consolas,"DejaVu Sans Mono",monospace;
background:#0d0f15;white-space:pre;tab-size:4;user-select:text;-webkit-user-select:text}
.state pre{white-space:pre-wrap}
pre:empty,footer p:empty{display:none}
footer{display:flex;align-items:center;gap:14px;padding:10px 18px 12px;color:#aeb5c4}
footer p{margin:0;flex:1}
button{all:unset;cursor:pointer;flex:none;padding:5px 12px;border-radius:8px;background:#ffffff14;color:#e8eaf0;font-size:13px}
button:hover{background:#ffffff26}button:focus-visible{outline:2px solid var(--c4);outline-offset:1px}
button.retry{background:var(--accent);color:#171a23;font-weight:600}
.pill{position:absolute;right:18px;bottom:18px;display:flex;gap:9px;align-items:center;background:#171a23f5;padding:8px 14px;
border-radius:99px;box-shadow:0 0 0 1px #ffffff1a,0 8px 30px #0007;font-size:13px;max-width:min(420px,80vw)}
.pill i{width:9px;height:9px;border-radius:50%;background:var(--accent);flex:none}
.pill span{overflow:hidden;text-overflow:ellipsis;white-space:nowrap}
.bold{font-weight:700}.dim{opacity:.65}.italic{font-style:italic}.underline{text-decoration:underline}
.c0{color:var(--c0)}.c1{color:var(--c1)}.c2{color:var(--c2)}.c3{color:var(--c3)}.c4{color:var(--c4)}.c5{color:var(--c5)}.c6{color:var(--c6)}.c7{color:var(--c7)}
@keyframes rise{from{opacity:0;transform:translateY(12px)}}
@media(prefers-reduced-motion:reduce){.panel{animation:none}}`;

const TAGS: Record<string, string> = { build: "Build", page: "Page", server: "Dev server", worker: "Backend", state: "State", crash_loop: "Backend stopped" };

export class OverlayView {
  #host: HTMLElement | null = null;
  #root: ShadowRoot | null = null;
  #shown = "";
  #content: unknown = null;
  #small = false;
  #retry: () => void;
  #fresh: () => void;

  constructor(retry: () => void, fresh: () => void) {
    this.#retry = retry;
    this.#fresh = fresh;
    addEventListener(
      "keydown",
      (event) => {
        if (event.key !== "Escape" || !this.#content || this.#small) return;
        event.stopImmediatePropagation();
        event.preventDefault();
        this.#small = true;
        this.#draw();
      },
      true,
    );
  }

  /** Shows `overlay`, or takes it away when it is null. */
  show(overlay: unknown): void {
    const text = JSON.stringify(overlay);
    if (text === this.#shown) return;
    this.#shown = text;
    this.#content = overlay;
    this.#small = false;
    if (document.documentElement) this.#draw();
    else document.addEventListener("readystatechange", () => this.#draw(), { once: true });
  }

  #draw(): void {
    if (!this.#content) {
      this.#host?.remove();
      return;
    }
    const root = this.#attach();
    const say = (key: string): string => String(own(this.#content, key) ?? "");
    const kind = TAGS[say("kind")] ? say("kind") : "worker";
    root.replaceChildren(this.#small ? this.#pill(kind, say("title")) : this.#panel(kind, say));
  }

  #attach(): ShadowRoot {
    if (!this.#host || !this.#root) {
      this.#host = document.createElement("staysail-overlay");
      this.#root = this.#host.attachShadow({ mode: "closed" });
      const sheet = new CSSStyleSheet();
      sheet.replaceSync(STYLE);
      this.#root.adoptedStyleSheets = [sheet];
    }
    if (!this.#host.isConnected) {
      document.documentElement.append(this.#host);
      if ("showPopover" in this.#host) {
        this.#host.popover = "manual";
        this.#host.showPopover();
      }
    }
    return this.#root;
  }

  #panel(kind: string, say: (key: string) => string): HTMLElement {
    const panel = make("section", "panel " + kind);
    panel.setAttribute("role", "alert");
    const head = make("header");
    head.append(make("span", "tag", TAGS[kind]), make("h1", "", say("title")), this.#button("Hide", "Escape hides this", "", () => this.#minimise()));
    const detail = make("pre");
    detail.append(render(say("detail").trim()));
    const foot = make("footer");
    foot.append(make("p", "", say("advice")));
    if (own(this.#content, "retry") === true) foot.append(this.#button("Try again", "", "retry", () => this.#retry()));
    if (own(this.#content, "fresh") === true) {
      foot.append(
        this.#button("Keep the old one", "Hides this; the old backend goes on", "", () => this.#minimise()),
        this.#button("Start fresh", "Starts the new backend without the state", "retry", () => this.#fresh()),
      );
    }
    panel.append(head, detail, foot);
    return panel;
  }

  #pill(kind: string, title: string): HTMLElement {
    const pill = this.#button("", "Show what happened", "pill " + kind, () => this.#minimise(false));
    pill.append(make("i"), make("span", "", title));
    return pill;
  }

  #minimise(small = true): void {
    this.#small = small;
    this.#draw();
  }

  #button(label: string, title: string, name: string, action: () => void): HTMLElement {
    const button = make("button", name, label);
    button.title = title;
    button.addEventListener("mousedown", (event) => event.preventDefault());
    button.addEventListener("click", action);
    return button;
  }
}

function make(tag: string, name = "", text = ""): HTMLElement {
  const element = document.createElement(tag);
  if (name) element.className = name;
  if (text) element.textContent = text;
  return element;
}

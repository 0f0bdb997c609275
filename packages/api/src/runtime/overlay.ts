/** The message over the page: what went wrong, what still works, what to do. */
import type { Overlay } from "../native";

const STYLE = `
:host { all: initial; position: fixed; inset: auto 0 0 0; z-index: 2147483647; font: 14px/1.5 system-ui, sans-serif; }
section { margin: 0 auto 1rem; width: min(60rem, calc(100vw - 2rem)); max-height: 70vh; display: flex;
  flex-direction: column; color: #e8e6e3; background: #1b1d21f5; border: 1px solid #ffffff1f; border-radius: 14px;
  box-shadow: 0 20px 60px #0008; overflow: hidden; animation: rise .18s ease-out; }
@keyframes rise { from { transform: translateY(1rem); opacity: 0; } }
@media (prefers-reduced-motion: reduce) { section { animation: none; } }
header { display: flex; align-items: center; gap: .7rem; padding: .7rem 1rem; }
header::before { content: ""; width: .6rem; height: .6rem; border-radius: 50%; background: #ff6b5e; flex: none; }
h1 { flex: 1; margin: 0; font-size: 1rem; font-weight: 600; }
button { font: inherit; color: inherit; background: #ffffff14; border: 0; border-radius: 8px; padding: .25rem .8rem;
  cursor: pointer; }
button:hover, button:focus-visible { background: #ffffff2b; }
pre { margin: 0; padding: .8rem 1rem; overflow: auto; background: #0003; white-space: pre-wrap; word-break: break-word;
  font: 12.5px/1.5 "JetBrains Mono", "DejaVu Sans Mono", ui-monospace, monospace; user-select: text; }
p { margin: 0; padding: .6rem 1rem; color: #a9b0b8; }
.small pre, .small p { display: none; }
.c31 { color: #ff8a80; } .c32 { color: #9ccc65; } .c33 { color: #ffd54f; } .c34 { color: #82b1ff; }
.c35 { color: #ea80fc; } .c36 { color: #80deea; } .b { font-weight: 700; }
`;

let host: HTMLElement | null = null;

/** Text with ANSI colours as elements. */
function colour(text: string): DocumentFragment {
  const out = document.createDocumentFragment();
  let names: string[] = [];
  for (const [index, part] of text.split(/\u001b\[([0-9;]*)m/).entries()) {
    if (index % 2 === 1) {
      for (const code of part.split(";").map(Number)) {
        if (code === 0) names = [];
        else if (code === 1) names.push("b");
        else if (code === 38 || code === 5) continue;
        else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97)) {
          names = [...names.filter((name) => name === "b"), "c" + (30 + (code % 10))];
        } else if (code >= 9 && code <= 15) {
          names = [...names.filter((name) => name === "b"), "c" + (22 + code)];
        }
      }
    } else if (part) {
      const span = document.createElement("span");
      span.className = names.join(" ");
      span.textContent = part;
      out.append(span);
    }
  }
  return out;
}

export function show(overlay: Overlay | null, retry: () => void): void {
  host?.remove();
  host = null;
  if (!overlay) return;
  host = document.createElement("staysail-overlay");
  const root = host.attachShadow({ mode: "closed" });
  const style = new CSSStyleSheet();
  style.replaceSync(STYLE);
  root.adoptedStyleSheets = [style];
  const section = document.createElement("section");
  section.setAttribute("role", "alert");
  const header = document.createElement("header");
  const title = document.createElement("h1");
  title.textContent = overlay.title;
  header.append(title);
  const button = (text: string, action: () => void) => {
    const made = document.createElement("button");
    made.textContent = text;
    made.addEventListener("click", action);
    header.append(made);
  };
  const shrink = () => section.classList.toggle("small");
  if (overlay.retry) button("Try again", retry);
  button("Minimise", shrink);
  section.append(header);
  if (overlay.detail.trim()) {
    const detail = document.createElement("pre");
    detail.append(colour(overlay.detail.trim()));
    section.append(detail);
  }
  const advice = document.createElement("p");
  advice.textContent = overlay.advice;
  section.append(advice);
  root.append(section);
  host.dataset.kind = overlay.kind;
  host.dataset.title = overlay.title;
  addEventListener("keydown", (event) => event.key === "Escape" && section.classList.add("small"));
  const attach = () => host && document.documentElement.append(host);
  if (document.documentElement) attach();
  else addEventListener("DOMContentLoaded", attach, { once: true });
}

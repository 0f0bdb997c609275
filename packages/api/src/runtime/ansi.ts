/** Text with ANSI colours (ECMA-48, "SGR") as spans with classes. Other escape sequences are left out. */

// eslint-disable-next-line no-control-regex
const ESCAPES = /\u001b\[([0-9;:]*)([A-Za-z])|\u001b\][^\u0007\u001b]*(?:\u0007|\u001b\\)/g;

export function render(text: string): DocumentFragment {
  const fragment = document.createDocumentFragment();
  let classes = new Set<string>();
  let colour = "";
  let from = 0;
  const add = (part: string): void => {
    if (part === "") return;
    const span = document.createElement("span");
    span.className = Array.from(classes).join(" ");
    if (colour) span.style.color = colour;
    span.textContent = part;
    fragment.append(span);
  };
  for (const match of text.matchAll(ESCAPES)) {
    add(text.slice(from, match.index));
    from = match.index + match[0].length;
    if (match[2] !== "m") continue;
    const codes = (match[1] || "0").split(/[;:]/).map(Number);
    for (let i = 0; i < codes.length; i++) {
      const code = codes[i]!;
      if (code === 38 || code === 48) {
        const rgb = codes[i + 1] === 2 ? `rgb(${codes.slice(i + 2, i + 5).join()})` : palette(codes[i + 2] ?? 0);
        if (code === 38) colour = rgb;
        i += codes[i + 1] === 2 ? 4 : 2;
      } else if (code === 0) {
        classes = new Set();
        colour = "";
      } else if (code === 1 || code === 2 || code === 3 || code === 4) {
        classes.add(["", "bold", "dim", "italic", "underline"][code]!);
      } else if (code === 22) {
        classes.delete("bold");
        classes.delete("dim");
      } else if (code === 23) classes.delete("italic");
      else if (code === 24) classes.delete("underline");
      else if ((code >= 30 && code <= 37) || (code >= 90 && code <= 97) || code === 39) {
        colour = "";
        for (const name of classes) if (name.startsWith("c")) classes.delete(name);
        if (code !== 39) classes.add("c" + (code % 10));
      }
    }
  }
  add(text.slice(from));
  return fragment;
}

/** Colour n of xterm's 256. */
function palette(n: number): string {
  if (n < 16) return `var(--c${n % 8})`;
  if (n >= 232) {
    const grey = 8 + (n - 232) * 10;
    return `rgb(${grey},${grey},${grey})`;
  }
  const level = (value: number): number => (value === 0 ? 0 : 55 + value * 40);
  const at = n - 16;
  return `rgb(${level(Math.floor(at / 36))},${level(Math.floor(at / 6) % 6)},${level(at % 6)})`;
}

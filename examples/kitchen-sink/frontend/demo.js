// Draws a section: for each of its demos what it does, fields, buttons, the answer, and the code behind it.
//
// A section is `{ id, title, about, demos }`, a demo
// `{ id, title, about, fields, actions: [{ id, label, run(values, demo) }], extra(demo), code, needs }`.
// What `run` returns is shown as the answer; what it throws as the error.
import { element } from "/element.js";
import { listings, panel } from "/code.js";

const LINES_SHOWN = 8;

function field(key, { name, label, value = "", type = "text", options, min, max }) {
  const id = `${key}-${name}`;
  if (type === "checkbox") {
    const input = element("input", { id, name, type, checked: value === true });
    return element("label", { class: "check", for: id }, input, label);
  }
  const input = options
    ? element("select", { id, name }, ...options.map((option) => element("option", { selected: option === value }, option)))
    : type === "textarea"
      ? element("textarea", { id, name, rows: "3", spellcheck: false }, value)
      : element("input", { id, name, type, value: String(value), min, max, autocomplete: "off", spellcheck: false });
  return element("label", { for: id }, element("span", {}, label), input);
}

function read(form) {
  const value = (input) => {
    if (input.type === "checkbox") return input.checked;
    return input.type === "number" ? input.valueAsNumber : input.value;
  };
  return Object.fromEntries([...form.elements].filter((input) => input.name).map((input) => [input.name, value(input)]));
}

function textOf(value) {
  if (value === undefined || value === null) return "Done";
  if (Array.isArray(value) && value.every((entry) => typeof entry === "string")) return value.join("\n") || "Nothing";
  return typeof value === "object" ? JSON.stringify(value, null, 2) : String(value);
}

function drawDemo(section, demo) {
  const key = `${section.id}-${demo.id}`;
  const output = element("output", { id: `${key}-answer`, class: "empty", for: key }, "The answer appears here.");
  const stage = element("div", { class: "stage" });
  const lines = [];

  const put = (text, kind) => {
    output.className = kind;
    output.replaceChildren(text);
  };
  const tools = {
    /** Where `extra` puts what it needs beyond fields and buttons. */
    stage,
    show: (value) => put(textOf(value), "answer"),
    fail: (error) => {
      const code = error?.code ? element("b", {}, error.code) : "";
      put("", "error");
      output.append(code, code ? " " : "", error?.message ?? String(error));
    },
    /** Adds a line and drops the oldest. */
    log: (value) => {
      lines.push(textOf(value));
      lines.splice(0, lines.length - LINES_SHOWN);
      put(lines.join("\n"), "answer");
    },
  };

  const form = element("form", { id: key, "aria-labelledby": `${key}-heading` });
  const actions = (demo.actions ?? []).map(({ id, label, run }, number) => {
    const button = element("button", { type: number === 0 ? "submit" : "button", id: `${key}-${id}`, class: number === 0 ? "primary" : "" }, label);
    const act = async () => {
      if (button.getAttribute("aria-busy") === "true") return;
      button.setAttribute("aria-busy", "true");
      const before = output.firstChild;
      try {
        const answer = await run(read(form), tools);
        // What an action has shown by itself stays.
        if (answer !== undefined || output.firstChild === before) tools.show(answer);
      } catch (error) {
        tools.fail(error);
      } finally {
        button.removeAttribute("aria-busy");
      }
    };
    if (number === 0) form.addEventListener("submit", (event) => (event.preventDefault(), void act()));
    else button.addEventListener("click", () => void act());
    return button;
  });
  const fields = (demo.fields ?? []).map((one) => field(key, one));
  if (fields.length) form.append(element("div", { class: "fields" }, ...fields));
  form.append(stage);
  if (actions.length) form.append(element("div", { class: "actions" }, ...actions));
  form.append(output);
  if (actions.length === 0) form.addEventListener("submit", (event) => event.preventDefault());
  demo.extra?.(tools);

  return element(
    "article",
    { "aria-labelledby": `${key}-heading` },
    element("div", { class: "what" }, element("h2", { id: `${key}-heading` }, demo.title), element("p", {}, demo.about), form),
    panel(key, listings(section.id, demo)),
  );
}

/** The section, drawn. */
export function draw(section) {
  return element(
    "section",
    { id: `section-${section.id}`, "aria-labelledby": `heading-${section.id}` },
    element("header", {}, element("h1", { id: `heading-${section.id}`, tabindex: "-1" }, section.title), element("p", {}, section.about)),
    ...section.demos.map((demo) => drawDemo(section, demo)),
  );
}

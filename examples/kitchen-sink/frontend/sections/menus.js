// Menus: the application's, and one where the mouse is.
import { menu, openWindow } from "/__staysail/api.js";

// #region menu
const chosen = (say) =>
  menu.onChosen(({ id, checked }) => say(checked === undefined ? `${id} was chosen` : `${id} is ${checked ? "on" : "off"}`));
// #endregion

// #region update
const rename = (text) => menu.update("anchor", { text });
const enable = (enabled) => menu.update("anchor", { enabled });
const check = (checked) => menu.update("grid", { checked });
// #endregion

// #region popup
function popup(event) {
  event.preventDefault();
  const items = [
    { id: "hoist", text: "Hoist" },
    { id: "lower", text: "Lower" },
    { kind: "separator" },
    { kind: "submenu", text: "Colour", items: [{ kind: "check", id: "red", text: "Red", checked: true }] },
    { kind: "role", role: "copy" },
  ];
  return menu.popup(items, event); // where the mouse is, or what has the keyboard's focus
}
// #endregion

// #region own
const log = () =>
  openWindow({
    label: "log",
    title: "Ship's log",
    url: "/windows/plain.html",
    width: 360,
    height: 220,
    menu: [{ kind: "submenu", text: "&Log", items: [{ id: "sign", text: "&Sign", accelerator: "CmdOrCtrl+D" }] }],
  });
// #endregion

export default {
  id: "menus",
  title: "Menus",
  about: "Declared in Rust and changed in place: after a swap only what is declared otherwise is touched.",
  demos: [
    {
      id: "menu",
      title: "The application's menu",
      about: "Choose something from the menu bar, or press Ctrl+D or Ctrl+G (⌘ on a Mac).",
      extra: ({ log }) => chosen(log),
      code: ["backend/app/src/desktop.rs"],
      needs: ["menu.set", "menu.update", "menu.popup"],
    },
    {
      id: "update",
      title: "Change an entry",
      about: "Text, whether it can be chosen, and whether it is checked.",
      fields: [{ name: "text", label: "Text", value: "Weigh &anchor" }],
      actions: [
        { id: "rename", label: "Rename “Drop anchor”", run: ({ text }) => rename(text) },
        { id: "disable", label: "Disable it", run: () => enable(false) },
        { id: "enable", label: "Enable it", run: () => enable(true) },
        { id: "check", label: "Check “Show grid”", run: () => check(true) },
      ],
      needs: ["menu.update"],
    },
    {
      id: "own",
      title: "A menu of one window",
      about: "Ctrl+D signs in this window, and drops the anchor in all others.",
      actions: [{ id: "open", label: "Open the log", run: () => log().then(() => undefined) }],
      needs: ["window.create"],
    },
    {
      id: "popup",
      title: "Context menu",
      about: "A native menu where the mouse is, made anew each time.",
      extra: ({ stage }) => {
        const area = document.createElement("button");
        Object.assign(area, { type: "button", id: "menus-area", className: "area", textContent: "Right-click here" });
        stage.addEventListener("contextmenu", (event) => void popup(event));
        stage.append(area);
      },
      needs: ["menu.popup"],
    },
  ],
};

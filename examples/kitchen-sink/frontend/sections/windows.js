// More windows: opened at run time, belonging to another, asking before they close.
import { AppWindow, invoke, openWindow, windows } from "/__staysail/api.js";

// #region open
let opened = 0;

async function open(title) {
  const label = `window-${++opened}`;
  await openWindow({ label, title, url: "/windows/plain.html", width: 420, height: 260 });
}

const labels = async () => (await windows()).map((window) => window.label);

async function closeOthers() {
  for (const window of await windows()) if (window.label !== "main") await window.close();
}
// #endregion

// #region child
const child = () =>
  openWindow({ label: "child", title: "Child", url: "/windows/plain.html", width: 360, height: 240, parent: "main" });

const modal = () =>
  openWindow({ label: "modal", title: "Modal", url: "/windows/plain.html", width: 360, height: 240, parent: "main", modal: true });
// #endregion

// #region unsaved
const unsaved = () => openWindow({ label: "unsaved", title: "Unsaved", url: "/windows/unsaved.html", width: 460, height: 320 });

const askToClose = () => new AppWindow("unsaved").close(); // as the user does with the cross
// #endregion

// #region remember
const remembered = () =>
  openWindow({ label: "remembered", title: "Remembered", url: "/windows/plain.html", width: 420, height: 260, remember: true });
// #endregion

// #region from_rust
const fromRust = () => invoke("open_from_rust"); // the backend may do all of this, too
// #endregion

export default {
  id: "windows",
  title: "More windows",
  about: "Windows belong to the shell: opened by the page or by Rust, and untouched when either is exchanged.",
  demos: [
    {
      id: "open",
      title: "Open and close",
      about: "Each window has a label, which is its name for everything else.",
      fields: [{ name: "title", label: "Title", value: "Crow's nest" }],
      actions: [
        { id: "open", label: "Open a window", run: ({ title }) => open(title) },
        { id: "list", label: "List them", run: labels },
        { id: "close", label: "Close the others", run: closeOthers },
      ],
      needs: ["window.create", "window.list", "window.close"],
    },
    {
      id: "child",
      title: "Child and modal windows",
      about: "A child stays above its parent and closes with it. While a modal one is open its parent takes no input.",
      actions: [
        { id: "child", label: "Open a child", run: () => child().then(() => "Opened") },
        { id: "modal", label: "Open a modal window", run: () => modal().then(() => "Opened") },
      ],
      needs: ["window.create"],
    },
    {
      id: "unsaved",
      title: "Ask before closing",
      about: "The page is asked first. One that hangs loses its window all the same.",
      actions: [
        { id: "open", label: "Open", run: () => unsaved().then(() => "Opened; write something into it") },
        { id: "close", label: "Close it", run: askToClose },
      ],
      code: ["frontend/windows/unsaved.js"],
      needs: ["window.create", "window.close"],
    },
    {
      id: "remember",
      title: "Open where it was left",
      about: "Position and size return, as long as a screen still shows the title bar. Move it, close it, open it again.",
      actions: [{ id: "open", label: "Open", run: () => remembered().then(() => "Opened") }],
      needs: ["window.create"],
    },
    {
      id: "from_rust",
      title: "From Rust",
      about: "The backend opens a window and asks how large it is.",
      actions: [{ id: "open", label: "Let Rust open one", run: async () => `${(await fromRust()).join(" × ")} pixels` }],
      code: ["backend/app/src/desktop.rs"],
    },
  ],
};

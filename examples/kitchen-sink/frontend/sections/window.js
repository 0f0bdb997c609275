// The window itself: how it is, what it can be told, what happens to it.
import { currentWindow, screens } from "/__staysail/api.js";

// #region title
const setTitle = (title) => currentWindow.set({ title });
// #endregion

// #region place
const resize = (width, height) => currentWindow.set({ size: [width, height] });
const center = () => currentWindow.center();
const limit = () => currentWindow.set({ minSize: [600, 480], maxSize: [1400, 1000] });
const unlimit = () => currentWindow.set({ minSize: [420, 360], maxSize: [0, 0] });
// #endregion

// #region mode
const toggle = async (what) => {
  const now = await currentWindow.state();
  await currentWindow.set({ [what]: !now[what] }); // maximized, fullscreen, alwaysOnTop, resizable, …
};

async function minimizeFor(seconds) {
  await currentWindow.set({ minimized: true });
  await new Promise((resolve) => setTimeout(resolve, seconds * 1000));
  await currentWindow.focus(); // shows, raises and focuses it
}
// #endregion

// #region look
const zoom = (percent) => currentWindow.set({ zoom: percent / 100 });
const icon = (path) => currentWindow.set({ icon: path });
// #endregion

// #region taskbar
const progress = (percent) => currentWindow.set({ progress: { percent } });
const failed = (percent) => currentWindow.set({ progress: { error: percent } });
const noProgress = () => currentWindow.set({ progress: "none" });
const attention = () => currentWindow.requestAttention();
// #endregion

// #region state
const state = () => currentWindow.state();

const allScreens = async () =>
  (await screens()).map(({ name, size, scale }) => `${name ?? "Screen"}: ${size.join(" × ")}, scale ${scale}`);

const follow = (say) =>
  currentWindow.onEvent((event) => {
    if (event.kind === "resized") say(`Resized to ${Math.round(event.width)} × ${Math.round(event.height)}`);
    else if (event.kind === "theme_changed") say(`Theme: ${event.theme}`);
    else if (event.kind !== "moved") say(event.kind);
  });
// #endregion

export default {
  id: "window",
  title: "This window",
  about: "Everything about an open window can be asked and changed, here from its own page.",
  demos: [
    {
      id: "title",
      title: "Title",
      about: "What the title bar and the list of windows say.",
      fields: [{ name: "title", label: "Title", value: "Kitchen Sink, renamed" }],
      actions: [{ id: "set", label: "Set", run: ({ title }) => setTitle(title) }],
      needs: ["window.set"],
    },
    {
      id: "place",
      title: "Size and place",
      about: "Sizes are those of the page, without title bar and menu.",
      fields: [
        { name: "width", label: "Width", value: 1000, type: "number" },
        { name: "height", label: "Height", value: 700, type: "number" },
      ],
      actions: [
        { id: "resize", label: "Resize", run: ({ width, height }) => resize(width, height) },
        { id: "center", label: "Centre", run: center },
        { id: "limit", label: "Limit the size", run: limit },
        { id: "unlimit", label: "Lift the limits", run: unlimit },
      ],
      needs: ["window.set", "window.center"],
    },
    {
      id: "mode",
      title: "Full screen, maximised, on top",
      about: "Each is one field of the same change; what is not named stays as it is.",
      actions: [
        { id: "maximized", label: "Maximise", run: () => toggle("maximized") },
        { id: "fullscreen", label: "Full screen", run: () => toggle("fullscreen") },
        { id: "top", label: "Always on top", run: () => toggle("alwaysOnTop") },
        { id: "minimize", label: "Minimise for 2 s", run: () => minimizeFor(2) },
      ],
      needs: ["window.set", "window.state", "window.focus"],
    },
    {
      id: "look",
      title: "Zoom and icon",
      about: "Zoom is the page's. The icon is a PNG among the page's own files. The theme is at the bottom of the sidebar.",
      fields: [{ name: "percent", label: "Zoom, %", value: 125, type: "number", min: "50", max: "200" }],
      actions: [
        { id: "zoom", label: "Zoom", run: ({ percent }) => zoom(percent) },
        { id: "normal", label: "100 %", run: () => zoom(100) },
        { id: "icon", label: "Set the icon", run: () => icon("/icons/sail.png") },
      ],
      needs: ["window.set"],
    },
    {
      id: "taskbar",
      title: "Progress and attention in the task bar",
      about: "Where the desktop shows it: Windows, macOS, and on Linux docks that know Unity's launcher interface.",
      fields: [{ name: "percent", label: "Percent", value: 40, type: "number", min: "0", max: "100" }],
      actions: [
        { id: "progress", label: "Show progress", run: ({ percent }) => progress(percent) },
        { id: "failed", label: "Show an error", run: ({ percent }) => failed(percent) },
        { id: "none", label: "Take it away", run: noProgress },
        { id: "attention", label: "Ask for attention", run: attention },
      ],
      needs: ["window.set", "window.request_attention"],
    },
    {
      id: "state",
      title: "How it is, and what happens to it",
      about: "Resize the window, or go to another one and come back.",
      actions: [
        { id: "state", label: "State", run: state },
        { id: "screens", label: "Screens", run: allScreens },
      ],
      extra: ({ log }) => follow(log),
      needs: ["window.state", "window.screens"],
    },
  ],
};

// Windows without the system's frame: a title bar of the page's own, edges that are dragged, and no background.
import { AppWindow, openWindow } from "/__staysail/api.js";

// #region bar
const framed = () =>
  openWindow({ label: "frameless", title: "Frameless", url: "/windows/frameless.html", width: 460, height: 300, decorations: false });
// #endregion

// #region edge
const withGrip = framed; // the grip is in its page
// #endregion

// #region transparent
const badge = () =>
  openWindow({
    label: "badge",
    title: "Badge",
    url: "/windows/badge.html",
    width: 220,
    height: 220,
    decorations: false,
    transparent: true, // what the page leaves free shows what is behind
    resizable: false,
    alwaysOnTop: true,
    skipTaskbar: true,
  });

const closeBadge = () => new AppWindow("badge").close();
// #endregion

export default {
  id: "frameless",
  title: "Frameless, transparent",
  about: "A window need not look like one. What the system's frame does, the page does with a few marks.",
  demos: [
    {
      id: "bar",
      title: "A title bar of your own",
      about: "Mark what drags the window with data-staysail-drag. Buttons inside work as ever; a double click fills the screen.",
      actions: [{ id: "open", label: "Open", run: () => framed().then(() => "Opened") }],
      code: ["frontend/windows/frameless.html"],
      needs: ["window.create"],
    },
    {
      id: "edge",
      title: "Edges to drag",
      about: "A window without a frame has no edges. The grip in the corner of the same window makes one.",
      actions: [{ id: "open", label: "Open", run: () => withGrip().then(() => "Opened; drag its lower right corner") }],
      code: ["frontend/windows/frameless.js"],
      needs: ["window.create"],
    },
    {
      id: "transparent",
      title: "Transparent",
      about: "A round badge, on top of everything. Where the desktop has no compositor, what is left free is black.",
      actions: [
        { id: "open", label: "Open", run: () => badge().then(() => "Opened; drag it anywhere") },
        { id: "close", label: "Close it", run: closeBadge },
      ],
      code: ["frontend/windows/badge.html"],
      needs: ["window.create", "window.close"],
    },
  ],
};

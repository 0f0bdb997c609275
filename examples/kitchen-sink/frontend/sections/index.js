// All sections, in the order of the sidebar. A new one is a file of its own and a line here.
import binary from "./binary.js";
import calls from "./calls.js";
import clipboard from "./clipboard.js";
import dialogs from "./dialogs.js";
import events from "./events.js";
import files from "./files.js";
import frameless from "./frameless.js";
import links from "./links.js";
import menus from "./menus.js";
import notifications from "./notifications.js";
import opener from "./opener.js";
import safety from "./safety.js";
import services from "./services.js";
import shortcuts from "./shortcuts.js";
import spelling from "./spelling.js";
import starts from "./starts.js";
import state from "./state.js";
import streams from "./streams.js";
import tray from "./tray.js";
import webview from "./webview.js";
import window_ from "./window.js";
import windows from "./windows.js";

export const groups = [
  { title: "Page and Rust", sections: [calls, binary, streams, events, state, services] },
  { title: "Windows", sections: [windows, window_, frameless, menus, dialogs] },
  { title: "Desktop", sections: [clipboard, notifications, tray, shortcuts, starts, links, opener] },
  { title: "Files and page", sections: [files, webview, spelling, safety] },
];

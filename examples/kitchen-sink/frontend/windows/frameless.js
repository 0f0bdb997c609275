// The buttons of a title bar of one's own, and an edge to drag.
import { currentWindow } from "/__staysail/api.js";

document.getElementById("minimise").addEventListener("click", () => void currentWindow.set({ minimized: true }));
document.getElementById("close").addEventListener("click", () => void currentWindow.close());

// #region edge
document.getElementById("grip").addEventListener("mousedown", (event) => {
  event.preventDefault(); // no focus, no selection
  if (event.button === 0) void currentWindow.startResizing("south_east");
});
// #endregion

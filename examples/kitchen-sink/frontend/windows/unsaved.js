// A window with unsaved text.
import { currentWindow, dialog } from "/__staysail/api.js";

const text = document.getElementById("text");
let saved = "";
document.getElementById("save").addEventListener("click", () => (saved = text.value));

// #region unsaved
currentWindow.onCloseRequested(async (event) => {
  if (text.value === saved) return; // nothing to lose: it closes
  const leave = await dialog.confirm("Close without saving?", { level: "warning", ok: "Close", cancel: "Keep writing" });
  if (!leave) event.preventDefault();
});
// #endregion

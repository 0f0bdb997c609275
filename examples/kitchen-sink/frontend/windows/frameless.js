// The buttons of a title bar of one's own.
import { currentWindow } from "/__staysail/api.js";

document.getElementById("minimise").addEventListener("click", () => void currentWindow.set({ minimized: true }));
document.getElementById("close").addEventListener("click", () => void currentWindow.close());

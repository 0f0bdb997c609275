// Another window: says its label and its size, and closes itself.
import { currentWindow, ready } from "/__staysail/api.js";

const at = (id) => document.getElementById(id);
const measure = () => (at("size").textContent = `${innerWidth} × ${innerHeight} pixels`);

await ready;
at("label").textContent = currentWindow.label;
at("close").addEventListener("click", () => void currentWindow.close());
addEventListener("resize", measure);
measure();

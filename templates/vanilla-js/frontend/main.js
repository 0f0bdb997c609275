import { invoke, listen, onBackend, preserve, update } from "/__staysail/api.js";

const at = (id) => document.getElementById(id);

at("greet").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    at("answer").textContent = await invoke("greet", { name: at("name").value });
  } catch (error) {
    at("answer").textContent = error.message;
  }
});

// An event from the backend.
const count = ({ greetings }) => {
  at("count").textContent = greetings === 1 ? "1 greeting" : `${greetings || "No"} greetings${greetings ? "" : " yet"}`;
};
listen("greeted", count);
invoke("session").then(count, console.error);

// State of the page that outlives a reload. The text field needs none of this: it is kept anyway.
preserve("answer", {
  save: () => at("answer").textContent,
  restore: (text) => (at("answer").textContent = text),
});

const news = (text) => (at("news").textContent = `${text} · ${new Date().toLocaleTimeString()}`);
onBackend((event) => event.kind === "swapped" && news("New backend live"));
update.onEvent((event) => event.kind === "applied" && news(`Version ${event.version} live`));

import { Channel, invoke, listen, onBackend, preserve, update } from "{{api}}";
import { counted, wayOf } from "./words.js";

const at = (id) => document.getElementById(id);

// A command of the backend.
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
  at("count").textContent = counted(greetings);
};
listen("greeted", count);
invoke("session").then(count, console.error);

// A stream: one command, many messages.
const show = (hundredths) => {
  at("water").style.setProperty("--way", wayOf(hundredths));
  at("water").setAttribute("aria-valuenow", hundredths);
};
at("sail").addEventListener("click", async () => {
  at("sail").disabled = true;
  try {
    await invoke("sail", { progress: new Channel(show) });
  } catch (error) {
    at("answer").textContent = error.message;
  }
  at("sail").disabled = false;
});

// State of the page that outlives a reload. The text field needs none of this: it is kept anyway.
preserve("answer", {
  save: () => at("answer").textContent,
  restore: (text) => (at("answer").textContent = text),
});

const news = (text) => (at("news").textContent = `${text} · ${new Date().toLocaleTimeString()}`);
onBackend((event) => event.kind === "swapped" && news("New backend live"));
update.onEvent((event) => event.kind === "applied" && news(`Version ${event.version} live`));

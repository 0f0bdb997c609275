import { Channel, type Events, invoke, listen, onBackend, preserve, update } from "{{api}}";
import { counted, wayOf } from "./words{{extension}}";

const at = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;

// A command of the backend. Names, arguments and answers are checked: their types come from the Rust code.
at("greet").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    at("answer").textContent = await invoke("greet", { name: at<HTMLInputElement>("name").value });
  } catch (error) {
    at("answer").textContent = String(error);
  }
});

// An event from the backend.
const count = ({ greetings }: Events["greeted"]) => {
  at("count").textContent = counted(greetings);
};
listen("greeted", count);
invoke("session").then(count, console.error);

// A stream: one command, many messages.
const show = (hundredths: number) => {
  at("water").style.setProperty("--way", String(wayOf(hundredths)));
  at("water").setAttribute("aria-valuenow", String(hundredths));
};
at("sail").addEventListener("click", async () => {
  const button = at<HTMLButtonElement>("sail");
  button.disabled = true;
  try {
    await invoke("sail", { progress: new Channel(show) });
  } catch (error) {
    at("answer").textContent = String(error);
  }
  button.disabled = false;
});

// State of the page that outlives a reload. The text field needs none of this: it is kept anyway.
preserve("answer", {
  save: () => at("answer").textContent ?? "",
  restore: (text: string) => {
    at("answer").textContent = text;
  },
});

const news = (text: string) => {
  at("news").textContent = `${text} · ${new Date().toLocaleTimeString()}`;
};
onBackend((event) => event.kind === "swapped" && news("New backend live"));
update.onEvent((event) => event.kind === "applied" && news(`Version ${event.version} live`));

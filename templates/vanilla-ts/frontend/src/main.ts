import { type Events, invoke, listen, onBackend, preserve, update } from "@staysail/api";

const at = <T extends HTMLElement>(id: string): T => document.getElementById(id) as T;

at("greet").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    at("answer").textContent = await invoke("greet", { name: at<HTMLInputElement>("name").value });
  } catch (error) {
    at("answer").textContent = String(error);
  }
});

// An event from the backend. Its type, like those of the commands, comes from the Rust code.
const count = ({ greetings }: Events["greeted"]) => {
  at("count").textContent = greetings === 1 ? "1 greeting" : `${greetings || "No"} greetings${greetings ? "" : " yet"}`;
};
listen("greeted", count);
invoke("session").then(count, console.error);

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

import { invoke, listen, onBackend, preserve, update } from "@staysail/api";

/**
 * What the page knows. It lies in a module of its own: an edit of a component makes that component anew, and this stays.
 */
export const page = $state({ name: "", answer: "", greetings: 0, hundredths: 0, sailing: false, news: "" });

// It outlives a reload of the page, too.
preserve("page", {
  save: () => ({ name: page.name, answer: page.answer }),
  restore: (kept) => Object.assign(page, kept),
});

// An event from the backend, and what it remembers from before.
listen("greeted", (event) => (page.greetings = event.greetings));
invoke("session").then((session) => (page.greetings = session.greetings), console.error);

const say = (text) => (page.news = `${text} · ${new Date().toLocaleTimeString()}`);
onBackend((event) => event.kind === "swapped" && say("New backend live"));
update.onEvent((event) => event.kind === "applied" && say(`Version ${event.version} live`));

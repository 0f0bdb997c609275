import { invoke, listen } from "/__staysail/api.js";

const element = (id) => document.getElementById(id);

async function show() {
  const [about, entries] = await Promise.all([invoke("about"), invoke("entries")]);
  element("welcome").textContent = about.welcome;
  element("process").textContent = about.process;
  element("address").textContent = about.address;
  element("entries").replaceChildren(
    ...entries.map(({ name, text }) => {
      const entry = document.createElement("li");
      const by = document.createElement("b");
      by.textContent = name;
      entry.append(by, ` ${text}`);
      return entry;
    }),
  );
}

function tell(problem) {
  element("problem").textContent = problem?.message ?? "";
}

element("form").addEventListener("submit", async (event) => {
  event.preventDefault();
  try {
    await invoke("sign", { name: element("name").value, text: element("text").value });
    element("text").value = "";
    await show();
    tell();
  } catch (error) {
    tell(error);
  }
});

// Another backend has taken over, with the database and the port.
listen("staysail:worker", () => show().then(() => tell(), tell));
show().catch(tell);

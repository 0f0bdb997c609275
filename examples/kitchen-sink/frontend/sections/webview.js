// What the webview can do: print, find, spell, keep cookies, download.
import { cookies, dialog, downloads, find, page, storage } from "/__staysail/api.js";

// #region print
const print = () => page.print();

async function pdf() {
  const path = await dialog.save({ title: "Save as PDF", name: "kitchen-sink.pdf" });
  if (!path) return "Nothing was chosen";
  await page.printToPdf(path, { overwrite: true, landscape: true });
  return `Written to ${path}`;
}
// #endregion

// #region find
const start = async (text) => `${(await find.start(text)).matches} places`;
const next = () => find.next().then(() => "The next one");
const stop = () => find.stop();
// #endregion

// #region cookies
const url = "https://example.com/";

const set = (value) => cookies.set({ name: "taste", value, domain: "example.com", secure: true });
const list = async () => (await cookies.list({ url })).map(({ name, value }) => `${name} = ${value}`);
const remove = async () => `${await cookies.remove(url, "taste")} removed`;
const forget = () => storage.clear("cache");
// #endregion

// #region downloads
function download(path) {
  const link = document.createElement("a");
  Object.assign(link, { href: path, download: "" });
  link.click(); // as the user does with a link in the page
}

let asked = null; // the download that waits: `downloads = "ask"` in staysail.toml

async function accept() {
  await downloads.accept(asked);
}

async function refuse() {
  await downloads.cancel(asked);
}

const follow = (say) =>
  downloads.onEvent(({ id, name, state, received }) => {
    if (state === "requested") asked = id;
    say(`${name}: ${state}, ${received} bytes`);
  });
// #endregion

export default {
  id: "webview",
  title: "Print, find, download",
  about: "What belongs to the webview, done by it: the same on each system as far as its webview goes.",
  demos: [
    {
      id: "print",
      title: "Print",
      about: "The system's dialog, or straight to a PDF.",
      actions: [
        { id: "print", label: "Print", run: print },
        { id: "pdf", label: "Save as PDF", run: pdf },
      ],
      needs: ["page.print", "page.print_to_pdf", "dialog.save"],
    },
    {
      id: "find",
      title: "Find in the page",
      about: "All places are marked, and the first is shown.",
      fields: [{ name: "text", label: "Text", value: "webview" }],
      actions: [
        { id: "start", label: "Find", run: ({ text }) => start(text) },
        { id: "next", label: "Next", run: next },
        { id: "stop", label: "Done", run: stop },
      ],
      needs: ["find.start", "find.next", "find.stop"],
    },
    {
      id: "cookies",
      title: "Cookies",
      about: "Those of every host the webview talks to, http-only ones, too.",
      fields: [{ name: "value", label: "Value", value: "chocolate" }],
      actions: [
        { id: "set", label: "Set", run: ({ value }) => set(value) },
        { id: "list", label: "List", run: list },
        { id: "remove", label: "Remove", run: remove },
        { id: "forget", label: "Empty the cache", run: forget },
      ],
      needs: ["cookies.set", "cookies.list", "cookies.remove", "storage.clear"],
    },
    {
      id: "downloads",
      title: "Downloads",
      about: "Each one waits for your yes (elsewhere than on Linux it does not), then goes to your download folder, each step told.",
      actions: [
        { id: "download", label: "Download the icon", run: () => download("/icons/sail.png") },
        { id: "accept", label: "Yes", run: accept },
        { id: "refuse", label: "No", run: refuse },
      ],
      extra: ({ log }) => follow(log),
      needs: ["download.list", "download.accept", "download.cancel"],
    },
  ],
};

// The system's own dialogs.
import { dialog, invoke } from "/__staysail/api.js";

// #region open
const charts = { name: "Charts", extensions: ["kap", "png", "txt"] };

const openFiles = () => dialog.open({ title: "Open charts", multiple: true, filters: [charts, { name: "All files", extensions: ["*"] }] });
const openFolder = () => dialog.open({ title: "Where the charts are", folder: true });
// #endregion

// #region save
const save = (name) => dialog.save({ title: "Save the chart", name, filters: [charts] });
// #endregion

// #region ask
async function ask() {
  const button = await dialog.message("Save the chart?", {
    detail: "It was changed since it was opened.",
    level: "warning",
    buttons: ["Discard", "Cancel", "Save"],
  });
  return button === null ? "Closed without an answer" : `Button ${button}`;
}

const confirm = () => dialog.confirm("Weigh anchor?", { ok: "Weigh", cancel: "Stay" });
const askFromRust = () => invoke("ask_from_rust");
// #endregion

export default {
  id: "dialogs",
  title: "Dialogs",
  about: "Each belongs to a window and takes its input until it is answered. Calls, events and other windows go on.",
  demos: [
    {
      id: "open",
      title: "Choose files or a folder",
      about: "The answer is a list of paths, or null when nothing was chosen.",
      actions: [
        { id: "files", label: "Choose files", run: async () => (await openFiles()) ?? "Nothing" },
        { id: "folder", label: "Choose a folder", run: async () => (await openFolder()) ?? "Nothing" },
      ],
      needs: ["dialog.open"],
    },
    {
      id: "save",
      title: "Choose where to save",
      about: "Asks before a file that is there would be replaced. Nothing is written: that is yours to do.",
      fields: [{ name: "name", label: "File name", value: "chart.txt" }],
      actions: [{ id: "save", label: "Save as", run: async ({ name }) => (await save(name)) ?? "Nothing" }],
      needs: ["dialog.save"],
    },
    {
      id: "ask",
      title: "Say and ask",
      about: "Up to three buttons. Rust asks the same way, over whichever window it names.",
      actions: [
        { id: "ask", label: "Three buttons", run: ask },
        { id: "confirm", label: "Confirm", run: confirm },
        { id: "rust", label: "Let Rust ask", run: askFromRust },
      ],
      code: ["backend/app/src/desktop.rs"],
      needs: ["dialog.message"],
    },
  ],
};

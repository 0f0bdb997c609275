// Files: those the page may touch, those the user chose, those dropped on the window.
import { dialog, fs, isFileError, onFileDrop } from "/__staysail/api.js";

// #region scope
const write = (text) => fs.writeText("$DATA/notes/log.txt", text); // whole, or not at all
const read = () => fs.readText("$DATA/notes/log.txt");
const list = async () => (await fs.list("$DATA/notes")).map(({ name, size }) => `${name}: ${size} bytes`);
const outside = () => fs.readText("/etc/hostname"); // rejected with `Denied`
// #endregion

// #region chosen
async function readChosen() {
  const paths = await dialog.open({ title: "Choose a text" });
  if (!paths) return "Nothing was chosen";
  try {
    return await fs.readText(paths[0]); // allowed because the user chose it
  } catch (error) {
    if (isFileError(error) && error.details.reason === "not_text") return "That is no text";
    throw error;
  }
}
// #endregion

// #region drop
const follow = (area, say) =>
  onFileDrop(({ kind, paths }) => {
    area.classList.toggle("over", kind === "enter" || kind === "over");
    if (kind === "dropped") say(paths.join("\n"));
  });
// #endregion

export default {
  id: "files",
  title: "Files",
  about: "A page touches only what its scopes name, and what the user chose. Links and “..” do not lead out.",
  demos: [
    {
      id: "scope",
      title: "Within a scope",
      about: "$DATA is this app's own folder. Anything else is refused before the disk is asked.",
      fields: [{ name: "text", label: "Text", type: "textarea", value: "Wind from the west.\nAll well." }],
      actions: [
        { id: "write", label: "Write", run: ({ text }) => write(text) },
        { id: "read", label: "Read", run: read },
        { id: "list", label: "List the folder", run: list },
        { id: "outside", label: "Read /etc/hostname", run: outside },
      ],
      needs: ["fs.write_text", "fs.read_text", "fs.list"],
      settings: 'files = [{ path = "$DATA/**", access = "read_write" }]',
    },
    {
      id: "chosen",
      title: "What the user chose",
      about: "A path from a dialog may be read, whatever the scopes say, until the window closes.",
      actions: [{ id: "read", label: "Choose and read", run: readChosen }],
      needs: ["dialog.open", "fs.read_text"],
    },
    {
      id: "drop",
      title: "Dropped on the window",
      about: "Drag files here from your file manager. The paths are told to windows that may hear them.",
      extra: ({ stage, show }) => {
        const area = document.createElement("p");
        Object.assign(area, { id: "files-area", className: "area", textContent: "Drop files anywhere in this window" });
        stage.append(area);
        follow(area, show);
      },
      needs: ["drop.paths"],
    },
  ],
};

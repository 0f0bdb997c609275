// Other programs: the browser, whatever opens a file, the file manager.
import { invoke, opener } from "/__staysail/api.js";

// #region url
const openUrl = (url) => opener.openUrl(url); // https, http, mailto and tel; nothing that runs
// #endregion

// #region path
const folder = () => invoke("data_folder");
const openFolder = async () => opener.openPath(await folder());
const reveal = async () => opener.reveal(await folder());
// #endregion

export default {
  id: "opener",
  title: "Other programs",
  about: "Opens what the user has for it: their browser, their mail program, their file manager.",
  demos: [
    {
      id: "url",
      title: "Open an address",
      about: "Try file:///etc/passwd: what could run something is refused, with the reason.",
      fields: [{ name: "url", label: "Address", value: "https://example.com/" }],
      actions: [{ id: "open", label: "Open", run: ({ url }) => openUrl(url) }],
      needs: ["opener.open_url"],
    },
    {
      id: "path",
      title: "Open a folder, show a file",
      about: "Here the folder with this app's own data.",
      actions: [
        { id: "open", label: "Open the folder", run: openFolder },
        { id: "reveal", label: "Show it in the file manager", run: reveal },
      ],
      code: ["backend/app/src/desktop.rs#data_folder"],
      needs: ["opener.open_path", "opener.reveal"],
    },
  ],
};

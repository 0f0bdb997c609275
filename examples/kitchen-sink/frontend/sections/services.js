// A service: a part of the backend with a beginning and an end.
import { invoke } from "/__staysail/api.js";

// #region service
async function write(line) {
  const lines = await invoke("logbook.write", { line });
  return `${lines} lines in the logbook`;
}

const read = () => invoke("logbook.read");
// #endregion

export default {
  id: "services",
  title: "Services",
  about: "A part of the backend that opens something when it starts and closes it when it ends. Its methods are commands.",
  demos: [
    {
      id: "service",
      title: "A logbook",
      about: "The service reads its file when the backend starts. Services start in the order they need each other.",
      fields: [{ name: "line", label: "Line", value: "Sighted a lighthouse" }],
      actions: [
        { id: "write", label: "Write", run: ({ line }) => write(line) },
        { id: "read", label: "Read the newest", run: () => read() },
      ],
      code: ["backend/keep/src/logbook.rs"],
    },
  ],
};

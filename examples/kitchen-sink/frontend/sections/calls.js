// Calls: answers, errors, cancelling, time limits.
import { invoke, isCommandError, listen } from "/__staysail/api.js";

// #region greet
function greet(name) {
  return invoke("greet", { name });
}
// #endregion

// #region order
async function order(pieces) {
  try {
    return await invoke("order", { pieces });
  } catch (error) {
    if (!isCommandError(error, "order")) throw error;
    const { reason, limit } = error.details; // the Rust enum, as it was returned
    return reason === "too_many" ? `Refused: only ${limit} left` : "Refused: nothing was ordered";
  }
}
// #endregion

// #region panic
function careless(word) {
  return invoke("careless", { word }); // rejected with the code `Panicked`; everything else goes on
}
// #endregion

// #region cancel
let search = new AbortController();

function searchOcean() {
  search = new AbortController();
  return invoke("search_ocean", { seconds: 30 }, { signal: search.signal });
}

const cancel = () => search.abort();
const withTimeLimit = () => invoke("search_ocean", { seconds: 30 }, { timeout: 500 });
// #endregion

export default {
  id: "calls",
  title: "Calls and errors",
  about: "A Rust function marked with #[command] is called by its name. Arguments and answers are typed; errors are rejected promises.",
  demos: [
    {
      id: "greet",
      title: "Call a Rust function",
      about: "The page passes arguments by name and awaits the answer.",
      fields: [{ name: "name", label: "Name", value: "Ada" }],
      actions: [{ id: "greet", label: "Greet", run: ({ name }) => greet(name) }],
      code: ["backend/talk/src/calls.rs"],
    },
    {
      id: "order",
      title: "Typed errors",
      about: "What a command returns as Err arrives as it is, with every field of the Rust type. There are seven anchors.",
      fields: [{ name: "pieces", label: "Anchors", value: 9, type: "number", min: "0", max: "20" }],
      actions: [{ id: "order", label: "Order", run: ({ pieces }) => order(pieces) }],
      code: ["backend/talk/src/calls.rs"],
    },
    {
      id: "panic",
      title: "Panics and unknown commands",
      about: "A panic ends its own call and nothing else. Every error has a code to decide by and a message for people.",
      fields: [{ name: "word", label: "A number, or not", value: "seven" }],
      actions: [
        { id: "parse", label: "Read the number", run: ({ word }) => careless(word) },
        { id: "unknown", label: "Call what is not there", run: () => invoke("walk_the_plank") },
      ],
      code: ["backend/talk/src/calls.rs"],
    },
    {
      id: "cancel",
      title: "Cancel and time limits",
      about: "Cancelling drops the Rust future where it waits: the work ends, not only the wait for it.",
      actions: [
        { id: "search", label: "Search for 30 s", run: searchOcean },
        { id: "cancel", label: "Cancel", run: (_, { log }) => (cancel(), log("Cancelled")) },
        { id: "limit", label: "Search with a limit of 0.5 s", run: withTimeLimit },
      ],
      extra: ({ stage }) => {
        const told = stage.appendChild(document.createElement("p"));
        told.id = "calls-cancel-told";
        told.textContent = "Rust has not searched yet.";
        listen("search-ended", ({ milliseconds, done }) => {
          told.textContent = `Rust ${done ? "finished" : "gave up"} after ${(milliseconds / 1000).toFixed(1)} s.`;
        });
      },
      code: ["backend/talk/src/calls.rs"],
    },
  ],
};

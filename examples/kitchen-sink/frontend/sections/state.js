// What survives: an exchange of the backend, its crash, a reload of the page.
import { invoke, onBackend, preserve } from "/__staysail/api.js";

// #region kept
const sail = (miles) => invoke("sail", { miles });
// #endregion

// #region swap
const pace = () => invoke("pace");

const follow = (say) =>
  onBackend((event) => {
    if (event.kind === "swapped") say(`New code serves; calls waited ${event.milliseconds} ms`);
    if (event.kind === "lost") say("The backend died and is started again");
    if (event.kind === "restarted") say("It serves again");
  });
// #endregion

// #region crash
async function crash() {
  try {
    await invoke("sink");
  } catch (error) {
    const { miles } = await invoke("voyage"); // answered by the next process
    return `The call ended with ${error.code}. Still ${miles} miles.`;
  }
}
// #endregion

// #region preserve
let course = "north";

preserve("course", {
  save: () => course,
  restore: (kept) => (course = kept),
});
// #endregion

export default {
  id: "state",
  title: "State and live changes",
  about: "The window is not the app: the backend can be exchanged, or die, while the window stays and nothing is forgotten.",
  demos: [
    {
      id: "kept",
      title: "State that is handed over",
      about: "Declared once, kept through every save of a Rust file, every update and every crash.",
      fields: [{ name: "miles", label: "Miles", value: 12, type: "number", min: "1" }],
      actions: [{ id: "sail", label: "Sail", run: async ({ miles }) => `${await sail(miles)} miles so far` }],
      code: ["backend/keep/src/state.rs"],
    },
    {
      id: "swap",
      title: "Change the backend while it runs",
      about: "Open backend/keep/src/state.rs in your editor, change KNOTS and save. Then ask for the pace again.",
      actions: [
        {
          id: "pace",
          label: "How fast?",
          run: async (_, { log }) => {
            const [knots, process] = await pace();
            log(`${knots} knots, says process ${process}`);
          },
        },
      ],
      extra: ({ log }) => follow(log),
      code: ["backend/keep/src/state.rs"],
    },
    {
      id: "crash",
      title: "Crash the backend",
      about: "A call that may have run is never repeated behind your back: it ends with WorkerLost. The next one is served.",
      actions: [{ id: "crash", label: "Sink the ship", run: crash }],
      code: ["backend/keep/src/state.rs"],
    },
    {
      id: "preserve",
      title: "State of the page",
      about: "Form fields, focus and scrolling are kept over a reload by themselves. What your script holds is kept like this.",
      actions: [
        { id: "turn", label: "Turn to the right", run: () => (course = { north: "east", east: "south", south: "west", west: "north" }[course]) },
        { id: "reload", label: "Reload the page", run: () => location.reload() },
      ],
      extra: ({ show }) => show(`Course: ${course}`),
    },
  ],
};

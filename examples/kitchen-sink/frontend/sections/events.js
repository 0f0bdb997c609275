// Events: told to whoever listens, answered by nobody.
import { emit, invoke, listen } from "/__staysail/api.js";

// #region ring
const ring = (strokes) => invoke("ring", { strokes });

const hear = (say) => listen("bell", ({ stroke }) => say(`Stroke ${stroke}`)); // returns a function that ends it
// #endregion

// #region wave
const wave = (from) => emit("wave", from);

const seen = (say) => listen("waved-back", say);
// #endregion

export default {
  id: "events",
  title: "Events",
  about: "A piece of news with a name. The backend tells all windows or one of them, a page tells the backend.",
  demos: [
    {
      id: "ring",
      title: "From Rust to every window",
      about: "A typed event: its name and its fields come from a Rust struct.",
      fields: [{ name: "strokes", label: "Strokes", value: 4, type: "number", min: "1", max: "8" }],
      actions: [{ id: "ring", label: "Ring the bell", run: ({ strokes }) => ring(strokes) }],
      extra: ({ log }) => hear(log),
      code: ["backend/talk/src/events.rs"],
    },
    {
      id: "wave",
      title: "From the page to Rust, and back to this window",
      about: "The backend hears which window an event comes from and can answer that one alone.",
      fields: [{ name: "from", label: "Name", value: "Ada" }],
      actions: [{ id: "wave", label: "Wave", run: ({ from }) => wave(from) }],
      extra: ({ show }) => seen(show),
      code: ["backend/talk/src/events.rs"],
    },
  ],
};

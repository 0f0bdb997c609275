// Streams: many messages for one call, either way.
import { Channel, invoke, Sender } from "/__staysail/api.js";

const pause = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

// #region progress
function pack(bar) {
  const progress = new Channel((percent) => (bar.value = percent));
  return invoke("pack", { progress });
}
// #endregion

// #region iterate
async function nearBuoys(most) {
  const buoys = new Channel();
  const looked_up = invoke("buoys", { buoys });
  const found = [];
  for await (const buoy of buoys) {
    found.push(`Buoy ${buoy.number}: ${buoy.miles} miles`);
    if (found.length === most) break; // closes the channel, and the command ends
  }
  await looked_up;
  return found;
}
// #endregion

// #region pressure
async function takeSlowly(show) {
  let taken = 0;
  const pieces = new Channel(async () => {
    await pause(60); // the next piece comes when this has ended
    show(`Rust has sent ${await invoke("poured")}, the page has taken ${++taken}`);
  });
  await invoke("pour", { pieces });
  await pieces.closed;
  return `All ${taken} pieces taken`;
}
// #endregion

// #region upload
async function count(text) {
  const lines = new Sender();
  const counted = invoke("count_words", { lines });
  for (const line of text.split("\n")) await lines.send(line); // waits until Rust has taken it
  lines.close();
  const { lines: all, words } = await counted;
  return `${all} lines, ${words} words`;
}
// #endregion

let bar;

export default {
  id: "streams",
  title: "Streams",
  about: "For more than one answer. Whoever is slow slows the other side down: nothing piles up, nothing is lost.",
  demos: [
    {
      id: "progress",
      title: "Progress",
      about: "The command sends while it works; the call itself is answered when it is done.",
      actions: [{ id: "pack", label: "Pack", run: () => pack(bar) }],
      extra: ({ stage }) => {
        bar = document.createElement("progress");
        Object.assign(bar, { max: 100, value: 0 });
        bar.setAttribute("aria-label", "How much is packed");
        stage.append(bar);
      },
      code: ["backend/talk/src/streams.rs"],
    },
    {
      id: "iterate",
      title: "Take what you need",
      about: "A channel can be looped over. Leaving the loop closes it, and the command stops looking for more.",
      fields: [{ name: "most", label: "Buoys", value: 4, type: "number", min: "1", max: "8" }],
      actions: [{ id: "look", label: "Look for buoys", run: ({ most }) => nearBuoys(most) }],
      code: ["backend/talk/src/streams.rs"],
    },
    {
      id: "pressure",
      title: "A slow page",
      about: "Rust has 16 pieces of 1 MB ready at once and is kept back: at most 4 MB are ever under way.",
      actions: [{ id: "take", label: "Take them slowly", run: (_, { show }) => takeSlowly(show) }],
      code: ["backend/talk/src/streams.rs"],
    },
    {
      id: "upload",
      title: "From the page to Rust",
      about: "The other way round: lines of text, or pieces of a file, one by one.",
      fields: [{ name: "text", label: "Text", type: "textarea", value: "What shall we do\nwith the drunken sailor\nearly in the morning?" }],
      actions: [{ id: "count", label: "Count words", run: ({ text }) => count(text) }],
      code: ["backend/talk/src/streams.rs"],
    },
  ],
};

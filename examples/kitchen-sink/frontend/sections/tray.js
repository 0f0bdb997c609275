// The icon in the tray.
import { tray } from "/__staysail/api.js";

// #region tray
const show = () =>
  tray.set({
    icon: "/icons/sail.png",
    tooltip: "Kitchen Sink",
    menu: [
      { id: "hoist", text: "Hoist the flag" },
      { kind: "check", id: "quiet", text: "Quiet" },
    ],
  });

const rename = (tooltip) => tray.update({ tooltip });
const remove = () => tray.remove();

const follow = (say) =>
  tray.onEvent((event) => {
    if (event.kind !== "chosen") say(event.kind);
    else say(event.checked === undefined ? `${event.id} was chosen` : `${event.id} is ${event.checked ? "on" : "off"}`);
  });
// #endregion

export default {
  id: "tray",
  title: "Tray",
  about: "An icon beside the clock, with a tooltip and a menu. It stays through every exchange of the backend.",
  demos: [
    {
      id: "tray",
      title: "An icon in the tray",
      about: "On a desktop without a tray it waits until there is one; the answer says whether it is shown.",
      fields: [{ name: "tooltip", label: "Tooltip", value: "All quiet" }],
      actions: [
        { id: "show", label: "Put it there", run: async () => ((await show()).shown ? "Shown" : "Waits for a tray") },
        { id: "rename", label: "Change the tooltip", run: ({ tooltip }) => rename(tooltip) },
        { id: "remove", label: "Take it away", run: remove },
      ],
      extra: ({ log }) => follow(log),
      needs: ["tray.set", "tray.update", "tray.remove"],
    },
  ],
};

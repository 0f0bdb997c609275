// Notifications, with buttons.
import { invoke, notification } from "/__staysail/api.js";

// #region show
let last = 0;

async function show(title, body) {
  last = await notification.show({
    title,
    body,
    actions: [{ id: "reply", label: "Reply" }, { id: "later", label: "Later" }],
  });
  return `Notification ${last} is shown`;
}

const close = () => notification.close(last);

const follow = (say) =>
  notification.onEvent((event) => say(`Notification ${event.id}: ${event.kind === "action" ? event.action : event.kind}`));
// #endregion

// #region notify
const fromRust = () => invoke("notify_from_rust");
// #endregion

export default {
  id: "notifications",
  title: "Notifications",
  about: "The desktop's own. The app is told what was clicked, also when its window is hidden.",
  demos: [
    {
      id: "show",
      title: "Show one",
      about: "With up to a few buttons, as the desktop has room for.",
      fields: [
        { name: "title", label: "Title", value: "Message in a bottle" },
        { name: "body", label: "Text", value: "It washed ashore." },
      ],
      actions: [
        { id: "show", label: "Show", run: async ({ title, body }, { log }) => log(await show(title, body)) },
        { id: "close", label: "Take it away", run: close },
      ],
      extra: ({ log }) => follow(log),
      needs: ["notification.show", "notification.close"],
    },
    {
      id: "notify",
      title: "From Rust",
      about: "The backend needs no capability.",
      actions: [{ id: "show", label: "Let Rust show one", run: async () => `Notification ${await fromRust()} is shown` }],
      code: ["backend/app/src/desktop.rs"],
    },
  ],
};

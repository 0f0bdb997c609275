// Keys that reach the app whatever program has the focus.
import { shortcut } from "/__staysail/api.js";

// #region shortcuts
const take = (keys) => shortcut.register("horn", keys);
const giveBack = () => shortcut.unregister("horn");

const list = async () => (await shortcut.list()).map(({ id, keys, problem }) => `${id}: ${keys}${problem ? `, but ${problem}` : ""}`);

const follow = (say) => shortcut.onPressed(({ id, pressed }) => pressed && say(`${id} was pressed`));
// #endregion

export default {
  id: "shortcuts",
  title: "Global shortcuts",
  about: "Keys for the whole desktop. They are given back when the app ends.",
  demos: [
    {
      id: "shortcuts",
      title: "Sound the horn",
      about: "Take the keys, go to another program, press them. Keys another program has are refused, with the reason.",
      fields: [{ name: "keys", label: "Keys", value: "CmdOrCtrl+Shift+H" }],
      actions: [
        { id: "take", label: "Take the keys", run: ({ keys }) => take(keys).then(() => "Taken") },
        { id: "list", label: "List", run: list },
        { id: "back", label: "Give them back", run: () => giveBack().then(() => "Given back") },
      ],
      extra: ({ log }) => follow(log),
      needs: ["shortcut.register", "shortcut.unregister", "shortcut.list"],
    },
  ],
};

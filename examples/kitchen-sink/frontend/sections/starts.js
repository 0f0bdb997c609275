// What runs, whether it starts at log-in, and whether the machine may sleep.
import { application, autostart, power } from "/__staysail/api.js";

// #region info
const info = () => application.info();
// #endregion

// #region autostart
const enable = () => autostart.enable(["--hidden"]);
const disable = () => autostart.disable();
const state = async () => ((await autostart.state()) ? "Starts at log-in" : "Does not start at log-in");
// #endregion

// #region awake
let wish = null;

async function stayAwake(reason) {
  wish = await power.keepAwake(reason, { display: true });
}

async function maySleep() {
  if (wish !== null) await power.release(wish);
  wish = null;
}
// #endregion

export default {
  id: "starts",
  title: "Start and sleep",
  about: "What this app is, whether it is started with the computer, and what happens when it is left alone for long.",
  demos: [
    {
      id: "info",
      title: "What runs, and where",
      about: "Version, system, language, and the folders of this app.",
      actions: [{ id: "info", label: "Tell", run: info }],
      needs: ["app.info"],
    },
    {
      id: "autostart",
      title: "At log-in",
      about: "For a built app: in development there is no program the system could start, and the answer says so.",
      actions: [
        { id: "enable", label: "Start at log-in", run: enable },
        { id: "disable", label: "Do not", run: disable },
        { id: "state", label: "Does it?", run: state },
      ],
      needs: ["autostart.enable", "autostart.disable", "autostart.state"],
    },
    {
      id: "awake",
      title: "Keep the machine awake",
      about: "For a presentation or a long copy. The wish ends with this page at the latest.",
      fields: [{ name: "reason", label: "Reason", value: "Keeping watch" }],
      actions: [
        { id: "awake", label: "Stay awake", run: ({ reason }) => stayAwake(reason).then(() => "Awake, and the screen stays on") },
        { id: "release", label: "May sleep again", run: () => maySleep().then(() => "May sleep") },
      ],
      needs: ["power.keep_awake", "power.release"],
    },
  ],
};

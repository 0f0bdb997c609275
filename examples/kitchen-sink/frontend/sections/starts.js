// How the app is started: arguments, a second start, links, at log-in.
import { application, autostart, power } from "/__staysail/api.js";

// #region info
const info = () => application.info();
// #endregion

// #region starts
const follow = (say) =>
  application.onOpened(({ urls, files, arguments: words, first }) => {
    // Whatever comes from outside is data: check it before you act on it.
    say(`${first ? "First" : "Second"} start: ${[...urls, ...files].join(", ") || words.join(" ") || "nothing to open"}`);
  });
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
  about: "What happens when the app is started again, opened by a link, started with the computer, or left alone for long.",
  demos: [
    {
      id: "info",
      title: "What runs, and where",
      about: "Version, system, language, and the folders of this app.",
      actions: [{ id: "info", label: "Tell", run: info }],
      needs: ["app.info"],
    },
    {
      id: "starts",
      title: "One instance, and links",
      about: "A second start of a built app is handed to the first. kitchen-sink: links lead here once the app is installed.",
      extra: ({ log }) => follow(log),
      code: ["backend/app/src/main.rs"],
      needs: ["app.show"],
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

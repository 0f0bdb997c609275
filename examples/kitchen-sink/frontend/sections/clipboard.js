// The clipboard: text, HTML, images.
import { clipboard } from "/__staysail/api.js";

// #region text
const copyText = (text) => clipboard.writeText(text);
const pasteText = () => clipboard.readText(); // null when there is none
const clear = () => clipboard.clear();
// #endregion

// #region html
const copyHtml = (html) => clipboard.writeHtml(html, "Ahoy"); // the second is for programs that take no HTML
const pasteHtml = () => clipboard.readHtml();
// #endregion

// #region image
async function copyImage(canvas) {
  const blob = await new Promise((resolve) => canvas.toBlob(resolve, "image/png"));
  await clipboard.writeImage(new Uint8Array(await blob.arrayBuffer()));
}

async function pasteImage(image) {
  const png = await clipboard.readImage();
  if (png === null) return "There is no image";
  image.src = URL.createObjectURL(new Blob([png], { type: "image/png" }));
  await image.decode();
  return `${image.naturalWidth} × ${image.naturalHeight} pixels`;
}
// #endregion

let canvas;
let image;

function paint() {
  const context = canvas.getContext("2d");
  context.fillStyle = "#0b6b75";
  context.fillRect(0, 0, 96, 64);
  context.fillStyle = "#f7f4ec";
  context.fillRect(0, 20, 96, 10);
  context.fillRect(26, 0, 10, 64);
}

export default {
  id: "clipboard",
  title: "Clipboard",
  about: "The system's clipboard, whether or not the user has just clicked: a capability decides, not a gesture.",
  demos: [
    {
      id: "text",
      title: "Text",
      about: "Paste it into any other program.",
      fields: [{ name: "text", label: "Text", value: "Ahoy from Staysail ⚓" }],
      actions: [
        { id: "copy", label: "Copy", run: ({ text }) => copyText(text) },
        { id: "paste", label: "Paste", run: async () => (await pasteText()) ?? "Nothing" },
        { id: "clear", label: "Empty it", run: clear },
      ],
      needs: ["clipboard.write_text", "clipboard.read_text", "clipboard.clear"],
    },
    {
      id: "html",
      title: "HTML",
      about: "Formatted text for programs that take it, and plain text for the others.",
      fields: [{ name: "html", label: "HTML", value: "<b>Ahoy</b>, <i>sailor</i>" }],
      actions: [
        { id: "copy", label: "Copy", run: ({ html }) => copyHtml(html) },
        { id: "paste", label: "Paste", run: async () => (await pasteHtml()) ?? "Nothing" },
      ],
      needs: ["clipboard.write_html", "clipboard.read_html"],
    },
    {
      id: "image",
      title: "Images",
      about: "PNG in, PNG out. Copy an image in another program and paste it here.",
      actions: [
        { id: "copy", label: "Copy the flag", run: () => copyImage(canvas) },
        { id: "paste", label: "Paste", run: () => pasteImage(image) },
      ],
      extra: ({ stage }) => {
        canvas = document.createElement("canvas");
        Object.assign(canvas, { width: 96, height: 64 });
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", "A flag");
        paint();
        image = document.createElement("img");
        image.id = "clipboard-pasted";
        image.alt = "";
        stage.append(canvas, image);
      },
      needs: ["clipboard.write_image", "clipboard.read_image"],
    },
  ],
};

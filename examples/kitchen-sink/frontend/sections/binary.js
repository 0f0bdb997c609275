// Raw bytes, which never become JSON.
import { invoke } from "/__staysail/api.js";

// #region invert
async function invert(canvas) {
  const context = canvas.getContext("2d");
  const image = context.getImageData(0, 0, canvas.width, canvas.height);
  const bytes = await invoke("invert", new Uint8Array(image.data.buffer)); // an ArrayBuffer
  image.data.set(new Uint8Array(bytes));
  context.putImageData(image, 0, 0);
}
// #endregion

// #region echo
async function echo(megabytes) {
  const bytes = new Uint8Array(megabytes << 20).fill(7);
  const begun = performance.now();
  const back = await invoke("echo", bytes);
  const seconds = (performance.now() - begun) / 1000;
  return `${back.byteLength.toLocaleString("en")} bytes there and back in ${Math.round(seconds * 1000)} ms`;
}
// #endregion

/** A sunset at sea. */
function paint(canvas) {
  const context = canvas.getContext("2d");
  const sky = context.createLinearGradient(0, 0, 0, 96);
  sky.addColorStop(0, "#20486b");
  sky.addColorStop(1, "#f4b36b");
  context.fillStyle = sky;
  context.fillRect(0, 0, 320, 96);
  context.fillStyle = "#123047";
  context.fillRect(0, 96, 320, 44);
  context.fillStyle = "#fff3d6";
  context.beginPath();
  context.arc(228, 88, 26, Math.PI, 0);
  context.fill();
  context.fillStyle = "#f7f4ec";
  context.beginPath();
  context.moveTo(110, 30);
  context.lineTo(110, 100);
  context.lineTo(64, 100);
  context.fill();
  context.fillStyle = "#7a3b2e";
  context.fillRect(56, 104, 84, 12);
}

let canvas;

export default {
  id: "binary",
  title: "Binary data",
  about: "Bytes travel as they are, both ways, from one byte to hundreds of megabytes. No base64, no JSON.",
  demos: [
    {
      id: "invert",
      title: "Work on an image in Rust",
      about: "The canvas sends its pixels, Rust turns the colours around, the canvas shows what comes back.",
      actions: [
        { id: "invert", label: "Invert the colours", run: () => invert(canvas) },
        { id: "again", label: "Paint again", run: () => paint(canvas) },
      ],
      extra: ({ stage }) => {
        canvas = document.createElement("canvas");
        Object.assign(canvas, { width: 320, height: 140, id: "binary-canvas" });
        canvas.setAttribute("role", "img");
        canvas.setAttribute("aria-label", "A boat at sunset");
        paint(canvas);
        stage.append(canvas);
      },
      code: ["backend/talk/src/binary.rs"],
    },
    {
      id: "echo",
      title: "Large bodies",
      about: "The whole body is handed to the command at once. For more than fits in memory there are streams.",
      fields: [{ name: "megabytes", label: "Megabytes", value: 16, type: "number", min: "1", max: "256" }],
      actions: [{ id: "echo", label: "There and back", run: ({ megabytes }) => echo(megabytes) }],
      code: ["backend/talk/src/binary.rs"],
    },
  ],
};

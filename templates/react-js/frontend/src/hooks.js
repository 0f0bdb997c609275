import { listen, onBackend, preserve, update } from "@staysail/api";
import { useEffect, useRef, useState } from "react";

/** As `useState`, and the value outlives a reload of the page. */
export function usePreserved(key, initial) {
  const [value, setValue] = useState(initial);
  const latest = useRef(value);
  useEffect(() => {
    latest.current = value;
  }, [value]);
  useEffect(() => preserve(key, { save: () => latest.current, restore: setValue }), [key]);
  return [value, setValue];
}

/** Calls `handler` for each event of the backend with that name. */
export function useEvent(name, handler) {
  const latest = useRef(handler);
  useEffect(() => {
    latest.current = handler;
  });
  useEffect(() => listen(name, (payload) => latest.current(payload)), [name]);
}

/** The last thing that went live while the window was open. */
export function useNews() {
  const [news, setNews] = useState("");
  useEffect(() => {
    const say = (text) => setNews(`${text} · ${new Date().toLocaleTimeString()}`);
    const ends = [
      onBackend((event) => event.kind === "swapped" && say("New backend live")),
      update.onEvent((event) => event.kind === "applied" && say(`Version ${event.version} live`)),
    ];
    return () => ends.forEach((end) => end());
  }, []);
  return news;
}

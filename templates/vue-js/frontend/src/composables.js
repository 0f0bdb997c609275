import { listen, onBackend, preserve, update } from "@staysail/api";
import { onScopeDispose, ref } from "vue";

/** As `ref`, and the value outlives a reload of the page. */
export function preserved(key, initial) {
  const value = ref(initial);
  onScopeDispose(preserve(key, { save: () => value.value, restore: (kept) => (value.value = kept) }));
  return value;
}

/** Calls `handler` for each event of the backend with that name. */
export function onEvent(name, handler) {
  onScopeDispose(listen(name, handler));
}

/** The last thing that went live while the window was open. */
export function useNews() {
  const news = ref("");
  const say = (text) => (news.value = `${text} · ${new Date().toLocaleTimeString()}`);
  onScopeDispose(onBackend((event) => event.kind === "swapped" && say("New backend live")));
  onScopeDispose(update.onEvent((event) => event.kind === "applied" && say(`Version ${event.version} live`)));
  return news;
}

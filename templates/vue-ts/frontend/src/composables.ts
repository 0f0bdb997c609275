import { type Events, listen, onBackend, preserve, update } from "@staysail/api";
import { onScopeDispose, type Ref, ref } from "vue";

/** As `ref`, and the value outlives a reload of the page. */
export function preserved<T>(key: string, initial: T): Ref<T> {
  const value = ref(initial) as Ref<T>;
  onScopeDispose(preserve<T>(key, { save: () => value.value, restore: (kept) => (value.value = kept) }));
  return value;
}

/** Calls `handler` for each event of the backend with that name. */
export function onEvent<K extends keyof Events & string>(name: K, handler: (payload: Events[K]) => void): void {
  onScopeDispose(listen<K>(name, (payload) => handler(payload as Events[K])));
}

/** The last thing that went live while the window was open. */
export function useNews(): Ref<string> {
  const news = ref("");
  const say = (text: string) => (news.value = `${text} · ${new Date().toLocaleTimeString()}`);
  onScopeDispose(onBackend((event) => event.kind === "swapped" && say("New backend live")));
  onScopeDispose(update.onEvent((event) => event.kind === "applied" && say(`Version ${event.version} live`)));
  return news;
}

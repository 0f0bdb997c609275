/**
 * Pages that come late: loaded from files as they were, connected when those have changed.
 *
 * Vite sends what has happened to the pages that are connected, and keeps one message when there is none. So a save is
 * lost to a page that is just being loaded, and a mistake to a page that is loaded while another one is open. Here what was sent
 * is counted. A page carries the count from when it was loaded, asks for the present one when it is connected, and loads
 * itself again when it has missed something (`page.ts`).
 */
import { randomUUID } from "node:crypto";
/** Counts what `server` sends to the pages. */
export function counted(server) {
    const present = { server: randomUUID(), changes: 0, mistake: null };
    const { client } = server.environments;
    const hot = client.hot;
    const send = hot.send.bind(hot);
    hot.send = (...message) => {
        const { type, err, ifFallback } = (typeof message[0] === "object" ? message[0] : {});
        if (type === "error")
            present.mistake = err ?? null;
        // One that is meant for a page Vite serves for want of another is not for all.
        if ((type === "update" || type === "full-reload") && !ifFallback) {
            present.changes += 1;
            present.mistake = null;
        }
        send(...message);
    };
    return {
        count: () => ({ server: present.server, changes: present.changes }),
        async mistake() {
            const { mistake } = present;
            const { id } = (mistake ?? {});
            if (typeof id !== "string")
                return null;
            const wrong = await client.transformRequest(id).then(() => false, () => true);
            return wrong && mistake === present.mistake ? mistake : null;
        },
    };
}

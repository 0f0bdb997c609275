export function start(hot, ErrorOverlay) {
    const loaded = loadedFrom();
    let heard = 0;
    const hear = () => void (heard += 1);
    let shown = null;
    hot.on("staysail:backend", (error) => {
        shown?.remove();
        shown = null;
        if (!error || !ErrorOverlay)
            return;
        shown = new ErrorOverlay(error);
        document.body.append(shown);
    });
    hot.on("staysail:present", ({ server, changes, mistake }) => {
        if (server === loaded?.server && changes > loaded.changes + heard)
            loadAgain(`${server} ${changes}`);
        else if (mistake && ErrorOverlay && !document.querySelector("vite-error-overlay")) {
            document.body.append(new ErrorOverlay(mistake));
        }
    });
    // Whatever was said before this page was connected, it has missed; and so has it what was said before its modules have
    // run: Vite's client passes over those it does not know yet.
    hot.send("staysail:hello");
    const whole = () => {
        hot.on("vite:beforeUpdate", hear);
        hot.on("vite:beforeFullReload", hear);
        hot.send("staysail:hello");
    };
    if (document.readyState === "complete")
        whole();
    else
        addEventListener("load", whole, { once: true });
}
/** What the page's files were made from: `transformIndexHtml` of `index.ts` writes it into the tag of this script. */
function loadedFrom() {
    const [server, changes] = document.querySelector("script[data-staysail]")?.dataset["staysail"]?.split(" ") ?? [];
    return server && changes ? { server, changes: Number(changes) } : null;
}
/** Once for each count: a page that is kept somewhere on the way (a service worker) comes out no newer. */
function loadAgain(count) {
    const KEY = "staysail:loaded-again";
    if (sessionStorage.getItem(KEY) === count)
        return;
    sessionStorage.setItem(KEY, count);
    location.reload();
}

export function start(hot, ErrorOverlay) {
    let shown = null;
    hot.on("staysail:backend", (error) => {
        shown?.remove();
        shown = null;
        if (!error || !ErrorOverlay)
            return;
        shown = new ErrorOverlay(error);
        document.body.append(shown);
    });
    // A page that was loaded while the backend is broken has missed the message.
    hot.send("staysail:hello");
}

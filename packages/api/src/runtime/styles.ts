/** Style sheets are exchanged in place: the new one is in before the old one goes, so nothing flickers. */
export function exchange(paths: string[]): void {
  const links = [...document.querySelectorAll<HTMLLinkElement>("link[rel~='stylesheet']")].filter((link) => {
    return link.href && new URL(link.href).origin === location.origin && !link.dataset.staysailLeaving;
  });
  const named = links.filter((link) => paths.includes(decodeURIComponent(new URL(link.href).pathname)));
  // One that no link names is imported by another: all are fetched again.
  for (const link of named.length > 0 ? named : links) {
    const next = link.cloneNode() as HTMLLinkElement;
    const address = new URL(link.href);
    address.searchParams.set("staysail", String(Date.now()));
    next.href = address.href;
    const leave = () => link.remove();
    next.addEventListener("load", leave, { once: true });
    next.addEventListener("error", () => next.remove(), { once: true });
    link.dataset.staysailLeaving = "";
    link.after(next);
  }
}

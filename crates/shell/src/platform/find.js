(order, most) => {
  const kept = Symbol.for("staysail.find");
  const search = "again" in order ? window[kept] : order;
  if (!search) return -1;
  window[kept] = search;
  const backwards = order.again ? order.again === "previous" : search.backwards;
  // A search that begins does so from one end of the page.
  if (!order.again) {
    const selection = getSelection();
    selection.removeAllRanges();
    if (document.body) {
      const range = document.createRange();
      range.selectNodeContents(document.body);
      range.collapse(!search.backwards);
      selection.addRange(range);
    }
  }
  if (!window.find(search.text, search.case, backwards, search.wrap, false, false, false)) return 0;
  const plain = (text) => (search.case ? text : text.toLowerCase());
  const [text, wanted] = [plain(document.body?.innerText ?? ""), plain(search.text)];
  let count = 0;
  for (let at = text.indexOf(wanted); at >= 0 && count < most; at = text.indexOf(wanted, at + wanted.length)) count += 1;
  return Math.max(count, 1);
}

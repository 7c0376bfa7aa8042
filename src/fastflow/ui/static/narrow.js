// A list that is all there is narrowed while one types: `data-narrows` of the field names its rows by a selector.
(() => {
  function narrow(field) {
    const wanted = field.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const isOnly = field.parentElement.querySelector("[data-only]")?.checked;
    let shown = 0;
    for (const row of document.querySelectorAll(field.dataset.narrows)) {
      row.hidden = !wanted.every((word) => row.dataset.text.includes(word)) || Boolean(isOnly && !row.dataset.set);
      shown += row.hidden ? 0 : 1;
    }
    const none = document.querySelector(field.dataset.none);
    if (none) none.hidden = shown > 0;
  }
  const fieldOf = (element) => element.closest(".filters")?.querySelector("[data-narrows]");
  for (const kind of ["input", "change"])
    document.addEventListener(kind, (event) => {
      const field = event.target.matches("[data-narrows], [data-only]") && fieldOf(event.target);
      if (field) narrow(field);
    });
  // a page that came with words in its address
  new MutationObserver(() => {
    for (const field of document.querySelectorAll("[data-narrows]:not([data-narrowed])")) {
      field.dataset.narrowed = "yes";
      narrow(field);
    }
  }).observe(document.body, { childList: true, subtree: true });
})();

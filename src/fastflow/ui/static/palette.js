// Ctrl-K: pages and what the shell can do at once, and what the rooms offer for some words. They are asked as the reader.
(() => {
  const words = given.words;
  const make = (name, attributes, text) => {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    return made;
  };
  const dialog = make("dialog", { class: "palette", "aria-label": words.palette_label });
  const field = make("input", {
    type: "search", placeholder: words.palette_label, role: "combobox", "aria-expanded": "true", "aria-controls": "palette-list",
    "aria-label": words.palette_label, "aria-autocomplete": "list", autocomplete: "off", spellcheck: "false",
  });
  const list = make("div", { id: "palette-list", class: "palette-list", role: "listbox", "aria-label": words.palette_label });
  const told = make("div", { class: "unseen", role: "status", "aria-live": "polite" });
  dialog.append(field, list, told, make("footer", {}, words.palette_keys));
  document.body.append(dialog);

  const commands = [
    ["palette_theme", "theme"],
    ["palette_language", "language"],
    ["palette_log_out", "logout"],
  ].map(([word, name]) => ({ label: words[word], note: "", act: () => does[name]() }));
  const fits = (item, wanted) => wanted.every((word) => `${item.label} ${item.note || ""}`.toLowerCase().includes(word));
  let groups = []; // as the server answered last
  let options = [];
  let chosen = 0;
  let asked = 0;
  let answered = 0;
  let isEntered = false; // Enter came before the answer
  let soon;

  async function ask() {
    const mine = ++asked;
    try {
      const answer = await fetch(`${given.base}/find?q=${encodeURIComponent(field.value.trim())}`);
      if (mine !== asked) return;
      groups = answer.ok ? (await answer.json()).groups : [];
    } catch {
      if (mine === asked) groups = [];
    }
    if (mine !== asked) return;
    answered = mine;
    show(false);
    if (isEntered) act(options[chosen]);
    isEntered = false;
  }

  // What was answered to fewer letters is shown until the answer comes, as far as it fits.
  function show(isNew) {
    const before = isNew ? undefined : options[chosen]?.key;
    const wanted = field.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const isStale = asked !== answered;
    const all = [
      { title: words.palette_pages, items: given.pages.map((each) => ({ ...each, note: `g ${each.key}` })).filter((each) => fits(each, wanted)) },
      { title: words.palette_commands, items: wanted.length ? commands.filter((each) => fits(each, wanted)) : commands },
      ...groups.map((group) => ({
        title: group.title,
        items: group.items
          .filter((each) => !isStale || fits(each, wanted))
          .map((each) => ({ ...each, path: each.call ? each.path : given.base + each.path, then: each.call && given.base + each.path })),
      })),
    ];
    if (!wanted.length) all.push(all.splice(1, 1)[0]);
    options = [];
    list.replaceChildren();
    all.forEach(({ title, items }, number) => {
      if (!items.length) return;
      const group = make("div", { role: "group", "aria-labelledby": `palette-group-${number}` });
      group.append(make("div", { class: "palette-group", id: `palette-group-${number}`, role: "presentation" }, title));
      for (const item of items) group.append(option(item, title));
      list.append(group);
    });
    if (!options.length) list.append(make("p", {}, isStale ? words.palette_searching : words.palette_nothing));
    if (!isStale) put(told, options.length ? words.palette_count.replace("{n}", options.length) : words.palette_nothing);
    choose(Math.max(0, options.findIndex((each) => each.key === before)));
  }

  function option(item, title) {
    const isLink = item.path && !item.call;
    const element = make("a", { role: "option", id: `palette-option-${options.length}`, tabindex: "-1", ...(isLink ? { href: item.path } : {}) });
    element.append(make("span", {}, item.label), make("small", {}, item.note || ""));
    const made = { ...item, element, key: `${title} ${item.label} ${item.path || ""}` };
    if (!isLink)
      element.addEventListener("click", (event) => {
        event.preventDefault();
        act(made);
      });
    options.push(made);
    return element;
  }

  function choose(at) {
    if (!options.length) return field.removeAttribute("aria-activedescendant");
    chosen = (at + options.length) % options.length;
    options.forEach((each, number) => each.element.setAttribute("aria-selected", String(number === chosen)));
    field.setAttribute("aria-activedescendant", options[chosen].element.id);
    options[chosen].element.scrollIntoView({ block: "nearest" });
  }

  function act(item) {
    if (!item) return;
    if (item.call) call(item);
    else if (item.act) {
      dialog.close();
      item.act();
    } else item.element.click();
  }

  async function call(item) {
    dialog.close();
    try {
      const me = await (await fetch("/auth/me")).json();
      const headers = { "Content-Type": "application/json", "X-CSRF-Token": me.csrf_token };
      const answer = await fetch(item.call, { method: "POST", headers, body: "{}" });
      const said = await answer.json();
      if (answer.ok) location.assign(item.then.replace("{id}", encodeURIComponent(said.id)));
      else tell(said.detail || said.title, said.hint);
    } catch {
      tell(words.palette_failed, "");
    }
  }

  function tell(message, caption) {
    globalThis.Quasar?.Notify.create({
      message, caption, classes: "toast problem", position: "bottom-right", timeout: 12000, attrs: { role: "alert" },
      actions: [{ label: "✕" }],
    });
  }

  field.addEventListener("input", () => {
    isEntered = false;
    asked += 1; // what is under way answers other words
    show(true);
    clearTimeout(soon);
    soon = setTimeout(ask, 60);
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.isComposing) return;
    if (event.key === "ArrowDown") choose(chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen - 1);
    else if (event.key === "PageDown") choose(Math.min(chosen + 8, options.length - 1));
    else if (event.key === "PageUp") choose(Math.max(chosen - 8, 0));
    else if (event.key === "Enter" && options.length) act(options[chosen]);
    else if (event.key === "Enter") isEntered = asked !== answered;
    else return;
    event.preventDefault();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

  globalThis.openPalette = () => {
    if (dialog.open) return;
    field.value = "";
    asked += 1;
    dialog.showModal();
    field.focus();
    show(true);
    ask();
  };
})();

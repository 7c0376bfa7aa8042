// Ctrl-K: pages, pipelines and runs by a few letters. Asks the API as the reader, so it shows what the reader may see.
(() => {
  const MOST = 8;
  const words = given.words;
  const dialog = document.createElement("dialog");
  dialog.className = "palette";
  dialog.setAttribute("aria-label", words.palette_label);
  const field = Object.assign(document.createElement("input"), { type: "search", placeholder: words.palette_label });
  field.setAttribute("role", "combobox");
  field.setAttribute("aria-expanded", "true");
  field.setAttribute("aria-controls", "palette-list");
  field.setAttribute("aria-label", words.palette_label);
  const list = Object.assign(document.createElement("div"), { id: "palette-list", className: "palette-list" });
  list.setAttribute("role", "listbox");
  const keys = Object.assign(document.createElement("footer"), { textContent: words.palette_keys });
  dialog.append(field, list, keys);
  document.body.append(dialog);

  let pipelines = [];
  let runs = [];
  let chosen = 0;
  let asked = 0;

  const ask = async (path) => {
    const answer = await fetch(path);
    return answer.ok ? (await answer.json()).items : [];
  };
  const fits = (text, wanted) => wanted.every((word) => text.toLowerCase().includes(word));
  const run = (each) => ({
    path: `${given.base}/runs/${each.id}`,
    label: each.pipeline_name,
    note: `${given.statuses[each.reason || each.status]} · ${each.id.slice(-8)}`,
  });

  async function lookForRuns(text) {
    const mine = ++asked;
    const isId = /^[0-9a-f-]{6,36}$/i.test(text);
    const exactly = pipelines.find((each) => each.name === text);
    const query = isId ? `id_tail=${text}&` : exactly ? `pipeline_name=${encodeURIComponent(text)}&` : "";
    const found = await ask(`/runs?${query}limit=${query ? MOST : 50}`);
    if (mine !== asked) return;
    runs = found.map((each) => ({ ...run(each), always: Boolean(query) }));
    show();
  }

  function show() {
    const wanted = field.value.trim().toLowerCase().split(/\s+/).filter(Boolean);
    const groups = [
      [words.palette_pages, given.pages.filter((each) => fits(each.label, wanted)).map((each) => ({ ...each, note: `g ${each.key}` }))],
      [
        words.palette_pipelines,
        pipelines
          .filter((each) => fits(`${each.name} ${each.description}`, wanted))
          .map((each) => ({ path: `${given.base}/pipelines/${encodeURIComponent(each.name)}`, label: each.name, note: each.description })),
      ],
      [words.palette_runs, runs.filter((each) => each.always || fits(`${each.label} ${each.note}`, wanted))],
    ];
    list.replaceChildren();
    for (const [title, items] of groups) {
      if (!items.length) continue;
      list.append(Object.assign(document.createElement("div"), { className: "palette-group", textContent: title }));
      for (const item of items.slice(0, MOST)) {
        const option = Object.assign(document.createElement("a"), { href: item.path, tabIndex: -1 });
        option.setAttribute("role", "option");
        option.append(
          Object.assign(document.createElement("span"), { textContent: item.label }),
          Object.assign(document.createElement("small"), { textContent: item.note || "" }),
        );
        list.append(option);
      }
    }
    if (!list.children.length) list.append(Object.assign(document.createElement("p"), { textContent: words.palette_nothing }));
    choose(0);
  }

  function choose(at) {
    const options = [...list.querySelectorAll("a")];
    if (!options.length) return;
    chosen = (at + options.length) % options.length;
    options.forEach((option, number) => option.setAttribute("aria-selected", String(number === chosen)));
    options[chosen].id = "palette-chosen";
    options.forEach((option, number) => number !== chosen && option.removeAttribute("id"));
    field.setAttribute("aria-activedescendant", "palette-chosen");
    options[chosen].scrollIntoView({ block: "nearest" });
  }

  field.addEventListener("input", () => {
    show();
    lookForRuns(field.value.trim());
  });
  dialog.addEventListener("keydown", (event) => {
    if (event.key === "ArrowDown") choose(chosen + 1);
    else if (event.key === "ArrowUp") choose(chosen - 1);
    else if (event.key === "Enter") list.querySelectorAll("a")[chosen]?.click();
    else return;
    event.preventDefault();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());

  globalThis.openPalette = async () => {
    if (dialog.open) return;
    field.value = "";
    dialog.showModal();
    field.focus();
    show();
    lookForRuns("");
    pipelines = await ask("/pipelines");
    show();
  };
})();

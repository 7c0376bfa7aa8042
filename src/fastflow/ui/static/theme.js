// Before anything is drawn: the page's language, and the reader's choice of light or dark, else the system's.
(() => {
  const given = document.getElementById("given");
  if (given) document.documentElement.lang = JSON.parse(given.textContent).language;
  const chosen = /(?:^|; )fastflow_theme=(light|dark)/.exec(document.cookie);
  const system = matchMedia("(prefers-color-scheme: dark)");
  const apply = () => {
    const dark = chosen ? chosen[1] === "dark" : system.matches;
    document.documentElement.classList.toggle("dark", dark);
  };
  apply();
  if (!chosen) system.addEventListener("change", apply);
})();

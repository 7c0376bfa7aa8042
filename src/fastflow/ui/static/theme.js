// Before anything is drawn: the page's language, the reader's choice of light or dark, else the system's; and the server is
// told the reader's zone, in which it tells days and hours apart.
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
  document.cookie = `fastflow_zone=${Intl.DateTimeFormat().resolvedOptions().timeZone}; path=/; max-age=31536000; samesite=lax`;
  if (!chosen) system.addEventListener("change", apply);
})();

// What every page does in the browser: times in the reader's zone, theme, language, keyboard, leaving.
const given = JSON.parse(document.getElementById("given").textContent);
const YEAR = 31536000;

const tongue = navigator.languages.find((each) => each.startsWith(given.language)) || given.language;
const relative = new Intl.RelativeTimeFormat(tongue, { numeric: "auto", style: "short" });
const exact = new Intl.DateTimeFormat(tongue, { dateStyle: "medium", timeStyle: "medium" });
const named = new Intl.DateTimeFormat(tongue, { dateStyle: "full", timeStyle: "long" }); // with the zone
const hours = new Intl.DateTimeFormat(tongue, { hour: "2-digit", minute: "2-digit" });
const DAY = { day: "numeric", month: "short", hour: "2-digit", minute: "2-digit" };
const days = new Intl.DateTimeFormat(tongue, DAY);
const years = new Intl.DateTimeFormat(tongue, { ...DAY, year: "numeric" });
const UNITS = [["day", 86400], ["hour", 3600], ["minute", 60], ["second", 1]];

function dated(instant) {
  return (instant.getFullYear() === new Date().getFullYear() ? days : years).format(instant);
}

function ago(instant) {
  const seconds = (instant - Date.now()) / 1000;
  if (Math.abs(seconds) < 5) return relative.format(0, "second");
  if (Math.abs(seconds) > 7 * 86400) return dated(instant);
  const [unit, length] = UNITS.find(([, size]) => Math.abs(seconds) >= size) || UNITS[3];
  return relative.format(Math.round(seconds / length), unit);
}

const whole = new Map();
function full(instant, zone) {
  const second = instant.getUTCSeconds() ? "2-digit" : undefined;
  const key = `${zone} ${second}`;
  if (!whole.has(key)) {
    const parts = { weekday: "short", day: "numeric", month: "short", year: "numeric", hour: "2-digit", minute: "2-digit", second };
    whole.set(key, new Intl.DateTimeFormat(tongue, zone ? { ...parts, timeZone: zone, timeZoneName: "short" } : parts));
  }
  return whole.get(key).format(instant);
}

function length(seconds) {
  const whole = Math.max(0, Math.floor(seconds));
  if (whole < 60) return `${whole} s`;
  if (whole < 3600) return `${Math.floor(whole / 60)} min ${whole % 60} s`;
  if (whole < 86400) return `${Math.floor(whole / 3600)} h ${Math.floor((whole % 3600) / 60)} min`;
  return `${Math.floor(whole / 86400)} d ${Math.floor((whole % 86400) / 3600)} h`;
}

function put(element, text) {
  if (element.textContent !== text) element.textContent = text;
}

function draw(root) {
  document.querySelector("main.q-page")?.setAttribute("role", "presentation"); // ours is the one inside
  for (const time of root.querySelectorAll("time[datetime]")) {
    const instant = new Date(time.dateTime);
    const isToday = instant.toDateString() === new Date().toDateString();
    const title = named.format(instant);
    const clock = isToday ? hours.format(instant) : dated(instant);
    const { form, zone } = time.dataset;
    put(time, form === "full" ? full(instant, zone) : form === "ago" ? ago(instant) : form === "exact" ? exact.format(instant) : clock);
    if (time.title !== title) time.title = title;
  }
  for (const field of root.querySelectorAll("input[data-instant]:not([data-shown])")) {
    const instant = field.dataset.instant ? new Date(field.dataset.instant) : null;
    field.value = instant ? new Date(instant - instant.getTimezoneOffset() * 60000).toISOString().slice(0, 16) : "";
    field.dataset.shown = field.value;
  }
  for (const running of root.querySelectorAll("[data-since]"))
    put(running, length((Date.now() - new Date(running.dataset.since)) / 1000));
}

let isDue = false;
new MutationObserver(() => {
  if (isDue) return;
  isDue = true;
  requestAnimationFrame(() => {
    isDue = false;
    draw(document.body);
  });
}).observe(document.body, { childList: true, subtree: true });
setInterval(() => document.visibilityState === "visible" && draw(document.body), 1000);
draw(document.body);

function keep(name, value) {
  document.cookie = `${name}=${value}; path=/; max-age=${YEAR}; samesite=lax`;
}

const does = {
  theme() {
    const dark = document.documentElement.classList.toggle("dark");
    keep("fastflow_theme", dark ? "dark" : "light");
    globalThis.Quasar?.Dark.set(dark);
  },
  language() {
    keep("fastflow_language", given.language === "de" ? "en" : "de");
    location.reload();
  },
  menu() {
    document.documentElement.classList.toggle("menu-open");
  },
  palette() {
    globalThis.openPalette();
  },
  async logout() {
    const me = await (await fetch("/auth/me")).json();
    if (me.csrf_token) await fetch("/auth/logout", { method: "POST", headers: { "X-CSRF-Token": me.csrf_token } });
    location.assign(me.is_from_provider ? "/auth/oidc/logout" : `${given.base}/login`);
  },
  async copy(button) {
    await navigator.clipboard.writeText(button.dataset.text);
    globalThis.Quasar?.Notify.create({ message: given.words.copied, classes: "toast", position: "bottom-right", timeout: 1500 });
  },
};

document.addEventListener("click", (event) => {
  const button = event.target.closest("[data-do]");
  if (button) {
    does[button.dataset.do]?.(button);
    return;
  }
  const isOutside = !event.target.closest(".sidebar");
  if (isOutside) document.documentElement.classList.remove("menu-open");
  const row = event.target.closest("tr[data-href]");
  if (row && !event.target.closest("a, button, input") && !String(getSelection())) location.assign(row.dataset.href);
});

// Filters are a form whose address says what is shown: a change sends it, without what was left empty.
// An instant is filled in part by part, in the reader's own zone: it is sent when it is left, or with Enter, as UTC.
const isInstant = (field) => field.matches?.("form.filters input[data-instant]") && field.value !== field.dataset.shown;
document.addEventListener("change", (event) => {
  if (!event.target.matches("[data-instant]")) event.target.closest("form.filters")?.requestSubmit();
});
document.addEventListener("focusout", (event) => {
  if (isInstant(event.target) && !event.target.form.contains(event.relatedTarget)) event.target.form.requestSubmit();
});
document.addEventListener("keydown", (event) => {
  if (event.key === "Enter" && isInstant(event.target)) event.target.form.requestSubmit();
});
document.addEventListener("submit", (event) => {
  if (!event.target.matches("form.filters")) return;
  event.preventDefault();
  const sent = ([name, value]) =>
    event.target.elements[name].matches?.("[data-instant]") ? [name, new Date(value).toISOString()] : [name, value];
  const wanted = new URLSearchParams([...new FormData(event.target)].filter(([, value]) => value !== "").map(sent));
  location.assign(`${event.target.action}${wanted.size ? `?${wanted}` : ""}`);
});

// g then a letter leads to a room; / goes to the filter or the search; j and k walk through a table.
let wasG = 0;
document.addEventListener("keydown", (event) => {
  if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "k") {
    event.preventDefault();
    does.palette();
    return;
  }
  if (event.ctrlKey || event.metaKey || event.altKey || document.querySelector("dialog[open]")) return;
  if (event.target.closest?.("input, textarea, select, [contenteditable], .q-dialog")) return;
  if (Date.now() - wasG < 1200) {
    const page = given.pages.find((each) => each.key === event.key);
    if (page) location.assign(page.path);
    wasG = 0;
  } else if (event.key === "g") {
    wasG = Date.now();
  } else if (event.key === "/") {
    event.preventDefault();
    const field = document.querySelector(".filters input");
    if (field) field.focus();
    else does.palette();
  } else if (event.key === "j" || event.key === "k") {
    const rows = [...document.querySelectorAll("tr[data-href] a.first")];
    const at = rows.indexOf(document.activeElement);
    rows[event.key === "j" ? Math.min(at + 1, rows.length - 1) : Math.max(at - 1, 0)]?.focus();
  }
});

// The framework's own notice of a lost connection, in our words.
const popup = document.getElementById("popup");
if (popup) {
  const [title, text] = popup.children;
  put(title, given.lost.title);
  put(text, given.lost.text);
  popup.setAttribute("role", "status");
}

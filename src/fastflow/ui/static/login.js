// Logging in, and replacing a password, by the API's own calls; the session comes as a cookie that scripts cannot read.
const form = document.querySelector("form");
const error = form.querySelector(".form-error");
const button = form.querySelector("button");

function show(problem) {
  error.textContent = problem;
  error.hidden = !problem;
}

async function call(method, path, body, headers = {}) {
  const answer = await fetch(path, {
    method,
    headers: { "Content-Type": "application/json", "X-Fastflow-Told": "1", ...headers }, // problems in the reader's language
    body: body && JSON.stringify(body),
  });
  const told = answer.status === 204 ? {} : await answer.json();
  const hint = /`[A-Z]+ \//.test(told.hint) ? "" : told.hint; // says what programs do
  if (!answer.ok) throw Object.assign(new Error([told.detail, hint].filter(Boolean).join(" ")), { told: true });
  return told;
}

async function send(values) {
  const { to, base } = form.dataset;
  if (form.id === "login") {
    const session = await call("POST", "/auth/login", values);
    location.assign(session.must_change_password ? `${base}/password?to=${encodeURIComponent(to)}` : to);
    return;
  }
  if (values.new_password !== values.again) throw Object.assign(new Error(form.dataset.differ), { told: true });
  const { csrf_token: csrf } = await call("GET", "/auth/me");
  const { current_password, new_password } = values;
  await call("PUT", "/auth/password", { current_password, new_password }, { "X-CSRF-Token": csrf });
  location.assign(to);
}

form.addEventListener("submit", async (event) => {
  event.preventDefault();
  show("");
  button.disabled = true;
  try {
    await send(Object.fromEntries(new FormData(form)));
  } catch (problem) {
    show(problem.told ? problem.message : form.dataset.away);
    form.querySelector("input[type=password]").select();
  } finally {
    button.disabled = false;
  }
});
form.querySelector("input").focus();

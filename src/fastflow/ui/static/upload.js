// Files that people hand in: dropped on a field or chosen. They stay in the browser until the page sends them to the API.
const handed = new Map(); // a field's name -> file
const sending = new Map(); // a field's name -> request

function handOver(field, file) {
  handed.set(field.dataset.upload, file);
  field.classList.add("filled");
  field.querySelector(".upload-name").textContent = file.name;
  field.dispatchEvent(new CustomEvent("handed", { detail: { name: file.name, size: file.size } }));
}

document.addEventListener("change", (event) => {
  const field = event.target.matches("[data-upload] input[type=file]") && event.target.closest("[data-upload]");
  if (field && event.target.files.length) handOver(field, event.target.files[0]);
});
for (const kind of ["dragover", "dragleave", "drop"])
  document.addEventListener(kind, (event) => {
    const field = event.target.closest?.("[data-upload]");
    if (!field) return;
    event.preventDefault();
    field.classList.toggle("over", kind === "dragover");
    if (kind === "drop" && event.dataTransfer.files.length) handOver(field, event.dataTransfer.files[0]);
  });
document.addEventListener("click", (event) => {
  const name = event.target.closest("[data-upload-stop]")?.dataset.uploadStop;
  sending.get(name)?.abort();
});

// Answers with the status and the body; status 0: it was stopped, or the server did not answer.
globalThis.sendUpload = async (name, path) => {
  const field = document.querySelector(`[data-upload="${name}"]`);
  const bar = field.parentElement.querySelector(".upload-going");
  const [way, told] = [bar.querySelector("progress"), bar.querySelector(".upload-told")];
  const me = await (await fetch("/auth/me")).json();
  const request = new XMLHttpRequest();
  sending.set(name, request);
  bar.hidden = false;
  told.textContent = bar.dataset.sending;
  way.removeAttribute("value");
  request.upload.addEventListener("progress", (event) => {
    if (event.lengthComputable) way.value = event.loaded / event.total;
  });
  request.upload.addEventListener("load", () => {
    way.removeAttribute("value");
    told.textContent = bar.dataset.judging;
  });
  const ended = new Promise((done) => request.addEventListener("loadend", done));
  request.open("POST", path);
  request.setRequestHeader("Content-Type", "application/octet-stream");
  if (me.csrf_token) request.setRequestHeader("X-CSRF-Token", me.csrf_token);
  request.send(handed.get(name));
  await ended;
  sending.delete(name);
  bar.hidden = true;
  try {
    return { status: request.status, body: JSON.parse(request.responseText || "null") };
  } catch {
    return { status: request.status, body: null };
  }
};

// The text of a log: as it is stored, as it is searched for, and as it looks.
const SGR = /\x1b\[([0-9;]*)m/g;
const OTHER = /\x1b(?:\[[0-9;?]*[ -/]*[@-ln-~]|\][^\x07\x1b]*(?:\x07|\x1b\\)|[()][0-9A-B]|[=>A-Z])/g;
const NAMES = ["#6b7280", "#dc2626", "#16a34a", "#b7791f", "#3b6fe0", "#a244c9", "#0e8a93", "#9ca3af"];
const BRIGHT = ["#8b93a1", "#ef5350", "#22b35e", "#d69a2d", "#5b8def", "#bd68e0", "#22a9b3", "#d1d5db"];

function colour(number) {
  if (number < 8) return NAMES[number];
  if (number < 16) return BRIGHT[number - 8];
  if (number > 231) return `rgb(${Array(3).fill(8 + (number - 232) * 10).join()})`;
  const part = (step) => (step ? 55 + step * 40 : 0);
  const rest = number - 16;
  return `rgb(${part(Math.floor(rest / 36))},${part(Math.floor(rest / 6) % 6)},${part(rest % 6)})`;
}

function apply(style, codes) {
  for (let at = 0; at < codes.length; at++) {
    const code = codes[at];
    if (code === 0) Object.keys(style).forEach((key) => delete style[key]);
    else if (code === 1) style.fontWeight = "600";
    else if (code === 2) style.opacity = "0.65";
    else if (code === 3) style.fontStyle = "italic";
    else if (code === 4) style.textDecoration = "underline";
    else if (code === 22) { delete style.fontWeight; delete style.opacity; }
    else if (code === 23) delete style.fontStyle;
    else if (code === 24) delete style.textDecoration;
    else if (code >= 30 && code <= 37) style.color = NAMES[code - 30];
    else if (code >= 90 && code <= 97) style.color = BRIGHT[code - 90];
    else if (code >= 40 && code <= 47) style.backgroundColor = NAMES[code - 40];
    else if (code === 39) delete style.color;
    else if (code === 49) delete style.backgroundColor;
    else if (code === 38 || code === 48) {
      const key = code === 38 ? "color" : "backgroundColor";
      if (codes[at + 1] === 5) { style[key] = colour(codes[at + 2] ?? 0); at += 2; }
      else if (codes[at + 1] === 2) { style[key] = `rgb(${codes.slice(at + 2, at + 5).join()})`; at += 4; }
    }
  }
}

// Coloured pieces of a line: [text, style]. A carriage return starts the line again, as on a terminal.
export function pieces(text) {
  const shown = text.replace(/\r+$/, "").split("\r").pop().replace(OTHER, "");
  const found = [];
  const style = {};
  let from = 0;
  for (const match of shown.matchAll(SGR)) {
    if (match.index > from) found.push([shown.slice(from, match.index), { ...style }]);
    apply(style, (match[1] || "0").split(";").map(Number));
    from = match.index + match[0].length;
  }
  if (from < shown.length || !found.length) found.push([shown.slice(from), { ...style }]);
  return found;
}

export const plain = (text) => pieces(text).map(([part]) => part).join("");

const isOurs = (line) => line.stream === "stderr" && line.line.startsWith("[fastflow] ");
const MOST_JOINED = 4 * (16 * 1024 + 64);
const ROW = /^(\S+) (stdout|stderr) ([FP])(?: |$)([^]*)$/;

// Put a line after the others. Parts of a line that follow each other become one, as far as the event stream joins them:
// so the same rows are shown wherever they came from.
export function add(lines, line) {
  const before = lines.at(-1);
  const isMore = before?.isOpen && before.stream === line.stream && before.end === line.at;
  if (isMore && line.end - before.at <= MOST_JOINED) {
    before.line += line.line;
    before.isOpen = line.isOpen;
    before.end = line.end;
    return;
  }
  line.ours = isOurs(line);
  lines.push(line);
}

// A part of the log as it is stored: its lines, each with the offsets where it begins and ends.
export async function read(answer) {
  const bytes = new Uint8Array(await answer.arrayBuffer());
  const from = Number(answer.headers.get("Log-From") || 0);
  const decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  const lines = [];
  for (let at = 0; at < bytes.length; ) {
    const newline = bytes.indexOf(10, at);
    const stop = newline < 0 ? bytes.length : newline;
    const row = decoder.decode(bytes.subarray(at, stop));
    const [, ts, stream, part, line] = ROW.exec(row) || [null, "", "stdout", "F", row];
    const end = newline < 0 ? stop : stop + 1;
    add(lines, { at: from + at, end: from + end, ts, stream, line, isOpen: part === "P" });
    at = end;
  }
  return { lines, from, to: Number(answer.headers.get("Log-To") || 0) };
}

// Lines of the whole log that hold a text: [offset, line], as they are found, until `take` says that it is enough.
export async function find(address, take, signal) {
  const answer = await fetch(address, { signal });
  if (!answer.ok) throw new Error(answer.status);
  const reader = answer.body.pipeThrough(new TextDecoderStream()).getReader();
  let rest = "";
  let isPart = false;
  for (;;) {
    const { done, value } = await reader.read();
    if (done) return;
    const rows = (rest + value).split("\n");
    rest = rows.pop();
    for (const row of rows) {
      const [, at, tag, text] = /^(\d+) (?:\S+ \S+ ([FP]) ?)?([^]*)$/.exec(row) || [null, NaN, "F", row];
      const isFirst = !isPart;
      isPart = tag === "P";
      if (isFirst && take(Number(at), text)) { await reader.cancel(); return; }
    }
  }
}


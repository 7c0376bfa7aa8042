// The live log of a run. Reads the API's own event stream, whose ids are byte offsets: after any break the browser names
// the last one and goes on there, so that no line is missing or told twice, and two tabs show the same.
const LINE = 20;
const AHEAD = 40;
const FIRST = 1000;
const EARLIER = 2000;
const MOST = 200000;
const MOST_AT_ONCE = 8 * 1024 * 1024;
const WINDOW = 512 * 1024;
const MOST_HITS = 1000;
const ERROR_WORDS = ["traceback", "error", "exception", "fatal", "critical", "panic"];
const ERROR = /\b(error|exception|traceback|fatal|critical|panic)\b/i;
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

const isOurs = (line) => line.stream === "stderr" && line.line.startsWith("[fastflow] ");

// A part of the log as it is stored, each line with the offset at which it begins. Parts of a long line become one; a line
// whose end is not written yet is left for the stream.
async function read(answer) {
  const from = Number(answer.headers.get("Log-From") || 0);
  const encoder = new TextEncoder();
  const lines = [];
  let at = from;
  for (const raw of (await answer.text()).split("\n").slice(0, -1)) {
    const [, ts, stream, part, line] = /^(\S+) (\S+) ([FP]) ?([^]*)$/.exec(raw) || [null, "", "stdout", "F", raw];
    const before = lines.at(-1);
    if (before?.isOpen && before.stream === stream) { before.line += line; before.isOpen = part === "P"; }
    else lines.push({ at, ts, stream, line, isOpen: part === "P" });
    at += encoder.encode(raw).length + 1;
  }
  const isOpen = lines.at(-1)?.isOpen;
  const to = isOpen ? lines.pop().at : Number(answer.headers.get("Log-To") || at);
  for (const line of lines) line.ours = isOurs(line);
  return { lines, from, to };
}

// Lines of the whole log that hold a text: [offset, line], as they are found, until `take` says that it is enough.
async function find(address, take, signal) {
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

const plain = (text) => pieces(text).map(([part]) => part).join("");

export default {
  props: { url: String, words: Object, live: Boolean, language: String },
  template: `
    <section class="card log" :aria-label="words.title">
      <div class="log-bar">
        <h2>{{ words.title }}</h2>
        <span class="grow"></span>
        <input type="search" v-model="wanted" :placeholder="words.find" :aria-label="words.find"
               @keydown.enter.prevent="step($event.shiftKey ? -1 : 1)">
        <span class="muted number" v-if="wanted" role="status">{{ found }}</span>
        <button class="tool" v-if="wanted && isPart && !all" :disabled="isSearching" @click="searchAll">{{ words.search_all }}</button>
        <button class="tool" @click="toError" :disabled="isSearching" v-if="hasError || isPart">{{ words.first_error }}</button>
        <button class="tool" :aria-pressed="String(times)" @click="times = !times; draw()">{{ words.times }}</button>
        <button class="tool" :aria-pressed="String(follows)" @click="toggleFollow" v-if="!ended">{{ follows ? words.following : words.follow }}</button>
        <a class="tool" :href="url + '?download=true'" :title="words.download" :aria-label="words.download" download>
          <svg class="icon" viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor" stroke-width="1.5"
               stroke-linecap="round" stroke-linejoin="round"><path d="M8 2.5v7.5M5 7.5l3 3 3-3M3 13.500h10"/></svg>
        </a>
      </div>
      <div class="log-scroll" ref="scroll" tabindex="0" role="log" aria-live="off" :aria-label="words.title" @scroll.passive="scrolled">
        <div class="log-lines" ref="lines"></div>
        <div class="log-note" v-if="!count && isLoaded">{{ gone || (ended ? words.nothing : words.waiting) }}</div>
      </div>
      <div class="log-foot"><span>{{ state }}</span><span class="number">{{ (earlier > 0 ? words.lines_at_end : count === 1 ? words.line : words.lines).replace('{n}', count.toLocaleString(language)) }}</span></div>
    </section>`,
  data: () => ({
    all: null, isSearching: false, more: false,
    count: 0, follows: true, times: false, wanted: "", hit: 0, hits: [], hasError: false, ended: false, lost: false, gone: "", earlier: 0, isLoaded: false,
  }),
  computed: {
    isPart() { return this.earlier > 0 || this.more; },
    found() {
      const count = this.all ? this.all.length : this.hits.length;
      return count ? `${this.hit + 1}/${count}${this.all && count >= MOST_HITS ? "+" : ""}` : "0";
    },
    state() {
      if (this.gone) return "";
      if (this.lost) return this.words.lost;
      if (this.isSearching) return this.words.searching;
      if (this.more) return this.words.part;
      return this.ended ? this.words.ended : this.words.streaming;
    },
  },
  watch: {
    wanted() { this.hit = 0; this.all = null; this.stopSearching(); this.search(); if (this.hits.length) this.step(0); else this.draw(); },
  },
  created() {
    this.store = [];
    this.marked = -1;
    this.frame = 0;
  },
  async mounted() {
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.$refs.scroll);
    const place = /^#at-(\d+)$/.exec(location.hash);
    await this.begin(place ? Number(place[1]) : null);
  },
  unmounted() {
    this.source?.close();
    this.stopSearching();
    clearTimeout(this.later);
    this.resized?.disconnect();
    cancelAnimationFrame(this.frame);
  },
  methods: {
    async begin(place) {
      if (place === null) {
        // the end at once, as a file; only what comes after it is streamed
        try {
          const answer = await fetch(`${this.url}?tail=${FIRST}&times=true`);
          if (answer.status === 404) { this.gone = this.words.removed; this.ended = this.isLoaded = true; return; }
          if (!answer.ok) throw new Error(answer.status);
          const { lines, from: begin, to } = await read(answer);
          this.earlier = begin;
          this.last = to;
          this.put(lines);
        } catch {
          this.lost = true;
          this.later = setTimeout(() => this.begin(place), 1500);
          return;
        }
      } else if (!(await this.beginAt(place))) return;
      this.lost = false;
      this.isLoaded = true;
      if (!this.more) this.open();
    },
    // Around a place in the middle, of which the rest is loaded when it is scrolled to; the end may be far away.
    async beginAt(place) {
      this.follows = false;
      try {
        const answer = await fetch(`${this.url}?from=${place}&to=${place + WINDOW}&times=true`);
        if (answer.status === 422) { this.follows = true; await this.begin(null); return false; } // beyond the end
        if (answer.status === 404) { this.gone = this.words.removed; this.ended = this.isLoaded = true; return false; }
        if (!answer.ok) throw new Error(answer.status);
        const { lines, from, to } = await read(answer);
        this.earlier = from;
        this.marked = from;
        this.last = to;
        this.more = Number(answer.headers.get("Log-To")) >= place + WINDOW;
        this.put(lines);
        return true;
      } catch {
        this.lost = true;
        this.later = setTimeout(() => this.begin(place), 1500);
        return false;
      }
    },
    async restart(place) {
      this.source?.close();
      clearTimeout(this.later);
      this.store = [];
      this.hits = [];
      this.earlier = 0;
      this.marked = -1;
      this.more = this.wasMarked = this.hasError = this.ended = false;
      this.follows = place === null;
      await this.begin(place);
      if (place !== null) await this.loadEarlier();
    },
    async loadLater() {
      if (this.isLoading || !this.more) return;
      this.isLoading = true;
      try {
        const answer = await fetch(`${this.url}?from=${this.last}&to=${this.last + WINDOW}&times=true`);
        if (!answer.ok) return;
        const { lines, to } = await read(answer);
        this.more = Number(answer.headers.get("Log-To")) >= this.last + WINDOW;
        this.last = Math.max(to, this.last);
        this.put(lines);
        if (!this.more) this.open();
      } finally {
        this.isLoading = false;
      }
    },
    open() {
      const source = (this.source = new EventSource(`${this.url}/stream?since=${this.last}`));
      source.onopen = () => { this.lost = false; };
      source.addEventListener("log", (event) => this.take(Number(event.lastEventId), JSON.parse(event.data)));
      source.addEventListener("skipped", (event) => {
        const { from, to } = JSON.parse(event.data);
        const gap = { stream: "stderr", line: this.words.skipped.replace("{n}", (to - from).toLocaleString(this.language)), ours: true };
        this.take(to, gap);
        if (to - from <= MOST_AT_ONCE) this.fill(gap, from, to);
      });
      source.addEventListener("end", () => { this.ended = true; this.lost = false; source.close(); this.queue(); });
      source.onerror = () => {
        if (this.ended) return;
        this.lost = true;
        if (source.readyState === EventSource.CLOSED) {
          clearTimeout(this.later);
          this.later = setTimeout(() => this.open(), 1500);
        }
      };
    },
    take(end, line) {
      if (end <= this.last) return;
      line.at = this.last;
      line.ours ||= isOurs(line);
      this.last = end;
      this.put([line]);
    },
    put(lines, place = this.store.length, instead = 0) {
      if (place === this.store.length) for (const line of lines) this.store.push(line);
      else this.store = this.store.slice(0, place).concat(lines, this.store.slice(place + instead));
      this.hasError ||= lines.some((line) => ERROR.test(line.line));
      if (this.store.length > MOST) {
        this.store.splice(0, MOST / 10);
        this.earlier = this.store[0].at;
      }
      this.queue();
    },
    // What came faster than it is streamed is fetched as a file and put where it belongs.
    async fill(gap, from, to) {
      const answer = await fetch(`${this.url}?from=${from}&to=${to}&times=true`).catch(() => null);
      if (!answer?.ok) return;
      const { lines } = await read(answer);
      const place = this.store.indexOf(gap);
      if (place >= 0) this.put(lines, place, 1);
    },
    queue() {
      if (this.frame) return;
      this.frame = requestAnimationFrame(() => {
        this.frame = 0;
        this.count = this.store.length;
        if (this.wanted) this.search();
        this.draw();
        if (this.follows) this.toEnd();
        else if (this.marked >= 0 && !this.wasMarked) {
          this.wasMarked = true;
          this.show(Math.max(0, this.placeOf(this.marked)));
        }
      });
    },
    draw() {
      const { scroll, lines } = this.$refs;
      if (!scroll) return;
      lines.style.height = `${this.store.length * LINE}px`;
      const from = Math.max(0, Math.floor(scroll.scrollTop / LINE) - AHEAD);
      const to = Math.min(this.store.length, Math.ceil((scroll.scrollTop + scroll.clientHeight) / LINE) + AHEAD);
      const drawn = [];
      let width = 0;
      for (let number = from; number < to; number++) drawn.push(this.row(number));
      lines.replaceChildren(...drawn);
      for (const row of drawn) width = Math.max(width, row.scrollWidth);
      lines.style.width = `max(100%, ${width}px)`;
    },
    row(number) {
      const line = this.store[number];
      const row = document.createElement("div");
      row.className = `log-line${line.stream === "stderr" && !line.ours ? " err" : ""}${line.ours ? " ours" : ""}`;
      row.style.top = `${number * LINE}px`;
      if (line.at === this.marked) row.classList.add("at");
      if (this.wanted && (this.all ? this.all[this.hit] === line.at : this.hits[this.hit] === number)) row.classList.add("hit");
      const link = document.createElement("a");
      link.href = `#at-${line.at}`;
      link.textContent = this.earlier > 0 ? "·" : (number + 1).toLocaleString(this.language);
      link.setAttribute("aria-label", this.words.link.replace("{n}", number + 1));
      link.onclick = () => { this.marked = line.at; this.follows = false; this.draw(); };
      row.append(link);
      if (this.times && line.ts) {
        const time = document.createElement("span");
        time.className = "at-time";
        time.textContent = new Date(line.ts).toLocaleTimeString(this.language, { hour12: false, fractionalSecondDigits: 3 });
        time.title = line.ts;
        row.append(time);
      }
      for (const [text, style] of pieces(line.line)) {
        const piece = document.createElement("span");
        Object.assign(piece.style, style);
        this.mark(piece, text);
        row.append(piece);
      }
      return row;
    },
    mark(piece, text) {
      const wanted = this.wanted.toLowerCase();
      if (!wanted) { piece.textContent = text; return; }
      const lower = text.toLowerCase();
      let from = 0;
      for (let at = lower.indexOf(wanted); at >= 0; at = lower.indexOf(wanted, from)) {
        piece.append(text.slice(from, at), Object.assign(document.createElement("mark"), { textContent: text.slice(at, at + wanted.length) }));
        from = at + wanted.length;
      }
      piece.append(text.slice(from));
    },
    search() {
      const wanted = this.wanted.toLowerCase();
      this.hits = [];
      if (!wanted) return;
      this.store.forEach((line, number) => plain(line.line).toLowerCase().includes(wanted) && this.hits.push(number));
      if (!this.all && this.hit >= this.hits.length) this.hit = 0;
    },
    placeOf(at) { return this.store.findIndex((line) => line.at === at); },
    async searchWhole(take, texts, until = () => Infinity) {
      this.stopSearching();
      const search = (this.searching = new AbortController());
      this.isSearching = true;
      try {
        for (const text of texts) {
          const to = until() < Infinity ? `&to=${until()}` : "";
          await find(`${this.url}?grep=${encodeURIComponent(text)}&ignore_case=true&times=true&offsets=true${to}`, take, search.signal);
        }
      } catch (error) {
        if (error.name !== "AbortError") this.lost = true;
        return false;
      } finally {
        if (this.searching === search) this.isSearching = false;
      }
      return !search.signal.aborted;
    },
    stopSearching() { this.searching?.abort(); this.isSearching = false; },
    async searchAll() {
      const found = [];
      const isDone = await this.searchWhole((at) => found.push(at) >= MOST_HITS, [this.wanted]);
      if (!isDone) return;
      this.all = found;
      this.hit = 0;
      if (found.length) await this.toPlace(found[0]);
    },
    async toPlace(at) {
      const number = this.placeOf(at);
      if (number >= 0) this.show(number);
      else await this.restart(at);
    },
    step(by) {
      if (this.all?.length) {
        this.hit = (this.hit + by + this.all.length) % this.all.length;
        this.toPlace(this.all[this.hit]);
        return;
      }
      if (!this.hits.length && this.wanted && this.isPart && !this.all) { this.searchAll(); return; }
      if (!this.hits.length) return;
      this.hit = (this.hit + by + this.hits.length) % this.hits.length;
      this.show(this.hits[this.hit]);
    },
    show(number) {
      this.follows = false;
      const { scroll } = this.$refs;
      scroll.scrollTop = Math.max(0, number * LINE - scroll.clientHeight / 2);
      this.draw();
    },
    async toError() {
      let first = Infinity;
      if (this.isPart) {
        // the first of the whole log, by each of the words that may stand in it
        const isDone = await this.searchWhole((at, text) => {
          if (at < first && ERROR.test(text)) first = at;
          return at >= first;
        }, ERROR_WORDS, () => first);
        if (!isDone) return;
      } else {
        first = this.store.find((line) => ERROR.test(line.line))?.at ?? Infinity;
      }
      if (first === Infinity) { this.hasError = false; return; }
      await this.toPlace(first);
      this.marked = first;
      this.draw();
    },
    toEnd() {
      const { scroll } = this.$refs;
      scroll.scrollTop = scroll.scrollHeight;
      this.draw();
    },
    toggleFollow() {
      if (this.more) { this.restart(null); return; }
      this.follows = !this.follows;
      if (this.follows) this.toEnd();
    },
    scrolled() {
      const { scroll } = this.$refs;
      const left = scroll.scrollHeight - scroll.scrollTop - scroll.clientHeight;
      const isAtEnd = left <= LINE && !this.more;
      if (left < LINE * 20 && this.more) this.loadLater();
      if (this.follows && !isAtEnd && scroll.scrollTop < this.top) this.follows = false;
      else if (!this.follows && isAtEnd && scroll.scrollTop > this.top) this.follows = true;
      this.top = scroll.scrollTop;
      if (scroll.scrollTop < LINE * 10 && this.earlier > 0) this.loadEarlier();
      this.draw();
    },
    async loadEarlier() {
      if (this.isLoading || this.earlier <= 0) return;
      this.isLoading = true;
      try {
        const answer = await fetch(`${this.url}?to=${this.earlier}&tail=${EARLIER}&times=true`);
        if (!answer.ok) return;
        const { lines, from } = await read(answer);
        this.earlier = from;
        this.store = lines.concat(this.store);
        this.hasError ||= lines.some((line) => ERROR.test(line.line));
        this.count = this.store.length;
        if (this.wanted) this.search();
        this.draw();
        this.$refs.scroll.scrollTop += lines.length * LINE;
        this.draw();
      } finally {
        this.isLoading = false;
      }
    },
  },
};

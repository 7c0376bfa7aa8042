// The live log of a run. It opens with the end as a file; what comes after it is read from the API's own event stream, whose
// ids are byte offsets: after any break the browser names the last one and goes on there, so that no line is missing or
// told twice, and two tabs show the same. A part of the log is kept, of any length; the rest comes when it is scrolled to.
import { add, find, pieces, plain, read } from "fastflow-log";

const LINE = 20;
const AHEAD = 40;
const FIRST = 128 * 1024;
const WINDOW = 512 * 1024;
const MOST = 50000;
const MOST_HITS = 1000;
const AGAIN = 1500;
const ERROR_WORDS = ["error", "exception", "traceback", "fatal", "critical", "panic"];
const ERROR = new RegExp(`\\b(${ERROR_WORDS.join("|")})\\b`, "i");
const hasError = (line) => ERROR.test(plain(line.line));

export default {
  props: { url: String, words: Object, language: String },
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
        <button class="tool" @click="begin(0)" v-if="earlier > 0">{{ words.beginning }}</button>
        <button class="tool" :aria-pressed="String(times)" @click="times = !times; draw()">{{ words.times }}</button>
        <button class="tool" :aria-pressed="String(follows)" @click="toggleFollow" v-if="!ended || more">{{ follows ? words.following : words.follow }}</button>
        <a class="tool" :href="url + '?download=true'" :title="words.download" :aria-label="words.download" download>
          <svg class="icon" viewBox="0 0 16 16" width="16" height="16" fill="none" stroke="currentColor" stroke-width="1.5"
               stroke-linecap="round" stroke-linejoin="round"><path d="M8 2.5v7.5M5 7.5l3 3 3-3M3 13.5h10"/></svg>
        </a>
      </div>
      <div class="log-scroll" ref="scroll" tabindex="0" role="log" aria-live="off" :aria-label="words.title" @scroll.passive="scrolled"
           @keydown.home="earlier > 0 && begin(0)" @keydown.end="more && begin(null)">
        <div class="log-lines" ref="lines"></div>
        <div class="log-note" v-if="!count && isLoaded">{{ gone || (ended ? words.nothing : words.waiting) }}</div>
      </div>
      <div class="log-foot"><span>{{ state }}</span><span class="number">{{ length }}</span></div>
    </section>`,
  data: () => ({
    count: 0, earlier: 0, more: false, isLoaded: false, ended: false, lost: false, gone: "", follows: true, times: false,
    wanted: "", hit: 0, hits: [], all: null, isSearching: false, hasError: false,
  }),
  computed: {
    isPart() { return this.earlier > 0 || this.more; },
    length() {
      const form = this.words[this.earlier > 0 && !this.more ? "lines_at_end" : this.count === 1 ? "line" : "lines"];
      return form.replace("{n}", this.count.toLocaleString(this.language));
    },
    found() {
      const count = (this.all ?? this.hits).length;
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
    this.store = []; // the lines that are kept, one after the other without a gap
    this.last = 0; // the offset after them
    this.tail = null; // the text of a line whose end is not written yet
    this.marked = -1;
    this.top = 0;
    this.frame = 0;
    this.turn = 0; // counts beginnings: what was asked for before the last one is dropped
  },
  async mounted() {
    this.resized = new ResizeObserver(() => this.draw());
    this.resized.observe(this.$refs.scroll);
    const place = /^#at-(\d+)$/.exec(location.hash);
    await this.begin(place ? Number(place[1]) : null, true);
  },
  unmounted() {
    this.turn++;
    this.close();
    this.stopSearching();
    this.resized?.disconnect();
    cancelAnimationFrame(this.frame);
  },
  methods: {
    // At the end (null), or at a place; the rest is loaded when it is scrolled to.
    async begin(place, isMarked = false) {
      const turn = ++this.turn;
      this.close();
      this.store = [];
      this.hits = [];
      this.earlier = this.last = 0;
      this.marked = -1;
      this.more = this.hasError = this.ended = this.isLoading = false;
      this.follows = place === null;
      try {
        await this.load(turn, place, isMarked);
      } catch {
        if (turn !== this.turn) return;
        this.lost = true;
        this.later = setTimeout(() => this.begin(place, isMarked), AGAIN);
      }
    },
    async load(turn, place, isMarked) {
      let from = place;
      if (place === null) {
        const end = await this.get("tail=0");
        if (!end || turn !== this.turn) return;
        from = Math.max(0, Number(end.headers.get("Log-To") || 0) - FIRST);
      }
      const part = await this.part(turn, from, from + WINDOW);
      if (!part) return;
      this.earlier = this.last = part.from;
      this.lost = false;
      this.isLoaded = true;
      this.put(part, from + WINDOW);
      if (place !== null) {
        if (isMarked) this.marked = part.from;
        await this.loadEarlier();
        if (turn === this.turn) this.show(Math.max(0, this.placeOf(isMarked ? this.marked : part.from)));
      }
    },
    // The log as it is stored; null when there is none.
    async get(query) {
      const answer = await fetch(`${this.url}?times=true&${query}`);
      if (answer.status === 404) { this.gone = this.words.removed; this.ended = this.isLoaded = true; return null; }
      if (answer.status === 422) { await this.begin(null); return null; } // beyond the end
      if (!answer.ok) throw new Error(answer.status);
      return answer;
    },
    async part(turn, from, to) {
      const answer = await this.get(`from=${from}&to=${to}`);
      const part = answer && turn === this.turn ? await read(answer) : null;
      return turn === this.turn ? part : null;
    },
    // After what is kept; a line that is still open is left for the next time.
    put({ lines, to }, asked) {
      this.more = to >= asked;
      this.last = lines.at(-1)?.isOpen ? lines.pop().at : to;
      this.append(lines);
      if (!this.more) this.open();
      else if (this.follows) this.loadLater();
    },
    async loadLater() { await this.loading(async (turn) => {
      if (!this.more) return;
      const asked = this.last + WINDOW;
      const part = await this.part(turn, this.last, asked);
      if (part) this.put(part, asked);
    }); },
    async loadEarlier() { await this.loading(async (turn) => {
      if (this.earlier <= 0) return;
      const part = await this.part(turn, Math.max(0, this.earlier - WINDOW), this.earlier);
      if (part) this.prepend(part);
    }); },
    async loading(what) {
      if (this.isLoading) return;
      const turn = this.turn;
      this.isLoading = true;
      try { await what(turn); } catch { /* asked again by the next scroll */ } finally { if (turn === this.turn) this.isLoading = false; }
    },
    open() {
      this.close();
      const source = (this.source = new EventSource(`${this.url}/stream?since=${this.last}&unfinished=true`));
      const on = (kind, hear) => source.addEventListener(kind, (event) => {
        this.tail = kind === "unfinished" ? this.tail : null;
        hear(event.data && JSON.parse(event.data), Number(event.lastEventId));
        this.queue();
      });
      source.onopen = () => { this.lost = false; this.tail = null; };
      on("log", (line, end) => {
        if (end > this.last) this.append([{ ...line, isOpen: line.partial, at: this.last, end }], true);
      });
      on("unfinished", (line) => { this.tail = { ...line, line: (this.tail?.line ?? "") + line.line }; });
      on("skipped", ({ to }) => this.leap(to));
      on("end", () => { this.ended = true; this.lost = false; source.close(); });
      source.onerror = () => {
        if (this.ended) return;
        this.lost = true;
        if (source.readyState === EventSource.CLOSED) {
          clearTimeout(this.later);
          this.later = setTimeout(() => this.open(), AGAIN);
        }
      };
    },
    close() {
      this.source?.close();
      this.tail = null;
      clearTimeout(this.later);
    },
    // More was written than is streamed: who follows goes on behind it, who reads finds it when they come there.
    leap(to) {
      if (to <= this.last) return;
      if (!this.follows) { this.pause(); return; }
      this.store = [];
      this.hits = [];
      this.earlier = this.last = to;
    },
    pause() {
      this.close();
      this.more = true;
    },
    append(lines, isStreamed = false) {
      const count = this.store.length;
      for (const line of lines) add(this.store, line);
      if (isStreamed) this.last = lines.at(-1).end;
      this.hasError ||= lines.some(hasError);
      this.search(count);
      if (this.store.length > MOST) {
        if (isStreamed && !this.follows) this.pause();
        else this.dropFirst();
      }
      this.queue();
    },
    prepend({ lines, from }) {
      const [first, ...rest] = this.store;
      if (first) {
        const isMarked = this.marked === first.at;
        add(lines, first);
        if (isMarked) this.marked = lines.at(-1).at;
      }
      const added = lines.length - (first ? 1 : 0);
      this.store = lines.concat(rest);
      this.earlier = from;
      if (this.store.length > MOST) {
        this.store.length = MOST;
        this.last = this.store.at(-1).end;
        this.pause();
      }
      this.hasError ||= lines.some(hasError);
      const known = this.hits.length;
      this.search();
      if (!this.all && this.hits.length > known) this.hit += this.hits.length - known;
      this.count = this.store.length;
      this.move(added);
    },
    dropFirst() {
      const dropped = this.store.length - MOST * 0.8;
      this.store.splice(0, dropped);
      this.earlier = this.store[0].at;
      this.search();
      if (!this.follows) this.move(-dropped);
    },
    // Keep in sight what is in sight when lines come or go above it.
    move(by) {
      this.draw();
      this.$refs.scroll.scrollTop += by * LINE;
      this.draw();
    },
    queue() {
      this.frame ||= requestAnimationFrame(() => {
        this.frame = 0;
        this.count = this.store.length;
        this.draw();
        if (this.follows) this.toEnd();
      });
    },
    draw() {
      const { scroll, lines } = this.$refs;
      if (!scroll) return;
      const count = this.store.length + (this.tail ? 1 : 0);
      lines.style.height = `${count * LINE}px`;
      const from = Math.max(0, Math.floor(scroll.scrollTop / LINE) - AHEAD);
      const to = Math.min(count, Math.ceil((scroll.scrollTop + scroll.clientHeight) / LINE) + AHEAD);
      const drawn = [];
      let width = 0;
      for (let number = from; number < to; number++) drawn.push(this.row(number));
      lines.replaceChildren(...drawn);
      for (const row of drawn) width = Math.max(width, row.scrollWidth);
      lines.style.width = `max(100%, ${width}px)`;
    },
    row(number) {
      const line = this.store[number] ?? { ...this.tail, at: this.last };
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
    // Which of the kept lines hold the text, from one on.
    search(from = 0) {
      const wanted = this.wanted.toLowerCase();
      const hits = from ? [...this.hits] : [];
      for (let number = from; wanted && number < this.store.length; number++) {
        if (plain(this.store[number].line).toLowerCase().includes(wanted)) hits.push(number);
      }
      if (hits.length !== this.hits.length || !from) this.hits = hits;
      if (!this.all && this.hit >= this.hits.length) this.hit = 0;
    },
    placeOf(at) { return this.store.findIndex((line) => line.at === at); },
    async searchWhole(query, take) {
      this.stopSearching();
      const search = (this.searching = new AbortController());
      this.isSearching = true;
      try {
        await find(`${this.url}?${query}&ignore_case=true&times=true&offsets=true`, take, search.signal);
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
      const isDone = await this.searchWhole(`grep=${encodeURIComponent(this.wanted)}`, (at) => {
        if (found.push(at) === 1) { this.all = [at]; this.hit = 0; this.toPlace(at); } // the first is shown at once
        return found.length >= MOST_HITS;
      });
      if (isDone) this.all = found;
    },
    async toPlace(at) {
      const number = this.placeOf(at);
      if (number >= 0) this.show(number);
      else await this.begin(at, true);
    },
    step(by) {
      if (!this.hits.length && this.wanted && this.isPart && !this.all) { this.searchAll(); return; }
      const hits = this.all ?? this.hits;
      if (!hits.length) return;
      this.hit = (this.hit + by + hits.length) % hits.length;
      if (this.all) this.toPlace(this.all[this.hit]);
      else this.show(this.hits[this.hit]);
    },
    show(number) {
      this.follows = false;
      const { scroll } = this.$refs;
      scroll.scrollTop = Math.max(0, number * LINE - scroll.clientHeight / 2);
      this.draw();
    },
    async toError() {
      let first = this.isPart ? null : this.store.find(hasError)?.at;
      if (this.isPart) {
        const words = ERROR_WORDS.map((word, number) => `${number ? "or_" : ""}grep=${word}`).join("&");
        if (!(await this.searchWhole(`${words}&whole_words=true`, (at) => { first = at; return true; }))) return;
      }
      if (first === null || first === undefined) { this.hasError = false; return; }
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
      if (this.more) { this.begin(null); return; }
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
  },
};

// Which rows of the table are chosen, and what is to be done with them. The table is sent anew when something happens to a
// run, so what was chosen is kept here and put back.
const BOX = "input[name=run]";

export default {
  props: { words: Object, may: Boolean, why: String },
  template: `
    <div class="bulk" role="group" :aria-label="words.title">
      <span class="muted number">{{ chosen.length ? words.chosen.replace('{n}', chosen.length) : words.all }}</span>
      <button type="button" class="button small danger" :disabled="!may || isBusy" :title="may ? null : why" @click="act('cancel')">{{ words.cancel }}</button>
      <button type="button" class="button small" :disabled="!may || isBusy" :title="may ? null : why" @click="act('replay')">{{ words.replay }}</button>
      <button type="button" class="button small" v-if="chosen.length" @click="clear">{{ words.clear }}</button>
    </div>`,
  data: () => ({ chosen: [], isBusy: false }),
  mounted() {
    this.changed = (event) => {
      if (event.target.matches(BOX)) this.choose([event.target], event.target.checked);
      else if (event.target.matches("input[name=every-run]")) this.choose(this.boxes(), event.target.checked);
    };
    document.addEventListener("change", this.changed);
    this.observer = new MutationObserver(() => this.show());
    this.observer.observe(document.getElementById("content"), { childList: true, subtree: true });
  },
  unmounted() {
    document.removeEventListener("change", this.changed);
    this.observer.disconnect();
  },
  methods: {
    boxes() { return [...document.querySelectorAll(BOX)]; },
    choose(boxes, isChosen) {
      const kept = new Set(this.chosen);
      for (const box of boxes) if (isChosen) kept.add(box.value); else kept.delete(box.value);
      this.chosen = [...kept];
      this.show();
    },
    show() {
      const boxes = this.boxes();
      for (const box of boxes) box.checked = this.chosen.includes(box.value);
      const every = document.querySelector("input[name=every-run]");
      if (every) every.checked = boxes.length > 0 && boxes.every((box) => box.checked);
    },
    clear() { this.chosen = []; this.show(); },
    act(deed) { this.isBusy = true; this.$emit("act", { deed, ids: [...this.chosen] }); },
    settle(isDone) { this.isBusy = false; if (isDone) this.clear(); },
  },
};

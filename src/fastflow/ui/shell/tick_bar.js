// Which rows are ticked, and what is to be done with them. The rows are sent anew when something happens to one of them, so
// what was ticked is kept here and put back.
export default {
  props: { words: Object, box: String, deeds: Array, none: String, all: Boolean, may: Boolean, why: String },
  template: `
    <div class="bulk" role="group" :aria-label="words.title">
      <span class="muted number">{{ chosen.length ? words.chosen.replace('{n}', chosen.length) : none }}</span>
      <button v-for="deed in deeds" :key="deed.name" type="button" class="button small" :class="{ danger: deed.danger }"
        :disabled="!may || isBusy || !(all || chosen.length)" :title="may ? null : why" @click="act(deed.name)">{{ deed.label }}</button>
      <button type="button" class="button small" v-if="chosen.length" @click="clear">{{ words.clear }}</button>
    </div>`,
  data: () => ({ chosen: [], isBusy: false }),
  mounted() {
    this.changed = (event) => {
      if (event.target.matches(`input[name="${this.box}"]`)) this.choose([event.target], event.target.checked);
      else if (event.target.matches(`input[name="every-${this.box}"]`)) this.choose(this.boxes(), event.target.checked);
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
    boxes() { return [...document.querySelectorAll(`input[name="${this.box}"]`)]; },
    choose(boxes, isChosen) {
      const kept = new Set(this.chosen);
      for (const box of boxes) if (isChosen) kept.add(box.value); else kept.delete(box.value);
      this.chosen = [...kept];
      this.show();
    },
    show() {
      const boxes = this.boxes();
      for (const box of boxes) box.checked = this.chosen.includes(box.value);
      const every = document.querySelector(`input[name="every-${this.box}"]`);
      if (every) every.checked = boxes.length > 0 && boxes.every((box) => box.checked);
    },
    clear() { this.chosen = []; this.show(); },
    act(deed) { this.isBusy = true; this.$emit("act", { deed, ids: [...this.chosen] }); },
    settle(isDone) { this.isBusy = false; if (isDone) this.clear(); },
  },
};

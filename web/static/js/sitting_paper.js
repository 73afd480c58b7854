// The paper on the page: one item or ten at a time, keys, flags, and the palette of what is answered, flagged,
// seen and unseen. It knows nothing of the network.
"use strict";

window.AnpeiPaper = class {
  // `answered(position, choice)` is called for every act, `isLocked()` before one is taken.
  constructor({ bar, remembered, answered, isLocked, moved }) {
    this.bar = bar;
    this.store = remembered;
    this.answered = answered;
    this.isLocked = isLocked;
    this.moved = moved;
    this.items = [...document.querySelectorAll(".item")];
    this.total = this.items.length;
    const marks = [...document.querySelectorAll(".palette-grid .mark")];
    this.words = document.querySelector(".palette-grid").dataset;
    this.marks = new Map(marks.map((mark) => [Number(mark.dataset.position), mark]));
    this.flagButton = document.getElementById("flag");
    this.previous = document.getElementById("previous");
    this.next = document.getElementById("next");
    this.tenButton = document.getElementById("ten");
    this.flags = new Set(this.store.read("flags", []));
    this.seen = new Set(this.store.read("seen", []));
    this.perPage = this.store.read("per-page", 1) === 10 ? 10 : 1;
    this.current = 1;
    this.watcher = null;
  }

  open() {
    this.items.forEach((item) => {
      item.addEventListener("change", () => this.act(item));
      item.addEventListener("focusin", () => this.be(this.positionOf(item)));
      item.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
    });
    this.previous.addEventListener("click", () => this.turn(-1));
    this.next.addEventListener("click", () => this.turn(1));
    this.flagButton.addEventListener("click", () => this.toggleFlag());
    this.tenButton.addEventListener("click", () => this.togglePages());
    this.marks.forEach((mark, position) => {
      mark.addEventListener("click", (event) => {
        event.preventDefault();
        this.show(position, true);
      });
    });
    document.addEventListener("keydown", (event) => this.key(event));
    this.watch();
    const wanted = Number((window.location.hash.match(/^#item-(\d+)$/) || [])[1]);
    this.show(wanted || this.store.read("current", 1), false);
    this.items.forEach((item) => this.paint(item));
  }

  positionOf(item) {
    return Number(item.dataset.position);
  }

  // ---- answers
  chosen(item) {
    const ticked = [...item.querySelectorAll("input[name=choice]:checked")];
    return ticked.map((input) => input.value).sort().join("");
  }

  countAnswered() {
    return this.items.filter((item) => this.chosen(item) !== "").length;
  }

  act(item) {
    if (this.isLocked()) return;
    this.paint(item);
    this.answered(this.positionOf(item), this.chosen(item));
  }

  // What was answered here but not yet acknowledged counts over what the page was made with.
  restore(acts) {
    for (const act of acts) {
      const item = this.items[act.position - 1];
      if (!item) continue;
      item.querySelectorAll("input[name=choice]").forEach((input) => {
        input.checked = act.choice.includes(input.value);
      });
      this.paint(item);
    }
  }

  lock(isLocked) {
    document.querySelectorAll(".item input").forEach((input) => {
      input.disabled = isLocked;
    });
  }

  // ---- where one is
  show(position, hasFocus) {
    const place = Math.min(Math.max(position, 1), this.total);
    const first = this.firstOf(place);
    this.items.forEach((item) => {
      const at = this.positionOf(item);
      item.classList.toggle("is-shown", at >= first && at < first + this.perPage);
    });
    this.previous.disabled = first === 1;
    this.next.disabled = first + this.perPage > this.total;
    this.be(place);
    if (this.perPage === 1 || !this.watcher) {
      for (let at = first; at < first + this.perPage; at += 1) this.see(at);
    }
    const item = this.items[this.current - 1];
    if (hasFocus) {
      (item.querySelector("input:checked") || item.querySelector("input")).focus({ preventScroll: true });
      if (this.perPage === 1) window.scrollTo(0, 0);
      else item.scrollIntoView();
    }
  }

  firstOf(position) {
    return position - ((position - 1) % this.perPage);
  }

  turn(way) {
    if (this.perPage === 1) this.show(this.current + way, true);
    else this.show(this.firstOf(this.current) + way * this.perPage, true);
  }

  be(position) {
    if (position !== this.current) this.moved();
    this.current = position;
    this.items.forEach((item) => item.classList.toggle("is-current", this.positionOf(item) === position));
    this.marks.forEach((mark, place) => {
      mark.classList.toggle("is-current", place === position);
      if (place === position) mark.setAttribute("aria-current", "true");
      else mark.removeAttribute("aria-current");
    });
    this.flagButton.setAttribute("aria-pressed", String(this.flags.has(position)));
    this.store.write("current", position);
  }

  togglePages() {
    this.perPage = this.perPage === 1 ? 10 : 1;
    this.store.write("per-page", this.perPage);
    this.show(this.current, true);
    this.namePages();
  }

  namePages() {
    const isTen = this.perPage === 10;
    this.tenButton.setAttribute("aria-pressed", String(isTen));
    document.documentElement.classList.toggle("has-ten", isTen);
    const name = (button, key) => {
      button.querySelector("span").textContent = button.dataset[key];
    };
    name(this.previous, isTen ? "page" : "item");
    name(this.next, isTen ? "page" : "item");
  }

  // ---- seen, flagged, answered
  watch() {
    this.namePages();
    if (!window.IntersectionObserver) return;
    this.watcher = new IntersectionObserver(
      (entries) => {
        entries.forEach((entry) => {
          if (entry.isIntersecting) this.see(this.positionOf(entry.target));
        });
      },
      { threshold: 0.6 },
    );
    this.items.forEach((item) => this.watcher.observe(item));
  }

  see(position) {
    if (this.seen.has(position) || position > this.total) return;
    this.seen.add(position);
    this.store.write("seen", [...this.seen]);
    this.paint(this.items[position - 1]);
  }

  toggleFlag() {
    if (this.flags.has(this.current)) this.flags.delete(this.current);
    else this.flags.add(this.current);
    this.store.write("flags", [...this.flags]);
    this.flagButton.setAttribute("aria-pressed", String(this.flags.has(this.current)));
    this.paint(this.items[this.current - 1]);
  }

  paint(item) {
    const position = this.positionOf(item);
    item.querySelectorAll(".option").forEach((option) => {
      option.classList.toggle("is-chosen", option.querySelector("input").checked);
    });
    const mark = this.marks.get(position);
    const isAnswered = this.chosen(item) !== "";
    const isSeen = this.seen.has(position);
    const isFlagged = this.flags.has(position);
    mark.classList.toggle("answered", isAnswered);
    mark.classList.toggle("seen", isSeen && !isAnswered);
    mark.classList.toggle("flagged", isFlagged);
    let state = isSeen ? this.words.seen : this.words.unseen;
    if (isAnswered) state = this.words.answered;
    const words = [this.words.label.replace("{n}", position), state];
    if (isFlagged) words.push(this.words.flagged);
    mark.setAttribute("aria-label", words.join(this.words.between));
  }

  // ---- keys: 1–5 or A–E choose, ← → go on, F flags
  key(event) {
    if (event.ctrlKey || event.metaKey || event.altKey || event.isComposing || this.isLocked()) return;
    const key = event.key.toUpperCase();
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      event.preventDefault();
      this.show(this.current + (event.key === "ArrowRight" ? 1 : -1), true);
    } else if (key === "F") {
      this.toggleFlag();
    } else {
      const place = "12345".indexOf(key) >= 0 ? Number(key) - 1 : "ABCDE".indexOf(key);
      const inputs = [...this.items[this.current - 1].querySelectorAll("input[name=choice]")];
      const input = key.length === 1 && place >= 0 ? inputs[place] : null;
      if (input) {
        event.preventDefault();
        input.click();
        input.focus();
      }
    }
  }
};

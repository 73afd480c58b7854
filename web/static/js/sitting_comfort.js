// Large type, high contrast and reading aloud: as granted to this candidate at first, then as anyone likes it.
"use strict";

window.AnpeiComfort = class {
  constructor({ bar, remembered }) {
    this.bar = bar;
    this.store = remembered;
    this.speaking = null;
  }

  open() {
    this.toggle("larger", "large-type", this.bar.dataset.large === "1");
    this.toggle("contrast", "high-contrast", this.bar.dataset.contrast === "1");
    const canSpeak = "speechSynthesis" in window && "SpeechSynthesisUtterance" in window;
    document.getElementById("aloud").hidden = !canSpeak;
    if (!canSpeak) return;
    this.toggle("aloud", "reads-aloud", this.bar.dataset.aloud === "1", () => this.stop());
    document.querySelectorAll(".read-item").forEach((button) => {
      button.addEventListener("click", () => this.read(button));
    });
    window.addEventListener("pagehide", () => this.stop());
    window.speechSynthesis.getVoices(); // some browsers load them only when asked
  }

  // A button that puts a class on the whole page, remembered for this sitting.
  toggle(id, name, isGranted, changed = () => {}) {
    const button = document.getElementById(id);
    const set = (isOn) => {
      document.documentElement.classList.toggle(name, isOn);
      button.setAttribute("aria-pressed", String(isOn));
    };
    set(this.store.read(id, isGranted));
    button.addEventListener("click", () => {
      const isOn = button.getAttribute("aria-pressed") !== "true";
      set(isOn);
      this.store.write(id, isOn);
      changed();
    });
  }

  read(button) {
    const isSame = this.speaking === button;
    this.stop();
    if (isSame) return;
    const item = button.closest(".item");
    const parts = [item.querySelector(".item-stem").textContent];
    item.querySelectorAll(".option").forEach((option) => {
      const words = [...option.querySelectorAll("span")].map((span) => span.textContent.trim());
      parts.push(item.dataset.type === "TF" ? words[1] : words.join("，"));
    });
    const speech = new SpeechSynthesisUtterance(parts.join("。"));
    speech.lang = "zh-CN";
    const voice = window.speechSynthesis.getVoices().find((one) => /^zh[-_]CN/i.test(one.lang));
    if (voice) speech.voice = voice;
    speech.onend = () => {
      if (this.speaking === button) this.stop();
    };
    this.speaking = button;
    button.setAttribute("aria-pressed", "true");
    window.speechSynthesis.speak(speech);
  }

  stop() {
    if (!this.speaking) return;
    this.speaking.setAttribute("aria-pressed", "false");
    this.speaking = null;
    window.speechSynthesis.cancel();
  }
};

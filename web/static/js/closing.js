// The end of a sitting: what still waits is sent first, then it is handed in, then the result is shown. Also the page
// by itself (#closing) of a sitting that takes no new answers: paused, over, or over long ago with rows left here.
"use strict";

window.AnpeiClosing = class {
  // `reopened(state)` is called when the server says that there is time after all, or a pause. `spread` is how many
  // milliseconds those who have nothing left to send take turns in, so that a full city does not ask in one second.
  constructor({ sitting, token, outbox, pushes, facts, texts, say, reopened, spread = 0 }) {
    Object.assign(this, { sitting, token, outbox, pushes, facts, texts, say, reopened, spread });
    this.isRunning = false;
  }

  async run() {
    if (this.isRunning) return;
    this.isRunning = true;
    if (this.facts) this.facts.finish();
    // Only where the server would tell at once that there is more time.
    if (this.spread && this.outbox.pending.length === 0 && this.pushes.isLive()) {
      this.say(this.texts.turn);
      await new Promise((resolve) => setTimeout(resolve, Math.random() * this.spread));
    }
    while (this.isRunning) {
      const wait = await this.step();
      if (wait) await new Promise((resolve) => setTimeout(resolve, wait));
    }
  }

  // Gives the milliseconds to wait before the next step.
  async step() {
    const state = await this.pushes.ask();
    if (!state) {
      const waiting = this.outbox.pending.length;
      this.say(waiting ? this.texts.late(waiting) : this.texts.offline);
      return 2000;
    }
    if (state.status === "OPEN" || state.status === "PAUSED") {
      // An extension or a pause that this page had not heard of: the time is not up.
      this.isRunning = false;
      this.reopened(state);
      return 0;
    }
    if (this.outbox.pending.length && !this.outbox.isClosed) {
      this.say(this.texts.late(this.outbox.pending.length));
      this.outbox.send();
      return 500;
    }
    if (!(await this.handIn())) return 2000;
    this.isRunning = false;
    this.goOn();
    return 0;
  }

  // Asked again it gives the same result, and a sitting that has ended otherwise stays as it is.
  async handIn() {
    try {
      const answer = await fetch(`/api/v1/sittings/${this.sitting}/hand-in`, {
        method: "POST",
        headers: { "x-sitting-token": this.token, "x-requested-with": "fetch" },
        credentials: "same-origin",
        cache: "no-store",
      });
      return answer.status < 500;
    } catch (_) {
      return false;
    }
  }

  // Nobody overlooks that something did not count: it stays on the screen until the candidate goes on.
  goOn() {
    const result = `/sittings/${this.sitting}/result`;
    if (this.outbox.keptLate === 0) {
      window.location.assign(result);
      return;
    }
    this.say(this.texts.keptLate(this.outbox.keptLate));
    const link = document.createElement("a");
    link.className = "btn btn-sm";
    link.href = result;
    link.textContent = this.texts.result;
    document.getElementById("notice").append(link);
  }
};

(() => {
  const page = document.getElementById("closing");
  if (!page) return;
  document.documentElement.classList.add("has-script");
  const { sitting, token } = page.dataset;
  const notice = document.getElementById("notice");
  const fill = (key) => (n) => page.dataset[key].replace("{n}", n);
  const say = (words) => {
    notice.textContent = words;
    notice.hidden = !words;
  };
  const outbox = new window.AnpeiOutbox({
    sitting,
    token,
    key: page.dataset.key,
    lastSeq: Number(page.dataset.lastSeq),
    head: page.dataset.head,
    clock: null, // nothing is added here
    tell: () => {},
  });
  // Rows left of a sitting that has ended are offered to the server, which keeps them for the authority.
  const offer = async () => {
    while (outbox.pending.length && !outbox.isClosed) {
      outbox.send();
      await new Promise((resolve) => setTimeout(resolve, 500));
    }
    if (outbox.keptLate) say(fill("textKeptLate")(outbox.keptLate));
  };
  let closing = null;
  const pushes = new window.AnpeiPushes({
    sitting,
    token,
    heard: (state) => {
      if (!state || !closing || closing.isRunning) return;
      if (state.status === "OPEN") window.location.reload();
      else if (state.hasEnded) window.location.assign(`/sittings/${sitting}/result`);
      else if (state.status !== "PAUSED" && token) closing.run();
    },
  });
  outbox.open().then(() => {
    if (page.dataset.ended === "1") {
      offer();
      return;
    }
    closing = new window.AnpeiClosing({
      sitting,
      token,
      outbox,
      pushes,
      facts: null,
      texts: {
        late: fill("textLate"),
        keptLate: fill("textKeptLate"),
        offline: page.dataset.textOffline,
        result: page.dataset.textResult,
      },
      say,
      reopened: (state) => {
        if (state.status === "OPEN") window.location.reload();
      },
    });
    pushes.open();
    if (token) {
      outbox.send();
      if (page.dataset.status !== "PAUSED") closing.run();
    } else if (page.dataset.status !== "PAUSED") {
      // The other device may still be sending: handing in from here would cut it off.
      setTimeout(() => window.location.reload(), 15000);
    }
  });
})();

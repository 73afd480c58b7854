// Facts for the invigilator: what happened on this screen and for how long. Never a verdict; the candidate was told
// before the start. They wait in localStorage until the server has them.
"use strict";

window.AnpeiFacts = class {
  constructor({ sitting, token, clock, place }) {
    this.url = `/api/v1/sittings/${sitting}/facts`;
    this.token = token;
    this.clock = clock;
    this.place = place;
    this.key = `anpei-facts-${sitting}`;
    this.waiting = this.read();
    this.since = {};
    this.isLeaving = false;
    this.isSending = false;
    this.isClosed = false;
    this.failures = 0;
    this.timer = null;
  }

  open() {
    document.addEventListener("visibilitychange", () => {
      if (document.hidden) this.begin("TAB_HIDDEN");
      else this.end("TAB_HIDDEN", 0);
    });
    ["copy", "cut"].forEach((act) => document.addEventListener(act, () => this.note("COPY")));
    document.addEventListener("paste", () => this.note("PASTE"));
    document.addEventListener("fullscreenchange", () => {
      if (document.fullscreenElement) this.end("LEFT_FULL_SCREEN", 0);
      else if (!this.isLeaving) this.begin("LEFT_FULL_SCREEN");
    });
    // Going on to another page of the exam leaves full screen too; that is no fact.
    window.addEventListener("beforeunload", () => {
      this.isLeaving = true;
      setTimeout(() => {
        this.isLeaving = false;
      }, 3000);
    });
    window.addEventListener("offline", () => this.begin("NETWORK_GAP"));
    window.addEventListener("online", () => this.send());
    this.send();
  }

  // The outbox and the pushes tell how the network is; a gap begins with the first failure.
  network(isOnline) {
    if (isOnline) this.end("NETWORK_GAP", 3);
    else this.begin("NETWORK_GAP");
  }

  begin(kind) {
    if (!(kind in this.since)) this.since[kind] = this.clock.now();
  }

  end(kind, least) {
    if (!(kind in this.since)) return;
    const began = this.since[kind];
    delete this.since[kind];
    const seconds = Math.round((this.clock.now() - began) / 1000);
    if (seconds >= least) this.note(kind, began, seconds);
  }

  // The sitting is over: what still lasts ends with it.
  finish() {
    Object.keys(this.since).forEach((kind) => this.end(kind, 1));
    return this.send();
  }

  note(kind, began = this.clock.now(), seconds = 0) {
    if (this.isClosed) return;
    const id = [...crypto.getRandomValues(new Uint8Array(12))].map((byte) => byte.toString(16).padStart(2, "0"));
    const fact = { client_id: id.join(""), kind, began_at: new Date(began).toISOString(), seconds, detail: {} };
    if (kind === "COPY" || kind === "PASTE") fact.detail = { position: this.place() };
    this.waiting.push(fact);
    this.waiting = this.waiting.slice(-500);
    this.write();
    this.send();
  }

  async send() {
    if (this.isSending || this.isClosed || !this.waiting.length) return;
    this.isSending = true;
    const batch = this.waiting.slice(0, 20);
    try {
      const answer = await fetch(this.url, {
        method: "POST",
        headers: { "content-type": "application/json", "x-sitting-token": this.token },
        body: JSON.stringify({ facts: batch }),
        credentials: "same-origin",
        cache: "no-store",
        keepalive: true,
      });
      this.failures = answer.ok ? 0 : this.failures + 1;
      if (answer.ok) {
        this.network(true);
        const saved = new Set((await answer.json()).saved);
        this.waiting = this.waiting.filter((fact) => !saved.has(fact.client_id));
        // What was sent and not saved would come again for ever.
        if (batch.some((fact) => !saved.has(fact.client_id))) this.failures += 1;
        this.write();
      } else if ([401, 404, 409, 410, 422].includes(answer.status)) {
        this.isClosed = true;
      }
    } catch (_) {
      this.failures += 1;
      this.network(false);
    }
    this.isSending = false;
    clearTimeout(this.timer);
    if (this.waiting.length && !this.isClosed) {
      this.timer = setTimeout(() => this.send(), this.failures ? Math.min(2000 * 2 ** this.failures, 60000) : 50);
    }
  }

  read() {
    try {
      return JSON.parse(localStorage.getItem(this.key)) || [];
    } catch (_) {
      return [];
    }
  }

  write() {
    try {
      if (this.waiting.length) localStorage.setItem(this.key, JSON.stringify(this.waiting));
      else localStorage.removeItem(this.key);
    } catch (_) {
      // They still wait in memory.
    }
  }
};

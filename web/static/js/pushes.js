// What the site does to a sitting (more time, a pause, the end, another device) reaches the page at once by server
// push, and within half a minute by asking where EventSource is missing or does not get through.
"use strict";

window.AnpeiPushes = class {
  // `heard` gets {status, secondsLeft, deadline and now (ms), isPaused, isHolder, notice} or, when nothing answers, null.
  constructor({ sitting, token, heard }) {
    this.token = token;
    this.url = `/sittings/${sitting}/events`;
    this.stateUrl = `/api/v1/sittings/${sitting}`;
    this.heard = heard;
    this.source = null;
    this.failures = 0;
    this.isClosed = false;
  }

  open() {
    this.listen();
    setInterval(() => {
      if (!this.isLive() && !this.isClosed && !document.hidden) this.ask();
    }, 30000);
    window.addEventListener("online", () => {
      this.failures = 0;
      if (!this.source) this.listen();
      this.askUntilHeard();
    });
    document.addEventListener("visibilitychange", () => {
      // A computer that slept counts wrongly until it hears the server.
      if (!document.hidden && !this.isClosed) this.ask();
    });
  }

  // A network that has just come back may not carry the first question.
  async askUntilHeard() {
    for (let i = 0; i < 10 && !this.isClosed; i += 1) {
      if (await this.ask()) return;
      await new Promise((resolve) => setTimeout(resolve, 3000));
    }
  }

  isLive() {
    return this.source !== null && this.source.readyState === 1;
  }

  listen() {
    if (!window.EventSource || this.isClosed) return;
    this.source = new EventSource(this.url);
    this.source.addEventListener("state", (event) => {
      this.failures = 0;
      this.tell(JSON.parse(event.data));
    });
    this.source.addEventListener("error", () => {
      this.failures += 1;
      if (this.failures >= 3 || !this.source || this.source.readyState === 2) this.stop();
    });
  }

  stop() {
    if (this.source) this.source.close();
    this.source = null;
  }

  close() {
    this.isClosed = true;
    this.stop();
  }

  // Ask now. Gives the state, null when the server cannot be reached, or the status SIGN_IN when the sign-in has run
  // out, with which nothing can be asked any more; answers are still taken.
  async ask() {
    try {
      const headers = this.token ? { "x-sitting-token": this.token } : {};
      const answer = await fetch(this.stateUrl, { headers, cache: "no-store", credentials: "same-origin" });
      if (answer.status === 401) return { status: "SIGN_IN" };
      if (!answer.ok) return null;
      return this.tell(await answer.json());
    } catch (_) {
      this.heard(null);
      return null;
    }
  }

  tell(body) {
    const state = {
      status: body.status,
      secondsLeft: body.seconds_left,
      deadline: body.deadline ? Date.parse(body.deadline) : null,
      now: body.now ? Date.parse(body.now) : null,
      hasEnded: body.has_ended === true,
      isPaused: body.status === "PAUSED",
      isHolder: body.is_holder !== false,
      notice: body.notice || null,
    };
    this.heard(state);
    return state;
  }
};

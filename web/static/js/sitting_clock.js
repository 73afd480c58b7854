// The server's time as this page reckons it. The computer's own clock is never asked: it may be a day off.
"use strict";

// What the server said, plus what performance.now() has counted since. What it said is a little old when it
// arrives, so the reckoning lags behind and never runs ahead; of several the latest is the nearest. A computer that
// slept may lag more, until the server is heard again.
window.AnpeiSittingClock = class {
  constructor({ now, deadline, isPaused, secondsLeft }) {
    this.offset = now - performance.now();
    this.deadline = deadline;
    this.last = 0;
    this.frozen = isPaused ? secondsLeft : null;
  }

  // Whole milliseconds since 1970, never fewer than the time before.
  now() {
    this.last = Math.max(this.last, Math.floor(performance.now() + this.offset));
    return this.last;
  }

  iso() {
    return new Date(this.now()).toISOString();
  }

  secondsLeft() {
    if (this.frozen !== null) return this.frozen;
    return Math.max(0, Math.ceil((this.deadline - this.now()) / 1000));
  }

  // Gives the seconds that were gained (or lost) with what the server says now.
  hear({ now, deadline, secondsLeft, isPaused }) {
    if (now) this.offset = Math.max(this.offset, now - performance.now());
    const before = this.secondsLeft();
    this.frozen = isPaused ? secondsLeft : null;
    if (!isPaused) this.deadline = deadline;
    return this.secondsLeft() - before;
  }
};

// The answer outbox: first kept in this browser, then sent in order, let go of only when the server
// has acknowledged. Needs nothing newer than Chromium 86; without IndexedDB it falls back to localStorage.
"use strict";

class Kept {
  // Acts of one sitting in this browser. Every method gives a promise that never fails for the caller's sake.
  constructor(sitting) {
    this.sitting = sitting;
    this.prefix = `anpei-act-${sitting}-`;
    this.database = null;
    this.isSafe = true;
  }

  open() {
    return new Promise((resolve) => {
      let request;
      try {
        request = indexedDB.open("anpei", 1);
      } catch (_) {
        resolve();
        return;
      }
      request.onupgradeneeded = () => request.result.createObjectStore("acts", { keyPath: ["sitting", "seq"] });
      request.onsuccess = () => {
        this.database = request.result;
        resolve();
      };
      request.onerror = () => resolve();
      request.onblocked = () => resolve();
    });
  }

  act(mode, run) {
    return new Promise((resolve, reject) => {
      const transaction = this.database.transaction("acts", mode);
      const request = run(transaction.objectStore("acts"));
      transaction.oncomplete = () => resolve(request.result);
      transaction.onerror = () => reject(transaction.error);
      transaction.onabort = () => reject(transaction.error);
    });
  }

  async put(act) {
    const row = { sitting: this.sitting, seq: act.seq, position: act.position, choice: act.choice, at: act.at };
    try {
      if (this.database) {
        await this.act("readwrite", (store) => store.put(row));
        return;
      }
    } catch (_) {
      this.database = null;
    }
    try {
      localStorage.setItem(this.prefix + act.seq, JSON.stringify(row));
    } catch (_) {
      this.isSafe = false;
    }
  }

  async remove(seqs) {
    for (const seq of seqs) {
      try {
        localStorage.removeItem(this.prefix + seq);
        if (this.database) await this.act("readwrite", (store) => store.delete([this.sitting, seq]));
      } catch (_) {
        // Sending an act again is harmless, so one that could not be removed may stay.
      }
    }
  }

  async list() {
    const rows = new Map();
    try {
      for (let i = 0; i < localStorage.length; i += 1) {
        const key = localStorage.key(i);
        if (key.startsWith(this.prefix)) {
          const row = JSON.parse(localStorage.getItem(key));
          rows.set(row.seq, row);
        }
      }
    } catch (_) {
      this.isSafe = this.database !== null;
    }
    try {
      if (this.database) {
        const range = IDBKeyRange.bound([this.sitting, 0], [this.sitting, Number.MAX_SAFE_INTEGER]);
        for (const row of await this.act("readonly", (store) => store.getAll(range))) rows.set(row.seq, row);
      }
    } catch (_) {
      this.database = null;
    }
    return [...rows.values()].sort((a, b) => a.seq - b.seq);
  }
}

class Outbox {
  // `tell` gets {pending, answered, secondsLeft, isOnline} after every change and {ended: code, message} at the end.
  constructor({ sitting, token, lastSeq, tell }) {
    this.url = `/api/v1/sittings/${sitting}/answers`;
    this.token = token;
    this.seq = lastSeq;
    this.tell = tell;
    this.kept = new Kept(sitting);
    this.pending = [];
    this.isSending = false;
    this.isClosed = false;
    this.failures = 0;
    this.timer = null;
  }

  async open() {
    await this.kept.open();
    this.pending = await this.kept.list();
    for (const act of this.pending) this.seq = Math.max(this.seq, act.seq);
    window.addEventListener("online", () => this.send());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.send();
    });
    return this.pending;
  }

  add(position, choice) {
    this.seq += 1;
    const act = { seq: this.seq, position, choice, at: new Date().toISOString() };
    this.pending.push(act);
    this.tell({ pending: this.pending.length });
    // First kept, then sent.
    this.kept.put(act).then(() => this.send());
  }

  async send() {
    if (this.isSending || this.isClosed || this.pending.length === 0) return;
    this.isSending = true;
    clearTimeout(this.timer);
    const batch = this.pending.slice(0, 50);
    const abort = new AbortController();
    const patience = setTimeout(() => abort.abort(), 12000);
    let wait = 0;
    try {
      const answer = await fetch(this.url, {
        method: "PUT",
        headers: { "content-type": "application/json", "x-sitting-token": this.token },
        body: JSON.stringify({ answers: batch }),
        signal: abort.signal,
        credentials: "same-origin",
        cache: "no-store",
      });
      wait = await this.read(answer, batch);
      this.failures = wait ? this.failures + 1 : 0;
    } catch (_) {
      this.failures += 1;
      wait = this.backoff();
      this.tell({ pending: this.pending.length, isOnline: false });
    } finally {
      clearTimeout(patience);
      this.isSending = false;
    }
    if (this.pending.length && !this.isClosed) this.timer = setTimeout(() => this.send(), wait);
  }

  // Gives the milliseconds to wait before the next try.
  async read(answer, batch) {
    let body = {};
    try {
      body = await answer.json();
    } catch (_) {
      // A gateway's error page: treated by its status.
    }
    await this.letGo(body.saved || []);
    if (answer.ok) {
      this.tell({
        pending: this.pending.length,
        answered: body.answered,
        secondsLeft: body.seconds_left,
        isOnline: true,
      });
      return 0;
    }
    if (answer.status === 409 && body.code === "NUMBER") {
      await this.renumber(batch);
      return 50;
    }
    if (answer.status === 422) {
      // One that makes no sense must not hold up the others: it is dropped, and the page says so.
      await this.letGo([batch[0].seq]);
      this.tell({ pending: this.pending.length, problem: body.message });
      return 50;
    }
    if ([401, 409, 410].includes(answer.status)) {
      this.isClosed = true;
      this.tell({ ended: body.code || "ENDED", message: body.message || "", pending: this.pending.length });
      return 0;
    }
    this.tell({ pending: this.pending.length, isOnline: true });
    const asked = Number(answer.headers.get("retry-after"));
    return asked > 0 ? asked * 1000 + Math.random() * 500 : this.backoff();
  }

  async letGo(seqs) {
    const done = new Set(seqs);
    this.pending = this.pending.filter((act) => !done.has(act.seq));
    await this.kept.remove(seqs);
  }

  // Another page of this browser used our numbers: what is still pending takes new ones, in order.
  async renumber(batch) {
    const last = await this.lastSeq();
    this.seq = Math.max(this.seq, last);
    const old = batch.filter((act) => this.pending.includes(act));
    const fresh = old.map((act) => {
      this.seq += 1;
      return { ...act, seq: this.seq };
    });
    for (const act of fresh) await this.kept.put(act);
    await this.letGo(old.map((act) => act.seq));
    this.pending = [...fresh, ...this.pending].sort((a, b) => a.seq - b.seq);
  }

  async lastSeq() {
    const answer = await fetch(this.url.replace(/\/answers$/, ""), { cache: "no-store", credentials: "same-origin" });
    return answer.ok ? (await answer.json()).last_seq : this.seq;
  }

  backoff() {
    return Math.min(1000 * 2 ** Math.min(this.failures, 4), 15000) * (0.7 + Math.random() * 0.6);
  }
}

window.AnpeiOutbox = Outbox;

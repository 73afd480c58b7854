// The answer outbox: first kept in this browser, then sent in order, let go of only when the server
// has acknowledged. Needs nothing newer than Chromium 86; without IndexedDB it falls back to localStorage.
//
// A row is {sitting, seq, iv, sealed}: position, choice, time and link lie in `sealed`, by AES-GCM with a key that
// the server gives for this sitting alone. crypto.subtle exists only on https and localhost. On a plain-http page in
// an exam room's own network rows are therefore stored as they are: to lose an answer would be worse than that the
// next person at this computer could read it with developer tools. Plain rows are always read.
// The store's version stays 1, since sealed and plain rows fit the same store: no upgrade, no row lost by one, and
// no other tab that blocks it.
"use strict";

class Kept {
  // Acts of one sitting in this browser. Every method gives a promise that never fails for the caller's sake.
  constructor(sitting, key) {
    this.sitting = sitting;
    this.prefix = `anpei-act-${sitting}-`;
    this.rawKey = key;
    this.key = null;
    this.database = null;
    this.isSafe = true;
    this.turn = Promise.resolve();
  }

  async open() {
    try {
      const bytes = Uint8Array.from(window.AnpeiChain.bytesOf(this.rawKey));
      this.key = await crypto.subtle.importKey("raw", bytes, "AES-GCM", false, ["encrypt", "decrypt"]);
    } catch (_) {
      this.key = null; // plain http: see above
    }
    await this.openDatabase();
  }

  openDatabase() {
    return new Promise((resolve) => {
      let request;
      setTimeout(resolve, 4000); // a store that never opens must not hold anything up
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

  async seal(act) {
    const row = { sitting: this.sitting, seq: act.seq };
    const inside = { position: act.position, choice: act.choice, at: act.at, link: act.link };
    if (!this.key) return { ...row, ...inside };
    const iv = crypto.getRandomValues(new Uint8Array(12));
    const text = new TextEncoder().encode(JSON.stringify(inside));
    const sealed = await crypto.subtle.encrypt(this.howTo(iv, act.seq), this.key, text);
    return { ...row, iv: [...iv], sealed: [...new Uint8Array(sealed)] };
  }

  async unseal(row) {
    if (!row.sealed) {
      return { seq: row.seq, position: row.position, choice: row.choice, at: row.at || "", link: row.link || "" };
    }
    try {
      const text = await crypto.subtle.decrypt(
        this.howTo(Uint8Array.from(row.iv), row.seq),
        this.key,
        Uint8Array.from(row.sealed),
      );
      return { seq: row.seq, ...JSON.parse(new TextDecoder().decode(text)) };
    } catch (_) {
      return null; // sealed with a key that the server has given up; nobody can read it
    }
  }

  howTo(iv, seq) {
    return { name: "AES-GCM", iv, additionalData: new TextEncoder().encode(`${this.sitting} ${seq}`) };
  }

  // What touches the store runs one after the other.
  inTurn(run) {
    this.turn = this.turn.then(run, run);
    return this.turn;
  }

  act(mode, run) {
    return new Promise((resolve, reject) => {
      const transaction = this.database.transaction("acts", mode);
      const request = run(transaction.objectStore("acts"));
      transaction.oncomplete = () => resolve(request && request.result);
      transaction.onerror = () => reject(transaction.error || (request && request.error));
      transaction.onabort = () => reject(transaction.error || (request && request.error));
    });
  }

  // Gives false if the number is taken by another tab of this browser.
  async add(act) {
    const row = await this.seal(act);
    return this.inTurn(async () => {
      try {
        if (this.database) {
          await this.act("readwrite", (store) => store.add(row));
          return true;
        }
      } catch (error) {
        if (error && error.name === "ConstraintError") return false;
        this.database = null;
      }
      try {
        if (localStorage.getItem(this.prefix + row.seq) !== null) return false;
        localStorage.setItem(this.prefix + row.seq, JSON.stringify(row));
      } catch (_) {
        this.isSafe = false;
      }
      return true;
    });
  }

  // Acts take other numbers: in one transaction, so that no moment has neither.
  async replace(seqs, acts) {
    const rows = await Promise.all(acts.map((act) => this.seal(act)));
    return this.inTurn(async () => {
      const fresh = new Set(rows.map((row) => row.seq));
      const gone = seqs.filter((seq) => !fresh.has(seq));
      try {
        if (this.database) {
          await this.act("readwrite", (store) => {
            rows.forEach((row) => store.put(row));
            gone.forEach((seq) => store.delete([this.sitting, seq]));
          });
          seqs.forEach((seq) => localStorage.removeItem(this.prefix + seq));
          return;
        }
      } catch (_) {
        this.database = null;
      }
      try {
        rows.forEach((row) => localStorage.setItem(this.prefix + row.seq, JSON.stringify(row)));
        gone.forEach((seq) => localStorage.removeItem(this.prefix + seq));
      } catch (_) {
        this.isSafe = false;
      }
    });
  }

  remove(seqs) {
    return this.inTurn(async () => {
      try {
        seqs.forEach((seq) => localStorage.removeItem(this.prefix + seq));
      } catch (_) {
        // Sending an act again is harmless, so one that could not be removed may stay.
      }
      try {
        if (this.database && seqs.length) {
          await this.act("readwrite", (store) => seqs.forEach((seq) => store.delete([this.sitting, seq])));
        }
      } catch (_) {
        // As above.
      }
    });
  }

  async list() {
    const rows = await this.inTurn(() => this.rows());
    const acts = await Promise.all(rows.map((row) => this.unseal(row)));
    return acts.filter((act) => act !== null).sort((a, b) => a.seq - b.seq);
  }

  async rows() {
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
    return [...rows.values()];
  }
}

class Outbox {
  // `tell` gets some of {pending, answered, secondsLeft, isOnline, isPaused, problem} after every change, and
  // {ended: code, message, keptLate, pending} when the server takes no more. `head` is the hex of the stored chain.
  constructor({ sitting, token, key, lastSeq, head, clock, tell }) {
    this.url = `/api/v1/sittings/${sitting}/answers`;
    this.token = token;
    this.clock = clock;
    this.chain = window.AnpeiChain;
    this.end = { seq: lastSeq, head: this.chain.bytesOf(head) };
    this.tell = tell;
    this.kept = new Kept(sitting, key);
    this.pending = [];
    this.unkept = new Set();
    this.keptLate = 0;
    this.most = 50;
    this.isSending = false;
    this.isClosed = false;
    this.failures = 0;
    this.timer = null;
    this.opened = new Promise((resolve) => {
      this.isOpened = resolve;
    });
  }

  // Gives what waited here from before.
  async open() {
    const last = { ...this.end };
    await this.kept.open();
    const found = await this.kept.list();
    const made = this.pending; // while the store was being opened
    const stored = found.filter((act) => act.seq <= last.seq);
    const waiting = found.filter((act) => act.seq > last.seq);
    this.pending = stored.concat(made);
    if (waiting.length) {
      this.end = last;
      await this.line(waiting.concat(made), stored);
    }
    this.isOpened();
    window.addEventListener("online", () => this.send());
    document.addEventListener("visibilitychange", () => {
      if (!document.hidden) this.send();
    });
    window.addEventListener("pagehide", () => this.sendLast());
    return this.pending;
  }

  add(position, choice) {
    const { acts, seq, head } = this.chain.follow([{ position, choice, at: this.clock.iso() }], this.end);
    this.end = { seq, head };
    const [act] = acts;
    this.pending.push(act);
    this.unkept.add(act.seq);
    this.tell({ pending: this.pending.length });
    // First kept, then sent; but a browser whose store hangs must not keep an answer from being sent.
    const patience = new Promise((resolve) => setTimeout(() => resolve(true), 1500));
    Promise.race([this.opened.then(() => this.kept.add(act)), patience]).then(async (isOurs) => {
      if (!isOurs) await this.takeIn();
      this.unkept.delete(act.seq);
      // Under another number by now, and kept under that one.
      if (!this.pending.some((other) => other.seq === act.seq)) await this.kept.remove([act.seq]);
      this.send();
    });
  }

  // Another tab has kept acts under our numbers: they become ours, and what is new here follows them.
  async takeIn() {
    const ours = new Set(this.pending.map((act) => act.link));
    const theirs = (await this.kept.list()).filter((act) => !ours.has(act.link));
    const first = theirs.length ? theirs[0].seq : 0;
    const before = this.pending.filter((act) => act.seq < first);
    const last = theirs.length ? theirs[theirs.length - 1] : null;
    if (!last || !last.link) return;
    const link = atob(last.link.replace(/-/g, "+").replace(/_/g, "/"));
    this.end = { seq: last.seq, head: [...link].map((letter) => letter.charCodeAt(0)) };
    // Their rows stay: it is only our newest that has none yet.
    await this.line(this.pending.filter((act) => act.seq >= first), before.concat(theirs), []);
  }

  // What waits is `before`, then `acts` numbered and linked on from the end of the chain.
  async line(acts, before = [], old = acts.map((act) => act.seq)) {
    const { acts: fresh, seq, head } = this.chain.follow(acts, this.end);
    this.end = { seq, head };
    this.pending = before.concat(fresh);
    const isAsBefore = fresh.every((act, i) => act.seq === acts[i].seq && act.link === acts[i].link);
    if (isAsBefore) return;
    old.forEach((number) => this.unkept.delete(number));
    fresh.forEach((act) => this.unkept.add(act.seq));
    await this.kept.replace(old, fresh);
    fresh.forEach((act) => this.unkept.delete(act.seq));
  }

  async send() {
    if (this.isSending || this.isClosed || this.pending.length === 0) return;
    const waiting = this.pending.findIndex((act) => this.unkept.has(act.seq));
    const batch = this.pending.slice(0, waiting < 0 ? this.most : Math.min(waiting, this.most));
    if (batch.length === 0) return;
    this.isSending = true;
    clearTimeout(this.timer);
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

  // The page goes before the newest act is in the store: sent without waiting for either.
  sendLast() {
    if (this.unkept.size === 0 || this.isClosed) return;
    fetch(this.url, {
      method: "PUT",
      headers: { "content-type": "application/json", "x-sitting-token": this.token },
      body: JSON.stringify({ answers: this.pending.slice(-this.most) }),
      credentials: "same-origin",
      keepalive: true,
    }).catch(() => {});
  }

  // Gives the milliseconds to wait before the next try.
  async read(answer, batch) {
    let body = {};
    try {
      body = await answer.json();
    } catch (_) {
      // A gateway's error page: treated by its status.
    }
    const clash = answer.status === 409 && body.code === "NUMBER";
    if (clash) return this.renumber(batch, new Set(body.saved));
    await this.letGo(body.saved || []);
    if (answer.ok) {
      this.most = 50;
      this.tell({
        pending: this.pending.length,
        answered: body.answered,
        secondsLeft: body.seconds_left,
        isOnline: true,
      });
      return 0;
    }
    if (answer.status === 422) return this.putAside(batch, body);
    if (answer.status === 423) {
      this.tell({ pending: this.pending.length, isOnline: true, isPaused: true });
      return 5000;
    }
    if ([401, 409, 410].includes(answer.status)) return this.endWith(body, batch);
    this.tell({ pending: this.pending.length, isOnline: true });
    const asked = Number(answer.headers.get("retry-after"));
    return asked > 0 ? asked * 1000 + Math.random() * 500 : this.backoff();
  }

  // One that makes no sense must not hold up the others. Which it is shows when they are sent one by one.
  async putAside(batch, body) {
    if (batch.length > 1) {
      this.most = 1;
    } else {
      await this.letGo([batch[0].seq]);
      this.tell({ pending: this.pending.length, problem: body.message });
    }
    return 50;
  }

  // Over, or on another device. What the server keeps for the authority is let go of; then the rest is offered too.
  async endWith(body, batch) {
    const late = new Set(body.kept_late || []);
    const known = batch.filter((act) => late.has(act.seq)).map((act) => act.seq);
    this.keptLate += known.length;
    await this.letGo(known);
    this.isClosed = known.length + (body.saved || []).length === 0 || this.pending.length === 0;
    this.tell({
      ended: body.code || "ENDED",
      message: body.message || "",
      keptLate: this.keptLate,
      pending: this.pending.length,
    });
    return 50;
  }

  async letGo(seqs) {
    const done = new Set(seqs);
    this.pending = this.pending.filter((act) => !done.has(act.seq));
    await this.kept.remove(seqs);
  }

  // Something else used our numbers: what is not saved is numbered and linked on from what the server has. What was
  // saved after the first of these comes once more, so that of two acts at one item the later one stays the later.
  async renumber(batch, saved) {
    const state = await this.askState();
    if (!state) return this.backoff();
    const first = batch.find((act) => !saved.has(act.seq));
    const done = batch.filter((act) => saved.has(act.seq) && (!first || act.seq < first.seq)).map((act) => act.seq);
    this.end = { seq: state.last_seq, head: this.chain.bytesOf(state.chain_head) };
    await this.line(this.pending.filter((act) => !done.includes(act.seq)));
    await this.kept.remove(done);
    return 50;
  }

  async askState() {
    const answer = await fetch(this.url.replace(/\/answers$/, ""), { cache: "no-store", credentials: "same-origin" });
    return answer.ok ? answer.json() : null;
  }

  backoff() {
    return Math.min(1000 * 2 ** Math.min(this.failures, 4), 15000) * (0.7 + Math.random() * 0.6);
  }
}

window.AnpeiOutbox = Outbox;

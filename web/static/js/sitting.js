// The exam page: what the paper, the outbox, the clock, the pushes and the facts tell each other.
"use strict";

(() => {
  const bar = document.getElementById("sitting");
  const { sitting, token } = bar.dataset;
  const total = Number(bar.dataset.total);
  const notice = document.getElementById("notice");
  const saveState = document.getElementById("save-state");
  const timeLeft = document.getElementById("time-left");
  const tabId = `${Date.now()}-${Math.random()}`;
  const text = (key, n) => bar.dataset[key].replace("{n}", n).replace("{total}", total);
  document.documentElement.classList.add("has-script");

  const remembered = {
    key: (name) => `anpei-${name}-${sitting}`,
    read(name, otherwise) {
      try {
        const value = JSON.parse(localStorage.getItem(this.key(name)));
        return value === null ? otherwise : value;
      } catch (_) {
        return otherwise;
      }
    },
    write(name, value) {
      try {
        localStorage.setItem(this.key(name), JSON.stringify(value));
      } catch (_) {
        // Flags and the current item are a convenience only.
      }
    },
  };

  let answered = 0;
  let pending = 0;
  let isOver = false;
  let isAsleep = false;
  let isPaused = false;
  let lastNotice = "";

  function say(words) {
    notice.textContent = words;
    notice.hidden = !words;
  }

  // ---- time, by the server
  const clock = new window.AnpeiSittingClock({
    now: Number(bar.dataset.now),
    deadline: Number(bar.dataset.deadline),
    isPaused: false,
    secondsLeft: Number(bar.dataset.seconds),
  });
  const mayLeaveAt = performance.now() + Number(bar.dataset.leaveIn) * 1000;
  const announced = new Set();
  let askedForTime = 0;
  const two = (n) => String(n).padStart(2, "0");
  function tick() {
    const s = clock.secondsLeft();
    timeLeft.textContent = `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
    timeLeft.classList.toggle("is-short", s <= 300);
    if (isPaused || isOver) return;
    for (const minutes of [10, 5, 1]) {
      if (s <= minutes * 60 && s > minutes * 60 - 5 && !announced.has(minutes)) {
        announced.add(minutes);
        say(text("textLastMinutes", minutes));
      }
    }
    if (s === 0 && !isAsleep) finish("textTimeUp");
  }

  // ---- the end
  function finish(key) {
    if (isOver) return;
    isOver = true;
    comfort.stop();
    say(text(key));
    paper.lock(true);
    document.getElementById("hand-in").hidden = true;
    outbox.send();
    closing.run();
  }
  function reopen() {
    if (isAsleep) return;
    isOver = false;
    paper.lock(isPaused);
    document.getElementById("hand-in").hidden = isPaused;
    if (!isPaused) say(text("textMoreTime"));
  }

  // ---- a pause covers the items; the clock stands still
  function pause(isNow) {
    if (isNow === isPaused) return;
    isPaused = isNow;
    comfort.stop();
    paper.lock(isNow || isOver || isAsleep);
    document.getElementById("paper").hidden = isNow;
    document.getElementById("paused").hidden = !isNow;
    document.getElementById("hand-in").hidden = isNow;
    if (!isNow) outbox.send();
  }
  function wordsOf(news) {
    const name = news.kind.toLowerCase().replace(/(^|_)(.)/g, (_, __, letter) => letter.toUpperCase());
    const words = (bar.dataset[`notice${name}`] || "").replace("{n}", news.minutes || "");
    return words && news.reason ? `${words}${text("textReason").replace("{reason}", news.reason)}` : words;
  }
  // Each act of the site is told once, also after a reload.
  function noticed(news) {
    const words = wordsOf(news);
    if (news.kind === "PAUSED") document.getElementById("paused-reason").textContent = words;
    if (news.at === lastNotice || !words) return;
    lastNotice = news.at;
    remembered.write("notice", news.at);
    // A pause is told where the items were.
    say(news.kind === "PAUSED" ? "" : words);
  }
  function heard(state) {
    if (!state) {
      facts.network(false);
      return;
    }
    facts.network(true);
    if (state.deadline === null) return;
    const gained = clock.hear(state);
    pause(state.isPaused);
    if (state.notice) noticed(state.notice);
    else if (gained > 30 && !isOver) say(text("textMoreTime"));
    if (isOver || isAsleep) return;
    if (state.status !== "OPEN" && !isPaused) finish("textEnded");
    else if (!state.isHolder) moved((state.notice && wordsOf(state.notice)) || text("textMoved"));
  }
  // The sitting goes on elsewhere.
  function moved(words) {
    isOver = true;
    paper.lock(true);
    pushes.close();
    say(words);
  }

  // ---- saving
  function showSaved() {
    const late = outbox.keptLate;
    saveState.classList.toggle("is-waiting", pending > 0 || late > 0);
    if (pending > 0) saveState.textContent = text(isOver ? "textWaitingOver" : "textWaiting", pending);
    else saveState.textContent = late > 0 ? text("textNotCounted", late) : text("textSaved", answered);
  }
  function told(news) {
    if (typeof news.pending === "number") pending = news.pending;
    if (typeof news.answered === "number") answered = news.answered;
    if (news.ended) {
      if (news.ended === "ENDED") finish("textEnded");
      else moved(news.keptLate ? `${news.message} ${text("textKeptLate", news.keptLate)}` : news.message);
      showSaved();
      return;
    }
    if (news.isOnline !== undefined) facts.network(news.isOnline);
    if (news.isPaused && !isPaused) {
      pause(true);
      pushes.ask();
    }
    // More or less time than reckoned: ask how it stands.
    if (typeof news.secondsLeft === "number" && Math.abs(news.secondsLeft - clock.secondsLeft()) > 2) {
      if (performance.now() - askedForTime > 5000) pushes.ask();
      askedForTime = performance.now();
    }
    if (news.problem) say(news.problem);
    if (news.isOnline === false && !isOver) say(text("textOffline"));
    if (news.isOnline === true && notice.textContent === text("textOffline")) say("");
    showSaved();
  }

  const isLocked = () => isOver || isAsleep || isPaused;
  const outbox = new window.AnpeiOutbox({
    sitting,
    token,
    key: bar.dataset.key,
    lastSeq: Number(bar.dataset.lastSeq),
    head: bar.dataset.head,
    clock,
    tell: told,
  });
  const comfort = new window.AnpeiComfort({ bar, remembered });
  const paper = new window.AnpeiPaper({
    bar,
    remembered,
    isLocked,
    answered: (position, choice) => outbox.add(position, choice),
    moved: () => comfort.stop(),
  });
  const facts = new window.AnpeiFacts({ sitting, token, clock, place: () => paper.current });
  const pushes = new window.AnpeiPushes({ sitting, token, heard });
  const closing = new window.AnpeiClosing({
    sitting,
    token,
    outbox,
    pushes,
    facts,
    texts: {
      late: (n) => text("textTimeUpWaiting", n),
      keptLate: (n) => text("textKeptLate", n),
      offline: text("textTimeUpOffline"),
      result: bar.dataset.textResult,
      turn: text("textTurn"),
    },
    say,
    reopened: reopen,
    spread: Number(bar.dataset.spread) * 1000,
  });

  // ---- one tab at a time: the newest answers, the others sleep
  window.addEventListener("storage", (event) => {
    if (event.key !== remembered.key("tab") || event.newValue === JSON.stringify(tabId)) return;
    isAsleep = true;
    outbox.isClosed = true;
    facts.isClosed = true;
    pushes.close();
    comfort.stop();
    paper.lock(true);
    say(text("textOtherTab"));
    const here = document.createElement("button");
    here.type = "button";
    here.className = "btn btn-sm";
    here.textContent = bar.dataset.textHere;
    here.addEventListener("click", () => window.location.reload());
    notice.append(here);
  });

  // ---- the bar
  document.getElementById("hand-in").addEventListener("click", (event) => {
    const early = Math.ceil((mayLeaveAt - performance.now()) / 60000);
    if (pending > 0) {
      event.preventDefault();
      say(text("textWaitHandIn", pending));
      outbox.send();
    } else if (early > 0) {
      event.preventDefault();
      say(text("textTooEarly", early));
    }
  });
  const fullScreen = document.getElementById("full-screen");
  if (fullScreen && document.fullscreenEnabled) {
    fullScreen.hidden = false;
    fullScreen.addEventListener("click", () => document.documentElement.requestFullscreen().catch(() => {}));
    document.addEventListener("fullscreenchange", () => {
      fullScreen.hidden = document.fullscreenElement !== null;
      if (!document.fullscreenElement && !isOver) say(text("textLeftFullScreen"));
    });
  }
  window.addEventListener("beforeunload", (event) => {
    if (pending > 0 && !isOver && !outbox.kept.isSafe) event.preventDefault();
  });
  window.addEventListener("offline", () => {
    if (!isOver) say(text("textOffline"));
  });

  // ---- begin
  lastNotice = remembered.read("notice", "");
  remembered.write("tab", tabId);
  paper.open();
  comfort.open();
  answered = paper.countAnswered();
  outbox.open().then((acts) => {
    paper.restore(acts);
    pending = acts.length;
    showSaved();
    if (!outbox.kept.isSafe) say(text("textStorage"));
    outbox.send();
  });
  facts.open();
  pushes.open();
  if (window.matchMedia("(min-width: 900px)").matches) document.getElementById("palette-details").open = true;
  setInterval(tick, 500);
  tick();
})();

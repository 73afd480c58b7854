// The exam page: one item at a time, keys, palette, time left by the server, and the outbox.
"use strict";

(() => {
  const bar = document.getElementById("sitting");
  const sitting = bar.dataset.sitting;
  const total = Number(bar.dataset.total);
  const items = [...document.querySelectorAll(".item")];
  const marks = new Map([...document.querySelectorAll(".palette-grid .mark")].map((m) => [Number(m.dataset.position), m]));
  const notice = document.getElementById("notice");
  const saveState = document.getElementById("save-state");
  const timeLeft = document.getElementById("time-left");
  const flagButton = document.getElementById("flag");
  const tabId = `${Date.now()}-${Math.random()}`;
  const remembered = (key) => `anpei-${key}-${sitting}`;
  const text = (key, n) => bar.dataset[key].replace("{n}", n).replace("{total}", total);
  document.documentElement.classList.add("has-script");

  let answered = items.filter((item) => chosen(item)).length;
  let pending = 0;
  let current = 1;
  let isOver = false;
  let isAsleep = false;
  const flags = new Set(read("flags", []));

  function read(key, otherwise) {
    try {
      return JSON.parse(localStorage.getItem(remembered(key))) || otherwise;
    } catch (_) {
      return otherwise;
    }
  }
  function remember(key, value) {
    try {
      localStorage.setItem(remembered(key), JSON.stringify(value));
    } catch (_) {
      // Flags and the current item are a convenience only.
    }
  }
  function say(words) {
    notice.textContent = words;
    notice.hidden = !words;
  }

  // ---- time: counted from what the server said last, never from the client's clock
  let endsAt = performance.now() + Number(bar.dataset.seconds) * 1000;
  const mayLeaveAt = performance.now() + Number(bar.dataset.leaveIn) * 1000;
  const announced = new Set();
  function secondsLeft() {
    return Math.max(0, Math.ceil((endsAt - performance.now()) / 1000));
  }
  function syncTime(seconds) {
    if (typeof seconds !== "number") return;
    const gained = seconds - secondsLeft();
    endsAt = performance.now() + seconds * 1000;
    if (gained > 30 && !isOver) say(text("textMoreTime"));
  }
  function two(n) {
    return String(n).padStart(2, "0");
  }
  function tick() {
    const s = secondsLeft();
    timeLeft.textContent = `${Math.floor(s / 3600)}:${two(Math.floor(s / 60) % 60)}:${two(s % 60)}`;
    timeLeft.classList.toggle("is-short", s <= 300);
    for (const minutes of [10, 5, 1]) {
      if (s <= minutes * 60 && s > minutes * 60 - 5 && !announced.has(minutes)) {
        announced.add(minutes);
        say(text("textLastMinutes", minutes));
      }
    }
    if (s === 0 && !isOver) finish("textTimeUp");
  }

  // ---- the end: the server closes the sitting by itself; the page only goes to see the result
  function finish(key) {
    isOver = true;
    say(text(key));
    lock();
    outbox.send();
    const look = () => {
      fetch(`/api/v1/sittings/${sitting}`, { cache: "no-store", credentials: "same-origin" })
        .then((answer) => answer.json())
        .then((state) => {
          if (state.status && state.status !== "OPEN") window.location.assign(`/sittings/${sitting}/result`);
          else setTimeout(look, 2000);
        })
        .catch(() => {
          say(text("textTimeUpOffline"));
          setTimeout(look, 5000);
        });
    };
    setTimeout(look, 1500);
  }
  function lock() {
    document.querySelectorAll(".item input").forEach((input) => {
      input.disabled = true;
    });
  }

  // ---- one item at a time
  function show(position, focus) {
    current = Math.min(Math.max(position, 1), total);
    items.forEach((item) => item.classList.toggle("is-current", Number(item.dataset.position) === current));
    marks.forEach((mark, place) => {
      mark.classList.toggle("is-current", place === current);
      if (place === current) mark.setAttribute("aria-current", "true");
      else mark.removeAttribute("aria-current");
    });
    flagButton.setAttribute("aria-pressed", String(flags.has(current)));
    document.getElementById("previous").disabled = current === 1;
    document.getElementById("next").disabled = current === total;
    remember("current", current);
    if (focus) {
      const item = items[current - 1];
      (item.querySelector("input:checked") || item.querySelector("input")).focus({ preventScroll: true });
      window.scrollTo(0, 0);
    }
  }
  function chosen(item) {
    return [...item.querySelectorAll("input[name=choice]:checked")].map((input) => input.value).sort().join("");
  }
  function paint(item) {
    const position = Number(item.dataset.position);
    item.querySelectorAll(".option").forEach((option) => {
      option.classList.toggle("is-chosen", option.querySelector("input").checked);
    });
    const mark = marks.get(position);
    const isAnswered = chosen(item) !== "";
    mark.classList.toggle("answered", isAnswered);
    mark.classList.toggle("flagged", flags.has(position));
    const words = [mark.dataset.label, isAnswered ? mark.dataset.answered : mark.dataset.open];
    if (flags.has(position)) words.push(mark.dataset.flagged);
    mark.setAttribute("aria-label", words.join("，"));
  }
  function toggleFlag() {
    if (flags.has(current)) flags.delete(current);
    else flags.add(current);
    remember("flags", [...flags]);
    flagButton.setAttribute("aria-pressed", String(flags.has(current)));
    paint(items[current - 1]);
  }

  // ---- saving
  function showSaved() {
    saveState.classList.toggle("is-waiting", pending > 0);
    saveState.textContent = pending > 0 ? text("textWaiting", pending) : text("textSaved", answered);
  }
  function told(news) {
    if (news.ended) {
      pending = news.pending;
      if (news.ended === "ENDED") {
        finish("textEnded");
      } else {
        isOver = true;
        lock();
        say(news.message);
      }
      showSaved();
      return;
    }
    if (typeof news.pending === "number") pending = news.pending;
    if (typeof news.answered === "number") answered = news.answered;
    syncTime(news.secondsLeft);
    if (news.problem) say(news.problem);
    if (news.isOnline === false) say(text("textOffline"));
    if (news.isOnline === true && notice.textContent === text("textOffline")) say("");
    showSaved();
  }
  const outbox = new window.AnpeiOutbox({
    sitting,
    token: bar.dataset.token,
    lastSeq: Number(bar.dataset.lastSeq),
    tell: told,
  });

  function answer(item) {
    if (isOver || isAsleep) return;
    paint(item);
    outbox.add(Number(item.dataset.position), chosen(item));
  }

  // ---- one tab at a time: the newest answers, the others sleep
  function claim() {
    isAsleep = false;
    remember("tab", tabId);
  }
  window.addEventListener("storage", (event) => {
    if (event.key !== remembered("tab") || event.newValue === JSON.stringify(tabId)) return;
    isAsleep = true;
    outbox.isClosed = true;
    lock();
    say(text("textOtherTab"));
    const here = document.createElement("button");
    here.type = "button";
    here.className = "btn btn-sm";
    here.textContent = bar.dataset.textHere;
    here.addEventListener("click", () => window.location.reload());
    notice.append(here);
  });

  // ---- what the candidate does
  items.forEach((item) => {
    item.addEventListener("change", () => answer(item));
    item.querySelector("form").addEventListener("submit", (event) => event.preventDefault());
  });
  document.getElementById("previous").addEventListener("click", () => show(current - 1, true));
  document.getElementById("next").addEventListener("click", () => show(current + 1, true));
  flagButton.addEventListener("click", toggleFlag);
  marks.forEach((mark, position) => {
    mark.addEventListener("click", (event) => {
      event.preventDefault();
      show(position, true);
    });
  });
  const larger = document.getElementById("larger");
  larger.addEventListener("click", () => {
    const isLarge = document.body.classList.toggle("large-type");
    larger.setAttribute("aria-pressed", String(isLarge));
  });
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
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isOver || isAsleep) return;
    const inputs = [...items[current - 1].querySelectorAll("input[name=choice]")];
    const key = event.key.toUpperCase();
    if (event.key === "ArrowRight" || event.key === "ArrowLeft") {
      event.preventDefault();
      show(current + (event.key === "ArrowRight" ? 1 : -1), true);
    } else if (key === "F") {
      toggleFlag();
    } else {
      const place = "12345".indexOf(key) >= 0 ? Number(key) - 1 : "ABCDE".indexOf(key);
      const input = key.length === 1 && place >= 0 ? inputs[place] : null;
      if (input) {
        event.preventDefault();
        input.click();
        input.focus();
      }
    }
  });
  window.addEventListener("beforeunload", (event) => {
    if (pending > 0 && !isOver && !outbox.kept.isSafe) event.preventDefault();
  });
  window.addEventListener("offline", () => say(text("textOffline")));

  // ---- begin
  claim();
  outbox.open().then((acts) => {
    // What was answered here but not yet acknowledged counts over what the page was made with.
    for (const act of acts) {
      const item = items[act.position - 1];
      if (!item) continue;
      item.querySelectorAll("input[name=choice]").forEach((input) => {
        input.checked = act.choice.includes(input.value);
      });
    }
    pending = acts.length;
    items.forEach(paint);
    showSaved();
    if (!outbox.kept.isSafe) say(text("textStorage"));
    outbox.send();
  });
  const wanted = Number((window.location.hash.match(/^#item-(\d+)$/) || [])[1]);
  if (window.matchMedia("(min-width: 900px)").matches) document.getElementById("palette-details").open = true;
  items.forEach(paint);
  show(wanted || read("current", 1), false);
  setInterval(tick, 500);
  tick();

  // Extensions and the end reach a candidate who reads for a long time.
  setInterval(() => {
    if (isOver || isAsleep || document.hidden) return;
    fetch(`/api/v1/sittings/${sitting}`, { cache: "no-store", credentials: "same-origin" })
      .then((reply) => (reply.ok ? reply.json() : null))
      .then((state) => {
        if (!state || isOver) return;
        if (state.status !== "OPEN") finish("textEnded");
        else syncTime(state.seconds_left);
      })
      .catch(() => {});
  }, 30000);
})();

// A lesson page: tells the server that it is being read, and keeps a first viewing of a video from being
// skipped. The server alone counts; without this script the page is read the same and counts by page loads.
"use strict";

(() => {
  const form = document.getElementById("pulse");
  if (!form || !window.htmx) return;
  const every = Number(form.dataset.seconds) * 1000;
  const IDLE_AFTER = 3 * 60 * 1000;
  const video = document.querySelector("video[data-block]");
  let lastSign = Date.now();
  let lastTouch = Date.now();
  let isAway = false;

  const panel = () => document.getElementById("lesson-progress");
  const isOver = () => ["OTHER_PLACE", "FINISHED"].includes(panel().dataset.counting);
  const isPlaying = () => video && !video.paused && !video.ended;
  const say = (text) => {
    panel().querySelector("[role=status]").textContent = text;
  };

  function fill(sign) {
    form.elements.sign.value = sign;
    if (video) {
      form.elements.video_block.value = video.dataset.block;
      form.elements.video_second.value = Math.floor(furthest);
    }
    lastSign = Date.now();
  }

  function tell(sign) {
    if (isOver()) return;
    fill(sign);
    window.htmx.trigger(form, "pulse");
  }

  // A page that is being closed has no time for htmx.
  function leave() {
    if (isAway || isOver()) return;
    isAway = true;
    fill("AWAY");
    fetch(form.action, { method: "POST", body: new URLSearchParams(new FormData(form)), keepalive: true, redirect: "manual" }).catch(() => {});
  }

  function comeBack() {
    lastTouch = Date.now();
    if (!isAway) return;
    isAway = false;
    tell("BACK");
  }

  window.setInterval(() => {
    if (isAway || isOver()) return;
    if (isPlaying()) lastTouch = Date.now();
    if (Date.now() - lastTouch > IDLE_AFTER) {
      leave();
      say(form.dataset.idle);
      return;
    }
    if (Date.now() - lastSign >= every) tell("READING");
    tick();
  }, 1000);

  // Between two signs the page counts down by itself; the next answer of the server sets it right.
  function tick() {
    const left = panel().querySelector("[data-ticking]");
    if (!left || (video && !isPlaying() && Number(left.textContent) <= unseen())) return;
    const seconds = Number(left.textContent);
    if (seconds > 0) {
      left.textContent = String(seconds - 1);
      panel().querySelector("progress").value += 1;
    } else if (Date.now() - lastSign > 3000) {
      tell("READING");
    }
  }

  document.addEventListener("visibilitychange", () => (document.hidden ? leave() : comeBack()));
  window.addEventListener("pagehide", leave);
  ["scroll", "pointerdown", "keydown", "touchstart", "mousemove"].forEach((name) =>
    window.addEventListener(name, () => (document.hidden ? null : comeBack()), { passive: true }),
  );
  form.addEventListener("htmx:sendError", () => say(form.dataset.offline));
  // An error page must not take the panel's place: say it in the panel and go on.
  document.body.addEventListener("htmx:beforeSwap", (event) => {
    if (event.detail.elt !== form || event.detail.xhr.status < 400) return;
    event.detail.shouldSwap = false;
    say(form.dataset.offline);
  });

  // The furthest second that was really shown.
  let furthest = video ? Number(video.dataset.furthest) : 0;
  const unseen = () => Math.max(0, Number(video.dataset.length) - 1 - furthest);
  if (!video) return;
  const isFirstTime = () => unseen() > 0;
  video.addEventListener("loadedmetadata", () => {
    if (isFirstTime() && furthest > 1) video.currentTime = furthest;
  });
  video.addEventListener("timeupdate", () => {
    const ahead = video.currentTime - furthest;
    if (!video.seeking && ahead > 0 && ahead < 1.5) furthest = video.currentTime;
  });
  video.addEventListener("seeking", () => {
    if (isFirstTime() && video.currentTime > furthest + 0.5) video.currentTime = furthest;
  });
  video.addEventListener("ratechange", () => {
    if (isFirstTime() && video.playbackRate > 1) video.playbackRate = 1;
  });
  video.addEventListener("ended", () => tell("READING"));
})();

// Copying and printing of invitation links, and a sign of work while a long list is read.
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  document.querySelectorAll("[data-copy], [data-print]").forEach((button) => {
    button.hidden = false;
  });
});

document.addEventListener("click", async (event) => {
  const print = event.target.closest("[data-print]");
  if (print) window.print();
  const copy = event.target.closest("[data-copy]");
  if (!copy) return;
  const text = document.getElementById(copy.dataset.copy).textContent.trim();
  try {
    await navigator.clipboard.writeText(text);
    copy.querySelector("span").textContent = copy.dataset.done;
  } catch {
    // Without the clipboard the link can still be selected: one click takes all of it.
    window.getSelection().selectAllChildren(document.getElementById(copy.dataset.copy));
  }
});

document.addEventListener("submit", (event) => {
  const form = event.target;
  const busy = form.querySelector(".busy");
  if (event.defaultPrevented || !("busy" in form.dataset) || !busy) return;
  busy.hidden = false;
});

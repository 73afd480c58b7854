// Entering an answer sheet by keyboard: one key a position, and on to the next. Without it the form is typed as any other.
"use strict";

(function () {
  var form = document.getElementById("sheet-form");
  if (!form) { return; }
  var fields = Array.prototype.slice.call(form.querySelectorAll("input[data-letters]"));
  var count = document.getElementById("sheet-count");
  var wrong = document.getElementById("sheet-wrong");
  var before = fields.map(function (field) { return field.value; });
  var sent = false;

  function go(field, step) {
    var next = fields[fields.indexOf(field) + step];
    if (next) { next.focus(); next.select(); } else if (step > 0) { document.getElementById("f-remark").focus(); }
  }

  function show() {
    count.hidden = false;
    count.querySelector("b").textContent = fields.filter(function (field) { return field.value; }).length;
  }

  // What a key means at a position: its letter, X, or nothing.
  function meant(field, key) {
    var letters = field.dataset.letters;
    var upper = key.toUpperCase();
    if (upper === "X" || letters.indexOf(upper) >= 0) { return upper; }
    return /^[1-9]$/.test(key) ? letters.charAt(Number(key) - 1) : "";
  }

  function refuse(field, typed) {
    var text = form.dataset.wrong.replace("{n}", fields.indexOf(field) + 1).replace("{typed}", typed);
    wrong.textContent = text.replace("{letters}", field.dataset.letters);
  }

  function put(field, letter) {
    var many = "many" in field.dataset;
    wrong.textContent = "";
    if (letter === "X" || !many) {
      field.value = letter;
      show();
      go(field, 1);
      return;
    }
    var chosen = field.value.toUpperCase().replace("X", "");
    chosen = chosen.indexOf(letter) < 0 ? chosen + letter : chosen.replace(letter, "");
    field.value = chosen.split("").sort().join("");
    show();
  }

  function isWholeSelected(field) {
    return field.value && field.selectionStart === 0 && field.selectionEnd === field.value.length;
  }

  form.addEventListener("keydown", function (event) {
    var field = event.target;
    if (fields.indexOf(field) < 0 || event.ctrlKey || event.metaKey || event.altKey || event.isComposing) { return; }
    var steps = { Enter: 1, " ": 1, ArrowDown: 1, ArrowRight: 1, ArrowUp: -1, ArrowLeft: -1 };
    if (event.key in steps) {
      event.preventDefault();
      go(field, event.key === "Enter" && event.shiftKey ? -1 : steps[event.key]);
    } else if (event.key === "Backspace" && !field.value) {
      event.preventDefault();
      go(field, -1);
    } else if (event.key.length === 1) {
      event.preventDefault();
      var letter = meant(field, event.key);
      if (!letter) { refuse(field, event.key); return; }
      if (isWholeSelected(field)) { field.value = ""; }
      put(field, letter);
    }
  });

  // Keyboards on a screen send no keys, only what is typed.
  form.addEventListener("input", function (event) {
    var field = event.target;
    if (fields.indexOf(field) < 0) { return; }
    var typed = field.value.split("");
    field.value = "";
    typed.forEach(function (key) {
      var letter = meant(field, key);
      if (letter) { put(field, letter); } else if (key.trim()) { refuse(field, key); }
    });
    show();
  });

  form.addEventListener("submit", function () { sent = true; });
  window.addEventListener("beforeunload", function (event) {
    var changed = fields.some(function (field, place) { return field.value !== before[place]; });
    if (changed && !sent) { event.preventDefault(); event.returnValue = form.dataset.leaving; }
  });

  show();
  var first = form.querySelector(".is-invalid") || form.querySelector(".is-different input") ||
    fields.filter(function (field) { return !field.value; })[0];
  if (first && !document.getElementById("form-error")) { first.focus(); first.select(); }
})();

// Adds up the counts while they are typed and marks cells that the bank cannot fill.
"use strict";

(() => {
  const form = document.getElementById("blueprint-form");
  const line = document.getElementById("live-check");
  if (!form || !line) return;
  const fields = Array.from(form.querySelectorAll("input[data-have]"));

  const check = () => {
    const items = fields.reduce((sum, field) => sum + (Number.parseInt(field.value, 10) || 0), 0);
    const over = fields.filter((field) => Number(field.value) > Number(field.dataset.have));
    fields.forEach((field) => field.classList.toggle("is-over", over.includes(field)));
    const total = line.dataset.template
      .replace("{items}", String(items))
      .replace("{points}", String(items * Number(form.dataset.points)));
    line.textContent = over.length ? `${total} ${line.dataset.short.replace("{n}", String(over.length))}` : total;
    line.classList.toggle("alert-warning", over.length > 0);
    line.classList.toggle("alert-success", over.length === 0);
    line.hidden = false;
  };

  form.addEventListener("input", check);
  check();
})();

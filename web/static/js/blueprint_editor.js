// Puts the bank's own figures into the fields of the equating target; the page checks itself by htmx.
"use strict";

(() => {
  const form = document.getElementById("blueprint-form");
  const button = document.getElementById("take-mean");
  if (!form || !button) return;
  button.hidden = false;

  button.addEventListener("click", () => {
    const mean = document.getElementById("bank-mean");
    if (!mean) return;
    for (const name of ["ability", "score", "information"]) {
      form.elements[`target_${name}`].value = mean.dataset[name];
    }
    form.querySelector("input[name='target'][value='OWN']").checked = true;
    form.dispatchEvent(new Event("input", { bubbles: true }));
  });
})();

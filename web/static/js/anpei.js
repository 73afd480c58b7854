// Small behaviour for every page. No page depends on it to work.
"use strict";

// After a form came back with an error, take the reader to it.
document.addEventListener("DOMContentLoaded", () => {
  const error = document.getElementById("form-error");
  if (error) error.focus();
});

// A form with data-confirm asks once before it is sent.
document.addEventListener("submit", (event) => {
  const question = event.target.dataset.confirm;
  if (question && !window.confirm(question)) event.preventDefault();
});

// A second click on a button that is already sending does nothing.
document.addEventListener("submit", (event) => {
  if (event.defaultPrevented) return;
  const form = event.target;
  if (form.dataset.sending) {
    event.preventDefault();
    return;
  }
  form.dataset.sending = "1";
  window.setTimeout(() => delete form.dataset.sending, 4000);
});

// Leave the account menu by Escape or by a click elsewhere.
document.addEventListener("click", (event) => {
  document.querySelectorAll("details.account-menu[open]").forEach((menu) => {
    if (!menu.contains(event.target)) menu.open = false;
  });
});
document.addEventListener("keydown", (event) => {
  if (event.key !== "Escape") return;
  document.querySelectorAll("details.account-menu[open]").forEach((menu) => {
    menu.open = false;
    menu.querySelector("summary").focus();
  });
});

// The item editor: shows the fields of the chosen type, a live preview, saves by Ctrl+S and
// warns before typed work is left. Without it every field is there and the server decides.
"use strict";

(() => {
  const form = document.getElementById("item-form");
  const preview = document.getElementById("preview");
  if (!form || !preview) return;
  const type = form.elements.type;
  const rights = Array.from(form.querySelectorAll('input[name="right"]'));
  const rows = Array.from(form.querySelectorAll(".option-row"));
  const isEditable = !form.querySelector("fieldset").disabled;
  let isDirty = form.dataset.unsaved === "yes";

  const showFields = () => {
    form.dataset.type = type.value;
    form.querySelectorAll(".for-tf, .for-options").forEach((part) => part.classList.add("is-live"));
  };

  const optionsOf = () => {
    if (type.value === "TF") return [preview.dataset.true, preview.dataset.false];
    return rows
      .map((row) => [row.dataset.letter, row.querySelector("textarea").value.trim()])
      .filter(([letter, text]) => text && !(type.value === "SC" && letter === "E"))
      .map(([letter, text]) => `${letter}. ${text}`);
  };

  const drawPreview = () => {
    preview.querySelector(".preview-stem").textContent = form.elements.stem.value.trim() || preview.dataset.placeholder;
    const list = preview.querySelector(".preview-options");
    list.replaceChildren(
      ...optionsOf().map((text) => {
        const line = document.createElement("li");
        const mark = document.createElement("span");
        mark.className = type.value === "MC" ? "preview-mark" : "preview-mark is-round";
        const words = document.createElement("span");
        words.textContent = text;
        line.append(mark, words);
        return line;
      }),
    );
  };

  // A single-choice item has one right option: ticking one unticks the others.
  rights.forEach((box) => {
    box.addEventListener("change", () => {
      if (type.value !== "SC" || !box.checked) return;
      rights.forEach((other) => {
        if (other !== box) other.checked = false;
      });
    });
  });

  // What a type does not show must not be sent.
  const clearHidden = () => {
    if (type.value !== "SC") return;
    const last = rows[rows.length - 1];
    last.querySelector("textarea").value = "";
    last.querySelector("input").checked = false;
  };

  form.addEventListener("input", () => {
    isDirty = true;
    drawPreview();
  });
  type.addEventListener("change", () => {
    showFields();
    drawPreview();
  });
  form.addEventListener("submit", () => {
    clearHidden();
    isDirty = false;
  });
  window.addEventListener("beforeunload", (event) => {
    if (isDirty && isEditable) event.preventDefault();
  });
  document.addEventListener("keydown", (event) => {
    if ((event.ctrlKey || event.metaKey) && event.key.toLowerCase() === "s" && isEditable) {
      event.preventDefault();
      const button = form.querySelector(".editor-actions button");
      if (button) button.click();
    }
  });

  showFields();
  drawPreview();
})();

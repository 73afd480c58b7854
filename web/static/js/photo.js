// Shows the chosen photo, and takes one with the camera where there is one. The file input alone is enough.
"use strict";

document.querySelectorAll("form[data-photo]").forEach((form) => {
  const input = form.querySelector("[data-file]");
  const preview = form.querySelector("[data-preview]");
  const video = form.querySelector("[data-camera]");
  const buttons = form.querySelector("[data-camera-buttons]");
  const open = form.querySelector("[data-open-camera]");
  const take = form.querySelector("[data-take]");
  const note = form.querySelector("[data-camera-note]");
  let stream = null;

  const show = () => {
    if (!input.files.length) return;
    preview.src = URL.createObjectURL(input.files[0]);
    preview.hidden = false;
  };

  const stop = () => {
    if (stream) stream.getTracks().forEach((track) => track.stop());
    stream = null;
    video.hidden = true;
    preview.hidden = false;
    take.hidden = true;
  };

  input.addEventListener("change", () => {
    stop();
    show();
  });

  if (!navigator.mediaDevices || !window.DataTransfer) return;
  buttons.hidden = false;

  open.addEventListener("click", async () => {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { facingMode: "user", width: 1280, height: 960 } });
    } catch {
      note.textContent = note.dataset.denied;
      return;
    }
    video.srcObject = stream;
    await video.play();
    preview.hidden = true;
    video.hidden = false;
    take.hidden = false;
    note.textContent = "";
  });

  take.addEventListener("click", () => {
    if (!stream) return;
    const canvas = document.createElement("canvas");
    // The middle three quarters of the picture, upright as on a certificate.
    const height = video.videoHeight;
    const width = Math.min(video.videoWidth, (height * 3) / 4);
    canvas.width = width;
    canvas.height = height;
    canvas.getContext("2d").drawImage(video, (video.videoWidth - width) / 2, 0, width, height, 0, 0, width, height);
    canvas.toBlob((blob) => {
      const files = new DataTransfer();
      files.items.add(new File([blob], "photo.jpg", { type: "image/jpeg" }));
      input.files = files.files;
      stop();
      show();
      note.textContent = note.dataset.taken;
    }, "image/jpeg", 0.92);
  });
});

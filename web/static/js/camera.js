// Takes the picture at the desk: the form's file field is filled from the camera and sent like any upload.
// Without a camera, or without this script, the field itself is there.
"use strict";

(() => {
  const form = document.querySelector("form[data-camera]");
  if (!form) return;
  const view = form.querySelector(".camera-view");
  const video = view.querySelector("video");
  const status = form.querySelector("[data-camera-status]");
  const chooser = form.querySelector("[data-camera-file]");
  const field = chooser.querySelector("input");
  const LONGEST = 1280;
  const BYTES_AT_MOST = 900 * 1024;
  let stream = null;

  const fail = () => {
    view.hidden = true;
    chooser.hidden = false;
    status.textContent = form.dataset.failed;
  };

  const start = async () => {
    if (!navigator.mediaDevices) return fail();
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: "user", width: { ideal: 1280 }, height: { ideal: 960 } },
        audio: false,
      });
    } catch {
      return fail();
    }
    video.srcObject = stream;
    chooser.hidden = true;
    field.required = false;
    view.hidden = false;
    await video.play();
    form.dataset.ready = "1";
  };

  const stop = () => stream && stream.getTracks().forEach((track) => track.stop());

  // At most 1280 pixels and 900 kB: the server keeps the picture in memory alone and takes no more.
  const draw = async (source, width, height) => {
    const scale = Math.min(1, LONGEST / Math.max(width, height));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(width * scale);
    canvas.height = Math.round(height * scale);
    canvas.getContext("2d").drawImage(source, 0, 0, canvas.width, canvas.height);
    const encode = (quality) => new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", quality));
    const blob = await encode(0.9);
    return blob.size <= BYTES_AT_MOST ? blob : encode(0.6);
  };

  const fill = (blob) => {
    const files = new DataTransfer();
    files.items.add(new File([blob], "picture.jpg", { type: "image/jpeg" }));
    field.files = files.files;
  };

  form.addEventListener("submit", async (event) => {
    event.preventDefault();
    try {
      if (field.files.length) {
        const chosen = await createImageBitmap(field.files[0]);
        fill(await draw(chosen, chosen.width, chosen.height));
      } else if (stream && video.videoWidth) {
        fill(await draw(video, video.videoWidth, video.videoHeight));
      } else {
        return;
      }
    } catch {
      return fail();
    }
    stop();
    status.textContent = form.dataset.sending;
    form.querySelector("button").disabled = true;
    form.submit();
  });
  window.addEventListener("pagehide", stop);
  start();
})();

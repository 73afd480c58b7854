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

  const shoot = () => {
    const scale = Math.min(1, LONGEST / Math.max(video.videoWidth, video.videoHeight));
    const canvas = document.createElement("canvas");
    canvas.width = Math.round(video.videoWidth * scale);
    canvas.height = Math.round(video.videoHeight * scale);
    canvas.getContext("2d").drawImage(video, 0, 0, canvas.width, canvas.height);
    return new Promise((resolve) => canvas.toBlob(resolve, "image/jpeg", 0.9));
  };

  form.addEventListener("submit", async (event) => {
    if (!stream || field.files.length) return;
    event.preventDefault();
    if (!video.videoWidth) return;
    const files = new DataTransfer();
    files.items.add(new File([await shoot()], "picture.jpg", { type: "image/jpeg" }));
    field.files = files.files;
    stop();
    status.textContent = form.dataset.sending;
    form.querySelector("button").disabled = true;
    form.submit();
  });
  window.addEventListener("pagehide", stop);
  start();
})();

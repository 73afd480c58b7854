// Reads a ticket's QR code by the camera and sends it like a typed number. The reader is fetched on the first scan.
"use strict";

(() => {
  const scanner = document.querySelector("[data-scanner]");
  if (!scanner || !navigator.mediaDevices) return;
  scanner.hidden = false;
  const start = scanner.querySelector("[data-scan-start]");
  const view = scanner.querySelector(".scan-view");
  const video = view.querySelector("video");
  const error = scanner.querySelector("[data-scan-error]");
  const PAUSE = 150;
  let stream = null;

  const loadReader = () =>
    new Promise((resolve, reject) => {
      if (window.ZXingWASM) return resolve();
      const script = document.createElement("script");
      script.src = scanner.dataset.reader;
      script.onload = () => {
        window.ZXingWASM.prepareZXingModule({ overrides: { locateFile: (file) => "/static/vendor/" + file } });
        resolve();
      };
      script.onerror = reject;
      document.head.append(script);
    });

  const stop = () => {
    if (stream) stream.getTracks().forEach((track) => track.stop());
    stream = null;
    view.hidden = true;
    start.hidden = false;
  };

  const read = async (canvas, context) => {
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    context.drawImage(video, 0, 0);
    const image = context.getImageData(0, 0, canvas.width, canvas.height);
    const found = await window.ZXingWASM.readBarcodes(image, { formats: ["QRCode"], maxNumberOfSymbols: 1 });
    return found.length ? found[0].text : "";
  };

  const look = async () => {
    const canvas = document.createElement("canvas");
    const context = canvas.getContext("2d", { willReadFrequently: true });
    while (stream) {
      const text = video.videoWidth ? await read(canvas, context) : "";
      if (text && stream) {
        stop();
        document.getElementById(scanner.dataset.for).value = text;
        document.getElementById(scanner.dataset.form).requestSubmit();
        return;
      }
      await new Promise((resolve) => window.setTimeout(resolve, PAUSE));
    }
  };

  start.addEventListener("click", async () => {
    error.hidden = true;
    try {
      const asked = { video: { facingMode: "environment", width: { ideal: 1280 } }, audio: false };
      [stream] = await Promise.all([navigator.mediaDevices.getUserMedia(asked), loadReader()]);
      video.srcObject = stream;
      view.hidden = false;
      start.hidden = true;
      view.querySelector("[role=status]").textContent = scanner.dataset.waiting;
      await video.play();
      await look();
    } catch {
      stop();
      error.textContent = scanner.dataset.failed;
      error.hidden = false;
    }
  });
  scanner.querySelector("[data-scan-stop]").addEventListener("click", stop);
  window.addEventListener("pagehide", stop);
})();

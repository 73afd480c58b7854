// Checks the signed data of a certificate's QR code. Pictures and camera frames never leave this device.
"use strict";

(() => {
  const showVerdict = (html) => {
    const place = document.getElementById("verdict");
    place.outerHTML = html;
    const shown = document.getElementById("verdict");
    shown.tabIndex = -1;
    shown.focus({ preventScroll: false });
  };

  // --- the page that the QR code opens ---

  const certificate = document.querySelector("[data-certificate]");
  const checkFragment = async () => {
    const credential = window.location.hash.slice(1);
    if (!credential) return;
    const checking = document.getElementById("checking");
    const unchecked = document.getElementById("unchecked");
    checking.hidden = false;
    unchecked.hidden = true;
    try {
      const answer = await fetch(`/c/${certificate.dataset.certificate}/check`, {
        method: "POST",
        headers: { "content-type": "application/json" },
        body: JSON.stringify({ credential }),
      });
      if (!answer.ok) throw new Error(String(answer.status));
      showVerdict(await answer.text());
    } catch {
      unchecked.hidden = false;
    } finally {
      checking.hidden = true;
    }
  };
  if (certificate) {
    checkFragment();
    window.addEventListener("hashchange", checkFragment);
    window.addEventListener("online", checkFragment);
    return;
  }

  // --- the scanner ---

  const root = document.getElementById("verify");
  if (!root) return;
  const form = document.getElementById("scan-form");
  const state = document.getElementById("scan-state");
  const view = document.getElementById("scan-view");
  const video = document.getElementById("scan-video");
  const start = document.getElementById("scan-start");
  const stop = document.getElementById("scan-stop");
  const file = document.getElementById("scan-file");
  root.querySelector(".scan-script").hidden = false;
  const say = (what) => {
    state.textContent = state.dataset[what];
  };

  let reader = null;
  const loadReader = () => {
    reader ??= new Promise((resolve, reject) => {
      const script = document.createElement("script");
      script.src = root.dataset.reader;
      script.onload = () => {
        window.ZXingWASM.prepareZXingModule({
          overrides: { locateFile: (name, prefix) => (name.endsWith(".wasm") ? root.dataset.wasm : prefix + name) },
        });
        resolve(window.ZXingWASM);
      };
      script.onerror = () => {
        reader = null;
        reject(new Error("reader"));
      };
      document.head.append(script);
    });
    return reader;
  };

  const readCode = async (picture, patient) => {
    const zxing = await loadReader();
    const found = await zxing.readBarcodes(picture, { formats: ["QRCode"], maxNumberOfSymbols: 1, tryHarder: patient });
    return found.length && found[0].isValid !== false ? found[0].text : "";
  };

  const ask = async (text) => {
    document.getElementById("scan-text").value = text;
    say("asking");
    try {
      const body = new URLSearchParams(new FormData(form));
      const answer = await fetch("/verify", { method: "POST", headers: { "hx-request": "true" }, body });
      if (!answer.ok) throw new Error(String(answer.status));
      showVerdict(await answer.text());
      state.textContent = "";
    } catch {
      say("failed");
    }
  };

  form.addEventListener("submit", (event) => {
    event.preventDefault();
    ask(document.getElementById("scan-text").value);
  });

  let stream = null;
  const stopCamera = () => {
    stream?.getTracks().forEach((track) => track.stop());
    stream = null;
    video.srcObject = null;
    view.hidden = true;
    stop.hidden = true;
    start.hidden = false;
  };
  stop.addEventListener("click", () => {
    stopCamera();
    state.textContent = "";
    start.focus();
  });

  const canvas = document.createElement("canvas");
  const frame = () => {
    canvas.width = video.videoWidth;
    canvas.height = video.videoHeight;
    const context = canvas.getContext("2d", { willReadFrequently: true });
    context.drawImage(video, 0, 0);
    return context.getImageData(0, 0, canvas.width, canvas.height);
  };

  start.addEventListener("click", async () => {
    say("loading");
    try {
      stream = await navigator.mediaDevices.getUserMedia({
        video: { facingMode: "environment", width: { ideal: 1280 }, height: { ideal: 720 } },
      });
      video.srcObject = stream;
      view.hidden = false;
      stop.hidden = false;
      start.hidden = true;
      await video.play();
    } catch {
      stopCamera();
      say("noCamera");
      return;
    }
    say("aim");
    while (stream) {
      let text = "";
      try {
        text = video.videoWidth ? await readCode(frame(), false) : "";
      } catch {
        stopCamera();
        say("failed");
        return;
      }
      if (text && stream) {
        stopCamera();
        await ask(text);
        return;
      }
      await new Promise((wait) => window.setTimeout(wait, 120));
    }
  });
  window.addEventListener("pagehide", stopCamera);

  file.addEventListener("change", async () => {
    const chosen = file.files[0];
    file.value = "";
    if (!chosen) return;
    say("loading");
    try {
      const text = await readCode(chosen, true);
      if (text) await ask(text);
      else say("nothing");
    } catch {
      say("nothing");
    }
  });
})();

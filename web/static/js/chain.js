// The hash chain of a sitting's answers, as exams/chain.py makes it: each link stands for its act and for every
// act before it. Made with js-sha256, because crypto.subtle is missing on plain-http pages and is never synchronous.
"use strict";

window.AnpeiChain = (() => {
  function bytesOf(hex) {
    const bytes = [];
    for (let i = 0; i < hex.length; i += 2) bytes.push(parseInt(hex.slice(i, i + 2), 16));
    return bytes;
  }
  function hexOf(bytes) {
    return bytes.map((byte) => byte.toString(16).padStart(2, "0")).join("");
  }
  function base64Of(bytes) {
    return btoa(String.fromCharCode(...bytes)).replace(/\+/g, "-").replace(/\//g, "_").replace(/=+$/, "");
  }
  // `head` and the result are arrays of 32 bytes; `at` counts whole milliseconds since 1970, or is null.
  function nextLink(head, { seq, position, choice, at }) {
    const time = at === null ? "" : String(at);
    return window.sha256.create().update(head).update(`${seq}\n${position}\n${choice}\n${time}`).array();
  }
  // The acts again, numbered and linked on from a head. Acts that were right already come out the same.
  function follow(acts, { seq, head }) {
    const linked = acts.map((act) => {
      seq += 1;
      head = nextLink(head, { seq, position: act.position, choice: act.choice, at: act.at ? Date.parse(act.at) : null });
      return { seq, position: act.position, choice: act.choice, at: act.at, link: base64Of(head) };
    });
    return { acts: linked, seq, head };
  }
  return { bytesOf, hexOf, base64Of, nextLink, follow };
})();

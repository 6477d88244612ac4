
"use strict";
for (const frame of document.querySelectorAll(".compare .frame")) {
  const input = frame.querySelector("input");
  const show = () => {
    frame.style.setProperty("--at", input.value / 10 + "%");
    input.setAttribute("aria-valuetext", Math.round(input.value / 10) + " % from the left");
  };
  // A range moves by one step at a key, which would be a thousandth of the picture.
  const keys = { ArrowLeft: -1, ArrowDown: -1, ArrowRight: 1, ArrowUp: 1 };
  input.addEventListener("keydown", (e) => {
    if (e.key in keys && !e.ctrlKey && !e.metaKey && !e.altKey) {
      e.preventDefault();
      input.value = Number(input.value) + keys[e.key] * (e.shiftKey ? 100 : 20);
      show();
    }
  });
  input.addEventListener("input", show);
  show();
}

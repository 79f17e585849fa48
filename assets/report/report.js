// Moves the divider of each comparison with its slider.
for (const slider of document.querySelectorAll(".slider")) {
  const input = slider.querySelector("input");
  const follow = () => slider.style.setProperty("--at", `${input.value}%`);
  input.addEventListener("input", follow);
  follow();
}
document.documentElement.dataset.ready = "true";

document.documentElement.classList.add("js");
for (const slider of document.querySelectorAll(".pair input")) {
  const show = () => {
    slider.parentElement.style.setProperty("--cut", slider.value + "%");
    slider.setAttribute("aria-valuetext", slider.value + " % degraded, " + (100 - slider.value) + " % restored");
  };
  slider.addEventListener("input", show);
  show();
}

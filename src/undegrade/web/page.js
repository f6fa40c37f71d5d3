// What Gradio's page lacks: names for those who hear it, and the slider between two pictures under the arrow keys.
(() => {
  const NAMES = [
    ['[data-testid="imageslider-image"]:not(.fixed)', "alt", "before"],
    ['[data-testid="imageslider-image"].fixed', "alt", "after"],
    ["#where img", "alt", "map of where it is"],
    ['[aria-label="common.upload"]', "aria-label", "Choose more photos"],
  ]
  const SHARE = 0.05 // of the width, a key

  // The slider follows the mouse alone, so a key is told to it as one.
  function move(slider, to) {
    const box = slider.parentElement.getBoundingClientRect()
    const own = slider.getBoundingClientRect()
    const at = x => ({ view: window, bubbles: true, cancelable: true, clientX: x, clientY: own.y + 1 })
    slider.dispatchEvent(new MouseEvent("mousedown", at(own.x + own.width / 2)))
    window.dispatchEvent(new MouseEvent("mousemove", at(to)))
    window.dispatchEvent(new MouseEvent("mouseup", at(to)))
    slider.setAttribute("aria-valuenow", Math.round((100 * (to - box.x)) / box.width))
  }

  function onKey(event) {
    const slider = event.currentTarget
    const box = slider.parentElement.getBoundingClientRect()
    const own = slider.getBoundingClientRect()
    const at = own.x + own.width / 2
    const to = {
      ArrowLeft: at - SHARE * box.width,
      ArrowRight: at + SHARE * box.width,
      Home: box.x,
      End: box.right,
    }[event.key]
    if (to === undefined) return
    event.preventDefault()
    move(slider, Math.min(Math.max(to, box.x), box.right))
  }

  function complete() {
    for (const [what, name, value] of NAMES)
      for (const found of document.querySelectorAll(what))
        if (found.getAttribute(name) !== value) found.setAttribute(name, value)
    for (const slider of document.querySelectorAll('[data-testid="slider"]:not([tabindex])')) {
      const said = {
        role: "slider",
        tabindex: 0,
        "aria-label": "Where the repaired picture begins",
        "aria-valuemin": 0,
        "aria-valuemax": 100,
        "aria-valuenow": 50,
      }
      for (const [name, value] of Object.entries(said)) slider.setAttribute(name, value)
      slider.addEventListener("keydown", onKey)
    }
  }

  new MutationObserver(complete).observe(document.documentElement, { childList: true, subtree: true })
})()

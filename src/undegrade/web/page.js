// What Gradio's page lacks: names for those who hear it, and the slider between two pictures under the arrow keys.
(() => {
  const NAMES = [
    ['[data-testid="imageslider-image"]:not(.fixed)', "alt", "before"],
    ['[data-testid="imageslider-image"].fixed', "alt", "after"],
    ["#where img", "alt", "map of where it is"],
    ['[aria-label="common.upload"]', "aria-label", "Choose more photos"],
  ]
  const SHARE = 0.05 // of the width, a key
  const NOTCHES = 5 // of the wheel, a key: 1.05 times each

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

  // The first of the two pictures; zooming and moving it takes the other along.
  const pictureOf = slider => slider.parentElement.querySelector('[data-testid="imageslider-image"]')
  const zoomOf = picture => Number(/scale\(([\d.]+)\)/.exec(picture.style.transform)?.[1] ?? 1)

  function middleOf(slider) {
    const box = slider.parentElement.getBoundingClientRect()
    return { view: window, bubbles: true, cancelable: true, clientX: box.x + box.width / 2, clientY: box.y + box.height / 2 }
  }

  // Notches of the wheel, up to come nearer, in the middle of what is seen.
  function zoom(slider, notches) {
    const turn = { ...middleOf(slider), ctrlKey: true, deltaY: -Math.sign(notches) }
    for (let i = 0; i < Math.abs(notches); i++) pictureOf(slider).dispatchEvent(new WheelEvent("wheel", turn))
  }

  function shift(slider, right, down) {
    const at = middleOf(slider)
    const to = { ...at, clientX: at.clientX - right, clientY: at.clientY - down }
    pictureOf(slider).dispatchEvent(new MouseEvent("mousedown", at))
    document.dispatchEvent(new MouseEvent("mousemove", to))
    document.dispatchEvent(new MouseEvent("mouseup", to))
  }

  function onKey(event) {
    const slider = event.currentTarget
    const box = slider.parentElement.getBoundingClientRect()
    const step = SHARE * box.width
    const act = {
      "+": () => zoom(slider, NOTCHES),
      "=": () => zoom(slider, NOTCHES),
      "-": () => zoom(slider, -NOTCHES),
      0: () => zoom(slider, -100),
      ...(event.shiftKey && {
        ArrowLeft: () => shift(slider, -step, 0),
        ArrowRight: () => shift(slider, step, 0),
        ArrowUp: () => shift(slider, 0, -step),
        ArrowDown: () => shift(slider, 0, step),
      }),
    }[event.key]
    if (act && !event.ctrlKey && !event.metaKey) {
      event.preventDefault()
      return act()
    }
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

  // Gradio takes every wheel and every finger that is on a picture, and the page could not be scrolled there.
  function leaveToThePage(event) {
    const picture = event.target.closest?.('[data-testid="imageslider-image"]')
    if (!picture) return
    const scrolls = event.type === "wheel" ? !event.ctrlKey && !event.metaKey : event.touches.length === 1 && zoomOf(picture) === 1
    if (scrolls) event.stopPropagation()
  }
  for (const type of ["wheel", "touchstart"]) window.addEventListener(type, leaveToThePage, { capture: true, passive: true })

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

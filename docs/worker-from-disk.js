// Browsers start no Worker for a page opened from the disk, and the site's search is one. There a hidden frame does its
// work: the script runs in it, what it posts goes to the page, what the page posts is given to it as a message.
if (location.protocol === "file:") {
  window.Worker = class extends EventTarget {
    constructor(address) {
      super()
      this.frame = document.createElement("iframe")
      this.frame.hidden = true
      this.frame.title = "search"
      document.body.append(this.frame)
      addEventListener("message", event => {
        if (event.source === this.frame.contentWindow) this.dispatchEvent(new MessageEvent("message", { data: event.data }))
      })
      this.ready = new Promise(resolve => { this.frame.onload = resolve })
      const inside = this.frame.contentDocument
      inside.open()
      inside.write(`<script>
        postMessage = data => parent.postMessage(data, "*")
        importScripts = (...addresses) => addresses.reduce((before, address) => before.then(() => new Promise(done => {
          const script = document.createElement("script")
          script.onload = done
          script.src = address
          document.body.append(script)
        })), Promise.resolve())
      <\/script><body><script src="${address}"><\/script></body>`)
      inside.close()
    }

    async postMessage(data) {
      await this.ready
      this.frame.contentWindow.dispatchEvent(new MessageEvent("message", { data: structuredClone(data) }))
    }

    terminate() {
      this.frame.remove()
    }
  }
}

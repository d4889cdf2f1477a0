// A canvas to draw on, in white on black as the table's pictures are, and what the model is given of it.
import { h, text } from "./dom.js";
import { grey } from "./answers.js";

const side = 336; // of the drawing, in its own pixels

export class Pad {
  constructor(pic, drawn) {
    this.pic = pic;
    this.drawn = drawn;
    this.empty = true;
    this.bytes = new Uint8Array(pic.width * pic.height);
    const tall = Math.round(side * pic.height / pic.width);
    this.canvas = h("canvas.pad", { width: side, height: tall, role: "img", "aria-label": "Draw here. Without a pointer: open a picture, or press one of the latest predictions.", tabindex: "0" });
    this.canvas.style.aspectRatio = `${pic.width} / ${pic.height}`;
    this.ctx = this.canvas.getContext("2d", { willReadFrequently: true });
    this.seen = h("canvas.seen", { width: pic.width, height: pic.height, "aria-hidden": "true" });
    this.seen.style.aspectRatio = `${pic.width} / ${pic.height}`;
    const file = h("input", { type: "file", accept: "image/png,image/jpeg", "aria-label": "Open a picture" });
    const open = h("label.quiet.file", null, "Open…", file);
    const clear = h("button.quiet", { type: "button" }, "Clear");
    this.fit = h("input", { type: "checkbox" });
    this.fit.checked = pic.width === 28 && pic.height === 28;
    const fit = h("label.check", { title: "Scaled to 20 x 20 and centred by its weight, as MNIST's digits are" }, this.fit, "centre");
    this.box = h("div.padbox", null, h("div.padwrap", null, this.canvas, this.hint = h("span.hint", null, "draw here")),
      h("div.padside", null, h("figure", null, this.seen, h("figcaption", null, "what the model sees")), h("div.padbuttons", null, clear, open, fit)));
    clear.addEventListener("click", () => { this.touched = true; this.wipe(); this.drawn(); });
    this.canvas.addEventListener("keydown", (e) => { if (e.key === "Escape" || e.key === "Delete") { this.touched = true; this.wipe(); this.drawn(); } });
    this.fit.addEventListener("change", () => { if (!this.taken) this.read(); this.drawn(); });
    file.addEventListener("change", () => { if (file.files[0]) this.load(file.files[0]); file.value = ""; });
    this.pen();
    this.wipe();
  }

  pen() {
    const c = this.canvas;
    let from = null;
    const at = (e) => { const r = c.getBoundingClientRect(); return [(e.clientX - r.left) / r.width * c.width, (e.clientY - r.top) / r.height * c.height]; };
    const stroke = (to) => {
      const x = this.ctx;
      x.strokeStyle = "#fff";
      x.lineCap = x.lineJoin = "round";
      x.lineWidth = side / 14;
      x.beginPath();
      x.moveTo(...from);
      x.lineTo(...to);
      x.stroke();
      from = to;
      this.taken = null;
      this.read();
      this.drawn();
    };
    c.addEventListener("pointerdown", (e) => {
      if (e.button > 0) return;
      e.preventDefault();
      c.setPointerCapture(e.pointerId);
      this.touched = true;
      if (this.taken) this.wipe();
      from = at(e);
      stroke([from[0] + 0.1, from[1]]);
    });
    c.addEventListener("pointermove", (e) => { if (from) for (const x of e.getCoalescedEvents?.() || [e]) stroke(at(x)); });
    for (const end of ["pointerup", "pointercancel", "lostpointercapture"]) c.addEventListener(end, () => { from = null; });
  }

  wipe() {
    this.ctx.fillStyle = "#000";
    this.ctx.fillRect(0, 0, this.canvas.width, this.canvas.height);
    this.taken = this.file = null;
    this.empty = true;
    this.bytes.fill(0);
    this.shown();
  }

  shown() {
    grey(this.seen, this.bytes, this.pic.width, this.pic.height);
    this.hint.hidden = !this.empty;
  }

  // take shows a picture that is of the right size already and is not scaled or centred again.
  take(b64) {
    const b = Uint8Array.from(atob(b64), (c) => c.charCodeAt(0));
    if (b.length !== this.bytes.length) return;
    this.bytes.set(b);
    this.taken = b;
    this.file = null;
    this.empty = false;
    const small = document.createElement("canvas");
    grey(small, b, this.pic.width, this.pic.height);
    this.ctx.imageSmoothingEnabled = false;
    this.ctx.drawImage(small, 0, 0, this.canvas.width, this.canvas.height);
    this.shown();
  }

  // load opens a file. The server is sent the file itself, so that the model sees of it what it sees by every other way;
  // drawing on it, or asking for the centre, makes it a drawing.
  async load(file) {
    try {
      const img = await createImageBitmap(file), data = new Uint8Array(await file.arrayBuffer());
      this.wipe();
      this.fit.checked = false;
      this.ctx.imageSmoothingEnabled = true;
      this.ctx.drawImage(img, 0, 0, this.canvas.width, this.canvas.height);
      this.read();
      let bytes = "";
      for (let i = 0; i < data.length; i += 8192) bytes += String.fromCharCode(...data.subarray(i, i + 8192));
      this.file = btoa(bytes);
      this.empty = false;
      this.shown();
      this.drawn();
    } catch {
      text(this.hint, "that is no picture");
      this.hint.hidden = false;
    }
  }

  // value is what the column is sent.
  value() { return this.file ? { b64: this.file } : [...this.bytes]; }

  // read makes the model's bytes from the drawing.
  read() {
    this.file = null;
    const { width: W, height: H } = this.canvas, { width, height } = this.pic;
    const px = this.ctx.getImageData(0, 0, W, H).data, ink = new Float64Array(W * H);
    let x0 = W, x1 = -1, y0 = H, y1 = -1;
    for (let i = 0; i < W * H; i++) {
      const v = 0.299 * px[4 * i] + 0.587 * px[4 * i + 1] + 0.114 * px[4 * i + 2];
      ink[i] = v;
      if (v > 24) {
        const x = i % W, y = (i - x) / W;
        if (x < x0) x0 = x;
        if (x > x1) x1 = x;
        if (y < y0) y0 = y;
        if (y > y1) y1 = y;
      }
    }
    this.empty = x1 < 0;
    if (this.empty) { this.bytes.fill(0); this.shown(); return; }
    let scale = width / W, left = 0, top = 0;
    if (this.fit.checked) {
      // As the digits of MNIST were made: the ink's box becomes 20 of 28 pixels, its centre of mass the middle.
      scale = Math.min(width, height) * (20 / 28) / Math.max(x1 - x0 + 1, y1 - y0 + 1);
      let sum = 0, sx = 0, sy = 0;
      for (let y = y0; y <= y1; y++) for (let x = x0; x <= x1; x++) { const v = ink[y * W + x]; sum += v; sx += v * (x + 0.5); sy += v * (y + 0.5); }
      left = sx / sum - width / 2 / scale;
      top = sy / sum - height / 2 / scale;
    }
    // Each byte is the mean of the area that it covers.
    for (let oy = 0; oy < height; oy++) {
      for (let ox = 0; ox < width; ox++) {
        const ax = left + ox / scale, bx = left + (ox + 1) / scale, ay = top + oy / scale, by = top + (oy + 1) / scale;
        let sum = 0;
        for (let y = Math.max(0, Math.floor(ay)); y < Math.min(H, by); y++) {
          const dy = Math.min(by, y + 1) - Math.max(ay, y);
          for (let x = Math.max(0, Math.floor(ax)); x < Math.min(W, bx); x++) sum += ink[y * W + x] * dy * (Math.min(bx, x + 1) - Math.max(ax, x));
        }
        this.bytes[oy * width + ox] = Math.max(0, Math.min(255, Math.round(sum * scale * scale)));
      }
    }
    this.shown();
  }
}

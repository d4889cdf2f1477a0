// The Try-it card: a form made of the table's columns, or a canvas to draw on; it predicts as one types or draws, and
// again whenever the model has learned something.
import { h, text, attr, show, changed, percent, number } from "./dom.js";
import { predict } from "./link.js";
import { Pad } from "./pad.js";

const unset = "\u0000"; // the choice of a list that sends null

export class Try {
  constructor(box, curl) {
    this.box = box;
    this.curl = curl;
    this.fields = new Map();
    this.values = new Map(); // what was typed, per task
    curl.addEventListener("click", () => this.copy());
  }

  draw(st, t) {
    const key = [t.name, t.picture, (t.columns || []).map((c) => [c.name, c.kind])];
    const first = changed(this.box, key);
    this.task = t;
    if (first) this.build(t);
    for (const c of t.columns || []) this.suggest(c);
    this.begin(t);
    show(this.curl, t.columns?.length);
    const learned = this.version !== t.name + t.model_version;
    this.version = t.name + t.model_version;
    // While a model learns its answer moves: the same row is asked again, once a second at most.
    if (t.columns?.length && (first || learned || this.failed) && !document.hidden && (!this.pad || !this.pad.empty || this.others())) this.ask();
  }

  others() { return this.fields.size > 0 && [...this.fields.values()].some((f) => f.value !== "" && f.value !== unset); }

  build(t) {
    this.abort?.abort();
    this.fields.clear();
    this.pad = null;
    const columns = t.columns || [];
    this.out = h("div.answer");
    if (!columns.length) {
      this.box.replaceChildren(h("p.none", null, "The form appears with the first row: its columns are not known yet."));
      return;
    }
    const parts = [];
    if (t.picture && t.picture.holds !== "path" && columns.some((c) => c.name === t.picture.column)) {
      this.pad = new Pad(t.picture, () => this.later());
      parts.push(this.pad.box);
    }
    const own = columns.filter((c) => !this.pad || c.name !== t.picture.column);
    if (own.length) parts.push(this.form(t, own));
    const body = h("div.tryparts" + (this.pad ? ".drawn" : ""), null, ...parts, this.out);
    this.box.replaceChildren(body);
    this.idle();
  }

  form(t, columns) {
    const kept = this.values.get(t.name) || {};
    const form = h("form.fields", { autocomplete: "off" }, ...columns.map((c, i) => {
      const id = "field-" + i, hint = c.native || c.kind;
      let f;
      if (c.kind === "bool") {
        f = h("select", { id }, h("option", { value: unset }, "NULL"), h("option", null, "true"), h("option", null, "false"));
        f.value = unset;
      } else {
        f = h("input", { id, type: "text", list: id + "-list", placeholder: "NULL", spellcheck: "false", autocapitalize: "off", inputmode: c.kind === "int" ? "numeric" : c.kind === "float" || c.kind === "decimal" ? "decimal" : null });
      }
      const v = kept[c.name] ?? c.sample?.[0];
      if (v !== undefined) f.value = v;
      this.fields.set(c.name, f);
      return h("label", { for: id }, h("span", null, c.name, h("small", null, hint)), f, c.kind === "bool" ? null : h("datalist", { id: id + "-list" }));
    }));
    form.addEventListener("input", () => {
      this.values.set(t.name, Object.fromEntries([...this.fields].map(([k, f]) => [k, f.value])));
      this.later();
    });
    form.addEventListener("submit", (e) => { e.preventDefault(); this.ask(); });
    return form;
  }

  // suggest fills in what was seen since the form was made.
  suggest(c) {
    const f = this.fields.get(c.name), list = f?.list;
    if (!list || !c.sample || !changed(list, c.sample)) return;
    list.replaceChildren(...c.sample.map((v) => h("option", { value: v })));
    const typed = this.values.get(this.task.name);
    if (f.value === "" && !typed && document.activeElement !== f) f.value = c.sample[0];
  }

  // begin puts the first picture that comes on a pad that nobody has touched.
  begin(t) {
    const l = (t.latest || []).find((l) => l.picture);
    if (!l || !this.pad?.empty || this.pad.touched) return;
    this.pad.take(l.picture);
    this.ask();
  }

  // take puts a picture of the stream on the pad.
  take(l) {
    if (!this.pad) return;
    this.pad.take(l.picture);
    this.box.scrollIntoView({ block: "nearest", behavior: matchMedia("(prefers-reduced-motion: reduce)").matches ? "auto" : "smooth" });
    this.ask();
  }

  later() {
    clearTimeout(this.timer);
    this.timer = setTimeout(() => this.ask(), 70);
  }

  // row is what the form says: an empty field is left out, which the model reads as NULL.
  row() {
    const r = {};
    for (const c of this.task.columns) {
      if (this.pad && c.name === this.task.picture.column) { if (!this.pad.empty) r[c.name] = this.pad.value(); continue; }
      const v = this.fields.get(c.name)?.value ?? "";
      if (v === "" || v === unset) continue;
      if (c.kind === "bool") r[c.name] = v === "true";
      else if (["int", "float", "decimal"].includes(c.kind) && /^-?\d+(\.\d+)?([eE][+-]?\d+)?$/.test(v.trim()) && !/^-?0\d/.test(v.trim())) r[c.name] = Math.abs(Number(v)) > Number.MAX_SAFE_INTEGER ? v.trim() : Number(v);
      else r[c.name] = v;
    }
    return r;
  }

  async ask() {
    const t = this.task;
    if (!this.out || !t.columns?.length) return;
    if (this.pad && this.pad.empty && !this.others()) { this.idle(); return; }
    if (this.busy) { this.again = true; return; }
    this.busy = true;
    this.abort = new AbortController();
    const from = performance.now();
    try {
      const p = await predict(t.name, JSON.stringify(this.row()), "application/json", this.abort.signal);
      this.failed = false;
      if (this.task.name === t.name && !(this.pad && this.pad.empty && !this.others())) this.answer(p, t, performance.now() - from);
    } catch (e) {
      if (e.name !== "AbortError" && this.task.name === t.name) {
        this.failed = e.name === "TypeError" || /learned nothing/.test(e.message);
        this.say(e.name === "TypeError" ? "The server cannot be reached." : e.message);
      }
    } finally {
      this.busy = false;
      if (this.again) { this.again = false; this.later(); }
    }
  }

  say(words) {
    changed(this.out, words);
    this.bars = null;
    this.out.replaceChildren(h("p.error", { role: "alert" }, words));
  }

  // idle shows where the answer will be; the bars keep their places, so that nothing jumps with the first stroke.
  idle() {
    const t = this.task, wait = this.pad ? "Draw something, or press one of the latest pictures." : "Fill in a field.";
    this.bars = null;
    if (!t.classes?.length || t.classes.length > 12) { this.out.replaceChildren(h("p.none", null, wait)); return; }
    this.frame(t, t.classes, ["probs", t.classes.length, 0]);
    text(this.bars.label, "?");
    text(this.bars.sure, "");
    text(this.bars.note, wait);
    for (const r of this.bars.rows.values()) { r.bar.style.transform = "scaleX(0)"; text(r.fig, ""); r.li.classList.remove("top"); }
  }

  frame(t, keys, sign) {
    this.bars = { sign: JSON.stringify([t.name, ...sign]), label: h("b.label", { "aria-live": "polite" }), sure: h("span.sure"), note: h("p.sub"), rows: new Map() };
    const rows = keys.map((k) => {
      const bar = h("i"), fig = h("b");
      const li = h("li", null, h("span", { title: k }, k), h("div", null, bar), fig);
      this.bars.rows.set(k, { li, bar, fig });
      return li;
    });
    this.out.replaceChildren(h("p.said", null, this.bars.label, this.bars.sure), h("ul.bars.probs", null, ...rows), this.bars.note);
  }

  answer(p, t, ms) {
    const probs = Object.entries(p.probabilities || {});
    const order = probs.length <= 12 ? probs : probs.toSorted((a, b) => b[1] - a[1]).slice(0, 8);
    const values = !probs.length && p.values?.length > 1 ? p.values.map((v, i) => [String(i), v]).slice(0, 12) : [];
    const keys = (order.length ? order : values).map(([k]) => k);
    const sign = ["probs", probs.length > 12 ? keys : order.length, values.length];
    if (!this.bars || this.bars.sign !== JSON.stringify([t.name, ...sign]) || !keys.every((k) => this.bars.rows.has(k))) this.frame(t, keys, sign);
    const b = this.bars, numeric = typeof p.prediction === "number";
    text(b.label, p.prediction === null ? "no answer yet" : numeric ? number(p.prediction) : p.prediction === "" ? "(empty)" : p.prediction);
    text(b.sure, !numeric && t.kind === "classify" && p.score !== undefined ? percent(p.score) : t.kind === "anomaly" ? "higher is stranger" : t.kind === "cluster" && p.score !== undefined ? "distance " + number(p.score) : "");
    const near = values.length ? Math.min(...values.map(([, v]) => v)) : 0, far = values.length ? Math.max(...values.map(([, v]) => v)) : 1;
    for (const [k, v] of order.length ? order : values) {
      const r = b.rows.get(k);
      if (!r) continue;
      // A bar for a distance is long where the centre is near.
      r.bar.style.transform = `scaleX(${(order.length ? Math.max(0, Math.min(1, v)) : far > 0 ? near / Math.max(v, 1e-12) : 0).toFixed(4)})`;
      text(r.fig, order.length ? percent(v) : number(v));
      r.li.classList.toggle("top", k === String(p.prediction));
    }
    const missing = p.missing || [];
    text(b.note, [`${ms < 10 ? ms.toFixed(1) : Math.round(ms)}\u00a0ms`, "version " + p.model_version, missing.length ? "read as NULL: " + missing.join(", ") : ""].filter(Boolean).join(" · "));
    attr(this.out, "data-kind", t.kind);
  }

  async copy() {
    const t = this.task, quote = (x) => "'" + x.replaceAll("'", "'\\''") + "'";
    const command = `curl ${location.origin}/predict/${encodeURIComponent(t.name)} -d ${quote(JSON.stringify(this.row()))}` + (sessionStorage.getItem("tidemill-token") ? ' -H "Authorization: Bearer $TOKEN"' : "");
    try {
      await navigator.clipboard.writeText(command);
      text(this.curl, "Copied");
    } catch {
      this.say(command);
    }
    setTimeout(() => text(this.curl, "Copy as curl"), 1500);
  }
}

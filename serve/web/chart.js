// The learning curve and the sparklines, as SVG whose colours come from the style sheet.
import { s, h, count, score, tick, changed } from "./dom.js";

// ticks are round numbers from lo to hi, about n of them.
function ticks(lo, hi, n) {
  const raw = (hi - lo) / Math.max(n, 1), mag = 10 ** Math.floor(Math.log10(raw || 1));
  const step = [1, 2, 2.5, 5, 10].map((m) => m * mag).find((m) => m >= raw * 0.999) || raw;
  const out = [];
  for (let v = Math.ceil(lo / step - 1e-9) * step; v <= hi + step * 1e-6 && out.length < 20; v += step) out.push(+v.toPrecision(12));
  return out;
}

export const lines = [
  { key: "frozen", label: "frozen copy", cls: "frozen" },
  { key: "no_change", label: "no change", cls: "same" },
  { key: "baseline", label: "majority", cls: "base" },
  { key: "value", label: "since the start", cls: "value" },
  { key: "rolling", label: "last 1,000", cls: "rolling" },
];

// Curve draws points {n, phase, value, rolling, baseline, no_change, frozen, event}.
export class Curve {
  constructor(box) {
    this.box = box;
    this.svg = s("svg", { "aria-hidden": "true" });
    this.tip = h("div.tip", { hidden: true });
    box.append(this.svg, this.tip);
    this.points = [];
    this.shown = lines;
    this.at = -1;
    new ResizeObserver(() => { this.key = ""; this.draw(); }).observe(box);
    box.addEventListener("pointermove", (e) => this.hover(this.nearest(e.clientX - box.getBoundingClientRect().left)));
    box.addEventListener("pointerleave", () => this.hover(-1));
    box.addEventListener("blur", () => this.hover(-1));
    box.addEventListener("keydown", (e) => {
      const step = { ArrowLeft: -1, ArrowRight: 1, PageUp: -10, PageDown: 10, Home: -1e9, End: 1e9 }[e.key];
      if (!step || !this.points.length) return;
      e.preventDefault();
      const from = this.at < 0 ? this.points.length - 1 : this.at;
      this.hover(Math.max(0, Math.min(this.points.length - 1, from + step)));
    });
  }

  // set takes new points; name is the score's, names what the lines and what is counted are called, empty the lines that
  // stand where there is no curve yet, hidden the lines that the reader has put away.
  set(points, name, names, empty, hidden) {
    // Counting begins anew with each phase: on the axis the phases follow one another.
    let offset = 0, lastN = 0;
    this.points = points.map((p, i) => {
      if (i && (p.n < lastN || p.phase !== points[i - 1].phase)) offset += lastN;
      lastN = p.n;
      return { ...p, x: p.n + offset };
    });
    this.name = name;
    this.names = names;
    this.empty = empty;
    this.shown = lines.filter((l) => !hidden.has(l.key));
    this.draw();
  }

  draw() {
    const W = this.box.clientWidth, H = this.box.clientHeight, pts = this.points;
    if (!W || !H || !changed(this.svg, [W, H, this.name, this.empty, pts, this.shown])) return;
    this.svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
    const begin = pts.findIndex((p, i) => i && p.phase !== pts[i - 1].phase);
    const left = 48, right = 10, top = begin > 0 ? 32 : 18, bottom = 24; // the phases' names stand above the lines, the marks' above them
    if (pts.length < 2) {
      this.svg.replaceChildren(s("line", { class: "grid", x1: left, x2: W - right, y1: H - bottom, y2: H - bottom }), s("line", { class: "grid", x1: left, x2: left, y1: top, y2: H - bottom }),
        ...(this.empty || []).flatMap((line, i) => wrapped(line, (W - left - right) / 7.2).map((l) => [l, i])).map(([l, i], k) => s("text", { x: (W + left) / 2, y: H / 2 - 18 + 21 * k, class: i ? "" : "empty", "text-anchor": "middle" }, l)));
      this.hover(-1);
      return;
    }
    const values = (k) => pts.map((p) => p[k]).filter((v) => v !== null && v !== undefined && Number.isFinite(v));
    const shown = this.shown.map((l) => l.key);
    const own = ["value", "rolling"].filter((k) => shown.includes(k)).flatMap(values);
    if (!own.length) own.push(...shown.flatMap(values));
    // Noise of the first few answers must not flatten the rest; a baseline far away is cut off rather than shown.
    let lo = Math.min(...own), hi = Math.max(...own);
    const reach = Math.max(hi - lo, Math.abs(hi) * 0.02, 1e-6) * 3;
    for (const k of ["baseline", "no_change", "frozen"].filter((k) => shown.includes(k))) {
      for (const v of values(k)) if (v > lo - reach && v < hi + reach) { lo = Math.min(lo, v); hi = Math.max(hi, v); }
    }
    const pad = Math.max((hi - lo) * 0.06, 1e-6);
    const bounded = lo >= 0 && hi <= 1 && /acc|auc|f1|prec|rec/.test(this.name);
    lo = bounded ? Math.max(0, lo - pad) : lo - pad;
    hi = bounded ? Math.min(1, hi + pad) : hi + pad;
    const x0 = 0, x1 = pts[pts.length - 1].x;
    const X = (v) => left + (v - x0) / (x1 - x0 || 1) * (W - left - right);
    const Y = (v) => top + (hi - v) / (hi - lo) * (H - top - bottom);
    this.X = X; this.Y = Y;
    const out = [s("clipPath", { id: "plot" }, s("rect", { x: left, y: top - 2, width: W - left - right + 4, height: H - top - bottom + 4 }))];
    for (const v of ticks(lo, hi, Math.max(2, Math.floor(H / 52)))) {
      const y = Y(v);
      if (y < top - 1 || y > H - bottom + 1) continue;
      out.push(s("line", { class: "grid", x1: left, x2: W - right, y1: y, y2: y }), s("text", { class: "tick", x: left - 8, y: y + 4, "text-anchor": "end" }, tick(this.name, v)));
    }
    if (begin > 0) {
      const x = X(pts[begin - 1].x);
      out.push(s("rect", { class: "phase", x: left, y: top, width: Math.max(0, x - left), height: H - top - bottom }), s("text", { class: "phase", x: left + 2, y: top - 7 }, x - left > 70 ? "snapshot" : ""));
      if (W - right - x > 60) out.push(s("text", { class: "phase", x: x + 2, y: top - 7 }, "stream"));
    }
    for (const v of ticks(x0, x1, Math.max(2, Math.floor(W / 130)))) {
      const t = s("text", { class: "tick", x: Math.min(X(v), W - right), y: H - 6, "text-anchor": X(v) > W - 50 ? "end" : X(v) < left + 20 ? "start" : "middle" }, short(v));
      out.push(t);
    }
    const plot = s("g", { "clip-path": "url(#plot)" });
    for (const l of this.shown) {
      let d = "", pen = false;
      for (const p of pts) {
        const v = p[l.key];
        if (v === null || v === undefined || !Number.isFinite(v)) { pen = false; continue; }
        d += (pen ? "L" : "M") + X(p.x).toFixed(1) + " " + Y(v).toFixed(1);
        pen = true;
      }
      if (d) plot.append(s("path", { class: "series " + l.cls, d }));
    }
    out.push(plot);
    for (const p of pts) {
      if (!p.event) continue;
      const x = X(p.x);
      out.push(s("line", { class: "mark", x1: x, x2: x, y1: top - 2, y2: H - bottom }), s("text", { class: "mark", x: Math.max(left + 20, Math.min(x, W - 30)), y: 10, "text-anchor": "middle" }, p.event));
    }
    this.cross = s("g", { class: "cross", visibility: "hidden" }, s("line", { y1: top, y2: H - bottom }), s("circle", { r: 4 }));
    out.push(this.cross);
    this.svg.replaceChildren(...out);
    if (this.at >= 0) this.hover(Math.min(this.at, pts.length - 1));
  }

  nearest(px) {
    let best = -1, at = Infinity;
    this.points.forEach((p, i) => { const d = Math.abs(this.X ? this.X(p.x) - px : 0); if (d < at) { at = d; best = i; } });
    return best;
  }

  hover(i) {
    this.at = i;
    const p = this.points[i];
    if (!p || !this.cross || this.points.length < 2) { this.tip.hidden = true; this.cross?.setAttribute("visibility", "hidden"); return; }
    const x = this.X(p.x), v = this.shown.toReversed().map((l) => p[l.key]).find((v) => v !== null && v !== undefined);
    this.cross.setAttribute("visibility", "visible");
    this.cross.firstChild.setAttribute("x1", x);
    this.cross.firstChild.setAttribute("x2", x);
    this.cross.lastChild.setAttribute("cx", x);
    this.cross.lastChild.setAttribute("cy", v === null || v === undefined ? -20 : this.Y(v));
    this.tip.replaceChildren(h("b", null, `${count(p.n)} ${this.names.of}`), h("small", null, p.phase + (p.event ? " · " + p.event : "")),
      ...this.shown.toReversed().filter((l) => p[l.key] !== null && p[l.key] !== undefined).map((l) => h("p", null, h("i." + l.cls), this.names?.[l.key] || l.label, h("b", null, score(this.name, p[l.key])))));
    this.tip.hidden = false;
    const w = this.tip.offsetWidth, W = this.box.clientWidth;
    this.tip.style.transform = `translate(${Math.round(x + 14 + w > W ? Math.max(0, x - 14 - w) : x + 14)}px, 12px)`;
  }
}

// wrapped breaks a line at blanks, so that none is longer than so many letters.
function wrapped(line, letters) {
  const out = [""];
  for (const w of line.split(" ")) {
    if (out[out.length - 1] && (out[out.length - 1] + " " + w).length > letters) out.push(w);
    else out[out.length - 1] += (out[out.length - 1] ? " " : "") + w;
  }
  return out;
}

const short = (v) => v >= 1e6 ? +(v / 1e6).toPrecision(4) + "M" : v >= 1e4 ? +(v / 1e3).toPrecision(4) + "k" : count(v);

// spark draws a small area chart of values, the newest at the right; n is how many fill the width.
export function spark(svg, values, n) {
  const W = svg.clientWidth, H = svg.clientHeight;
  if (!W || !H || !changed(svg, [W, H, values])) return;
  svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
  // A short history fills the width too, down to half a minute.
  n = Math.min(n, Math.max(values.length, 30));
  const shown = values.slice(-n);
  if (shown.length < 2) { svg.replaceChildren(); return; }
  const hi = Math.max(...shown, 1e-9), dx = W / (n - 1), x0 = W - dx * (shown.length - 1);
  const d = shown.map((v, i) => (i ? "L" : "M") + (x0 + i * dx).toFixed(1) + " " + (H - 1.5 - Math.max(0, v) / hi * (H - 4)).toFixed(1)).join("");
  svg.replaceChildren(s("path", { class: "area", d: d + `L${W} ${H}L${x0.toFixed(1)} ${H}Z` }), s("path", { class: "edge", d }));
}

// strip draws checkpoints as ticks over the last minutes; now is in milliseconds.
export function strip(svg, times, now) {
  const W = svg.clientWidth, H = svg.clientHeight;
  if (!W || !H) return;
  const t = times.map((x) => now - Date.parse(x)).filter((x) => x >= 0 && x < 864e5).sort((a, b) => a - b); // the newest first
  const wide = Math.max(60e3, Math.min(600e3, ...t.length ? [Math.max(...t) * 1.02] : [60e3]));
  svg.setAttribute("viewBox", `0 0 ${W} ${H}`);
  svg.replaceChildren(s("line", { class: "ground", x1: 0, x2: W, y1: H - 1, y2: H - 1 }),
    ...t.filter((x) => x <= wide).map((x, i) => s("line", { class: i ? "tickmark" : "tickmark newest", x1: W - 1 - x / wide * (W - 2), x2: W - 1 - x / wide * (W - 2), y1: i ? 8 : 3, y2: H - 2 })));
}

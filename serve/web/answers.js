// The latest predictions, and the confusion matrix or what stands in its place.
import { $, h, s, text, show, changed, count, since, percent, number, set } from "./dom.js";

// grey paints width*height bytes, base64 or a Uint8Array, on a canvas.
export function grey(canvas, data, width, height) {
  const b = typeof data === "string" ? Uint8Array.from(atob(data), (c) => c.charCodeAt(0)) : data;
  if (b.length !== width * height) return;
  canvas.width = width;
  canvas.height = height;
  const ctx = canvas.getContext("2d"), img = ctx.createImageData(width, height);
  for (let i = 0; i < b.length; i++) img.data.set([b[i], b[i], b[i], 255], 4 * i);
  ctx.putImageData(img, 0, 0);
}

// right says whether a prediction was: true, false, or null while nobody knows.
function right(l, t) {
  if (!l.truth) return null;
  if (t.kind === "classify") return l.truth === l.label;
  return null;
}

export function latest(list, t, clock, frozen, take) {
  const box = $("latest"), pic = t.picture;
  const hits = list.map((l) => right(l, t)).filter((r) => r !== null);
  text($("unseen"), frozen ? "frozen" : hits.length ? `${hits.filter(Boolean).length} of ${hits.length} right` : "");
  show($("freeze"), list.length || frozen);
  const before = t.counts.asked; // a flow that was resumed keeps its counts, and no rows
  box.parentElement.classList.toggle("bare", !list.length && before > 0);
  if (!list.length) {
    if (changed(box, ["none", before])) box.replaceChildren(h("p.none", null, before ? `No row has been asked about since this start; ${count(before)} were before it.` : "No row has been asked about yet."));
    return;
  }
  if (!changed(box, [t.name, list])) { ages(box, clock); return; }
  box.replaceChildren(pic ? pictures(list, t, pic, take) : table(list, t));
  ages(box, clock);
}

// ages tells how long ago a row was asked about; of rows with times of their own, long past or to come, the time itself.
const ages = (box, clock) => box.querySelectorAll("[data-at]").forEach((e) => {
  const age = clock.age(e.dataset.at);
  text(e, age > 172800 || age < -60 ? e.dataset.at.slice(0, 16).replace("T", " ") : since(age));
});

function pictures(list, t, pic, take) {
  return h("ul.pictures", null, ...list.slice(0, 24).map((l) => {
    const r = right(l, t), c = h("canvas", { "aria-hidden": "true" });
    if (l.picture) grey(c, l.picture, pic.width, pic.height);
    const b = h("button" + (r === null ? "" : r ? ".right" : ".wrong"), { type: "button", title: `${l.id}: ${l.label}${l.score !== null ? ", " + percent(l.score) : ""}${l.truth ? "; it is " + l.truth : ""}. Press to try it.` },
      c, h("span", null, h("b", null, l.label), r === false ? h("em", null, "is " + l.truth) : h("em", null, r ? "✓" : l.score !== null ? percent(l.score, 0) : "")));
    if (l.picture) b.addEventListener("click", () => take(l));
    return h("li", null, b);
  }));
}

function table(list, t) {
  const answerless = t.kind === "cluster" || t.kind === "anomaly"; // no truth will come
  const head = ["id", t.kind === "anomaly" ? "score" : t.kind === "cluster" ? "cluster" : "prediction", t.kind === "cluster" ? "distance" : "", answerless ? "" : "truth", "asked"];
  const span = Math.max(...list.map((l) => Math.abs(l.score ?? 0)), 1e-12);
  return h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Latest predictions" }, h("table.rows", null, h("thead", null, h("tr", null, ...head.map((x) => h("th", { scope: "col" }, x)))),
    h("tbody", null, ...list.slice(0, 24).map((l) => {
      const r = right(l, t), at = h("td.when");
      if (set(l.asked)) at.dataset.at = l.asked;
      const bar = h("i"), p = t.kind === "classify" ? l.score ?? 0 : Math.abs(l.score ?? 0) / span;
      bar.style.width = (100 * Math.max(0, Math.min(1, p))).toFixed(1) + "%";
      const shown = t.kind === "classify" || t.kind === "cluster" ? l.label : number(l.score ?? parseFloat(l.label));
      return h("tr", null, h("td.id", { title: l.id }, l.id), h("td.label", null, shown), h("td.meter", null, h("div", null, bar), h("small", null, t.kind === "classify" ? percent(l.score, 0) : t.kind === "cluster" ? number(l.score) : "")),
        h("td" + (r === null ? "" : r ? ".right" : ".wrong"), { title: l.truth || null }, l.truth ? (r === null ? "" : r ? "✓ " : "✗ ") + l.truth : answerless ? "" : "open"), at);
    }))));
}

// confusion draws truth by prediction, each row shaded by its shares; for numbers it draws prediction against truth.
export function confusion(t) {
  const m = t.confusion, box = $("confusion");
  if (t.kind === "regress") return scatter(t, box);
  show($("confusion-card"), t.kind === "classify");
  text($("confusion-title"), "Confusion");
  if (t.kind !== "classify") return;
  if (!m?.length) {
    text($("confusion-sub"), "");
    const scored = (t.scores || []).some((s) => s.phase !== "snapshot" && s.n);
    if (changed(box, ["none", scored])) box.replaceChildren(h("p.none", null, ...(scored ? ["The flow keeps no score that counts classes: add ", h("code", null, "confusion"), " to the task's scores."] : ["No prediction has met its answer yet."])));
    return;
  }
  text($("confusion-sub"), "rows: truth · columns: prediction");
  if (!changed(box, [m, t.classes])) return;
  // Of many classes the ones that occur most are shown.
  const sums = m.map((r) => r.reduce((a, b) => a + b, 0));
  const idx = m.map((_, i) => i).sort((a, b) => sums[b] - sums[a]).slice(0, 24).sort((a, b) => a - b);
  const name = (i) => t.classes?.[i] ?? String(i);
  const cell = (i, j) => {
    const n = m[i][j] || 0, p = sums[i] ? n / sums[i] : 0;
    const c = h("td" + (i === j ? ".hit" : ".miss"), { title: `${count(n)} of ${count(sums[i])} rows that are ${name(i)} were called ${name(j)}` }, h("span", null, n ? dense(n, idx.length) : ""));
    // A miss of a few per cent must be seen beside a diagonal of ninety.
    c.style.setProperty("--share", (i === j ? p : Math.min(1, Math.sqrt(p) * 1.6)).toFixed(3));
    c.classList.toggle("deep", i === j ? p > 0.55 : p > 0.3);
    return c;
  };
  box.replaceChildren(h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Confusion matrix" }, h("table.matrix" + (idx.length > 12 ? ".small" : idx.length < 5 ? ".large" : ""), null,
    h("thead", null, h("tr", null, h("td"), ...idx.map((j) => h("th", { scope: "col" }, name(j))), h("th.recall", { scope: "col", title: "share of the rows of this class that were recognised" }, "right"))),
    h("tbody", null, ...idx.map((i) => h("tr", null, h("th", { scope: "row" }, name(i)), ...idx.map((j) => cell(i, j)), h("td.recall", null, sums[i] ? percent((m[i][i] || 0) / sums[i], 0) : "–")))))),
    idx.length < m.length ? h("p.sub", null, `the ${idx.length} commonest of ${m.length} classes`) : "");
}

const dense = (n, k) => k < 5 ? count(n) : n < 1e4 && k <= 12 ? String(n) : n >= 1e6 ? (n / 1e6).toFixed(1) + "M" : n >= 1e4 ? Math.round(n / 1e3) + "k" : k > 12 ? "" : String(n);

function scatter(t, box) {
  const pts = (t.latest || []).map((l) => [parseFloat(l.truth), l.score ?? parseFloat(l.label)]).filter(([a, b]) => Number.isFinite(a) && Number.isFinite(b));
  show($("confusion-card"), true);
  text($("confusion-title"), "Prediction against truth");
  text($("confusion-sub"), pts.length ? `the latest ${pts.length} answers` : "");
  if (!changed(box, [t.name, pts])) return;
  if (pts.length < 2) { box.replaceChildren(h("p.none", null, "No prediction has met its answer yet.")); return; }
  const all = pts.flat(), lo = Math.min(...all), hi = Math.max(...all), pad = (hi - lo) * 0.06 || 1;
  const P = (v) => 36 + (v - lo + pad) / (hi - lo + 2 * pad) * 254;
  box.replaceChildren(s("svg", { class: "scatter", viewBox: "0 0 300 300", role: "img", "aria-label": "Predictions against their truths" },
    s("line", { class: "ideal", x1: 36, y1: 264, x2: 290, y2: 10 }), ...pts.map(([x, y]) => s("circle", { cx: P(x).toFixed(1), cy: (300 - P(y)).toFixed(1), r: 4 })),
    s("text", { x: 290, y: 292, "text-anchor": "end" }, "truth " + number(hi)), s("text", { x: 36, y: 292 }, number(lo)), s("text", { x: 30, y: 18, "text-anchor": "end" }, number(hi))));
}

// One task's cards.
import { $, h, text, attr, show, changed, count, span, since, score, better, percent, number, moment, set, main } from "./dom.js";
import { Curve } from "./chart.js";
import { Try } from "./tryit.js";
import { grey, latest, confusion } from "./answers.js";

export class TaskView {
  constructor() {
    this.curve = new Curve($("chart"));
    this.try = new Try($("try"), $("curl"));
    this.range = "all";
    this.hidden = new Set(); // lines that the reader has put away: what is left is drawn larger
    this.frozen = null; // the predictions that were there when the reader froze them
    $("freeze").addEventListener("click", () => {
      this.frozen = this.frozen ? null : { task: this.task.name, list: this.task.latest || [] };
      attr($("freeze"), "aria-pressed", String(Boolean(this.frozen)));
      text($("freeze"), this.frozen ? "Go on" : "Freeze");
      this.latest();
    });
  }

  draw(st, t, clock) {
    if (this.task && this.task.name !== t.name) {
      this.range = "all";
      if (this.frozen) $("freeze").click();
    }
    this.task = t;
    this.st = st;
    this.clock = clock;
    text($("task"), t.name);
    text($("kind"), t.kind);
    text($("model"), t.model);
    attr($("model"), "title", t.model);
    text($("version"), t.model_version ? "version " + t.model_version : "");
    const w = $("warnings");
    show(w, t.warnings?.length);
    if (changed(w, t.warnings)) w.replaceChildren(...(t.warnings || []).map((x) => h("li", null, x)));
    this.learning();
    this.try.draw(st, t);
    this.latest();
    confusion(t);
    this.questions();
    this.scores();
    this.weights();
    this.rejects();
    this.events();
  }

  learning() {
    const t = this.task, all = t.scores || [], curve = t.curve || [];
    const s = main(t);
    const names = { baseline: t.kind === "regress" ? "mean" : "majority", no_change: "no change", frozen: "frozen copy", value: "since the start", rolling: "last 1,000", of: t.kind === "cluster" ? "rows" : "answers" };
    text($("curve-title"), s ? "Learning curve · " + s.name.replaceAll("_", " ") : "Learning curve");
    const own = s ? s.rolling ?? s.value : null;
    text($("score"), s ? score(s.name, own) : "–");
    text($("score-sub"), s ? verdict(s, names.of) : ["cluster", "anomaly"].includes(t.kind) ? "" : "no answer yet");
    const phases = [...new Set(curve.map((p) => p.phase))], range = $("range");
    const choices = phases.length > 1 ? ["all", ...phases] : [];
    if (!choices.includes(this.range)) this.range = "all";
    if (changed(range, [choices, this.range])) {
      range.replaceChildren(...choices.map((c) => {
        const b = h("button", { type: "button", "aria-pressed": String(c === this.range) }, c);
        b.addEventListener("click", () => { this.range = c; this.learning(); });
        return b;
      }));
    }
    const points = this.range === "all" ? [...curve] : curve.filter((p) => p.phase === this.range);
    // The curve is noted now and then: its last point is the score of this moment.
    const end = curve[curve.length - 1], now = end && all.find((x) => x.name === s?.name && x.phase === end.phase);
    if (now && now.n > end.n && points[points.length - 1] === end) points.push({ n: now.n, phase: end.phase, value: now.value, rolling: now.rolling,
      baseline: now.baselines?.majority ?? now.baselines?.mean ?? null, no_change: now.baselines?.no_change ?? null, frozen: now.baselines?.frozen ?? null });
    this.curve.set(points, s?.name || "", names, this.nothing(t), this.hidden);
    attr($("chart"), "aria-label", s ? `Learning curve of ${s.name}: ${points.length} points, now ${score(s.name, own)}. Arrow keys read the points.` : "Learning curve: empty");
    const last = points[points.length - 1] || {};
    const items = ["rolling", "value", "baseline", "no_change", "frozen"].map((k) => [k, points.findLast((p) => p[k] !== null && p[k] !== undefined)?.[k]]).filter(([, v]) => v !== undefined);
    const legend = $("legend");
    if (changed(legend, [items, s?.name, last.n, [...this.hidden]])) {
      const cls = { rolling: "rolling", value: "value", baseline: "base", no_change: "same", frozen: "frozen" };
      const focus = document.activeElement?.dataset?.line;
      legend.replaceChildren(...items.map(([k, v]) => {
        const b = h("button", { type: "button", "aria-pressed": String(!this.hidden.has(k)), title: this.hidden.has(k) ? "show" : "hide" }, h("i." + cls[k]), h("span", null, names[k]), h("b", null, score(s?.name || "", v)));
        b.dataset.line = k;
        b.addEventListener("click", () => { this.hidden.has(k) ? this.hidden.delete(k) : this.hidden.add(k); this.learning(); });
        return h("li", null, b);
      }));
      if (focus) legend.querySelector(`[data-line="${focus}"]`)?.focus();
    }
  }

  // nothing says what a reader may wait for while there is no curve.
  nothing(t) {
    const table = t.table || "its table";
    if (this.st.state === "snapshot") return ["The curve begins with the first scored rows", "of the snapshot that is being read"];
    if (t.scores?.length) return ["The curve begins with the second point", ""];
    if (["anomaly", "cluster"].includes(t.kind)) return ["No score, no curve", t.kind === "cluster" ? "scores: [silhouette] says how well rows lie in their clusters" : `a task of kind ${t.kind} learns without answers`];
    if (!t.counts.asked) return [`Waiting for the first row of ${table}`, "a row is asked about when it comes, and scored when its answer comes"];
    return [`${count(t.counts.open)} questions wait for their answers`, "the curve begins with the first one"];
  }

  latest() { latest(this.frozen ? this.frozen.list : this.task.latest || [], this.task, this.clock, Boolean(this.frozen), (l) => this.try.take(l)); }

  questions() {
    const t = this.task, c = t.counts, box = $("questions");
    text($("delay"), t.label_delay_seconds === null || t.label_delay_seconds === undefined ? "" : t.label_delay_seconds === 0 ? "answers come with the row" : "answers take " + span(t.label_delay_seconds) + " (median)");
    if (!changed(box, [t.kind, c, t.coverage])) return;
    // All the ways in which a question ends, as one bar: nothing is lost silently.
    const parts = [["answered", c.answered, "answered"], ["open", c.open, "open"], ["expired", c.expired, "expired"], ["dropped", c.dropped + c.replaced, "dropped or replaced"]];
    const cell = (name, n, note, cls) => h("div", null, h("dt", null, cls ? h("i." + cls) : null, name), h("dd", { title: note }, count(n)));
    const told = { learned: ["learned", c.learned, "rows learned, snapshot and stream"], late: ["late", c.late, "rows earlier than the flow's clock"], deleted: ["deleted", c.deleted, "learned rows that were deleted later"] };
    if (["cluster", "anomaly"].includes(t.kind)) { // no answer ever comes
      box.replaceChildren(h("p.lead", null, h("b", null, count(c.asked)), " asked · learned without answers"), h("dl.figures", null, ...Object.values(told).map((x) => cell(...x))));
      return;
    }
    const sum = Math.max(1, parts.reduce((a, [, n]) => a + n, 0));
    const bar = h("div.stack", { role: "img", "aria-label": parts.map(([, n, name]) => `${count(n)} ${name}`).join(", ") });
    for (const [cls, n] of parts) {
      if (!n) continue;
      const i = h("i." + cls);
      i.style.flexGrow = String(n / sum);
      bar.append(i);
    }
    box.replaceChildren(
      h("p.lead", null, h("b", null, count(c.asked)), " asked · ", h("b", null, c.asked ? percent(t.coverage) : "–"), " answered"),
      bar,
      h("dl.figures", null,
        cell("answered", c.answered, "questions that got their first answer", "answered"), cell("open", c.open, "questions that wait for their answer", "open"),
        cell("expired", c.expired, "questions forgotten without an answer", "expired"), cell("dropped", c.dropped + c.replaced, "questions whose row was deleted, or asked again", "dropped"),
        cell("unasked", c.unasked, "answers without a question"), cell("corrected", c.corrected, "answers that came after the first one"),
        cell(...told.learned), cell("evaluated", c.evaluated, "rows that scored and taught nothing"),
        cell(...told.late), cell(...told.deleted)));
  }

  scores() {
    const t = this.task, box = $("scores"), all = (t.scores || []).filter((s) => s.name !== "confusion"); // a card of its own
    if (!changed(box, all)) return;
    if (!all.length) { box.replaceChildren(h("p.none", null, t.kind === "cluster" ? "No row has been scored yet." : t.kind === "anomaly" ? "Nothing to score: no answers come." : "No answer has been scored yet.")); return; }
    const bases = [...new Set(all.flatMap((s) => Object.keys(s.baselines || {})))].sort();
    const phases = new Set(all.map((s) => s.phase)).size > 1;
    const row = (s) => {
      const own = s.value; // beside the baselines, which are since the start too
      return h("tr", null, h("th", { scope: "row" }, s.name.replaceAll("_", " "), phases ? h("small", null, s.phase) : null), h("td.own", null, score(s.name, s.value)), h("td.own", null, score(s.name, s.rolling)),
        ...bases.map((b) => { const v = s.baselines?.[b] ?? null; return h(v !== null && s.value !== null && (better(s.name) ? own < v : own > v) ? "td.worse" : "td", null, score(s.name, v)); }), h("td", null, count(s.n)));
    };
    const details = all.filter((s) => s.details?.length).map((s) => {
      const d = h("details", null, h("summary", null, s.name.replaceAll("_", " ") + " in detail"),
        h("dl.figures", null, ...s.details.map((x) => h("div", null, h("dt", null, x.name ?? x.Name), h("dd", null, score(x.name ?? x.Name, x.value ?? x.Value))))));
      d.open = this.opened?.has(s.phase + s.name);
      d.addEventListener("toggle", () => { this.opened ||= new Set(); d.open ? this.opened.add(s.phase + s.name) : this.opened.delete(s.phase + s.name); });
      return d;
    });
    box.replaceChildren(h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Scores" }, h("table", null,
      h("thead", null, h("tr", null, ...["score", "all", "last 1,000", ...bases.map((b) => b.replaceAll("_", " ")), t.kind === "cluster" ? "rows" : "answers"].map((n) => h("th", { scope: "col" }, n)))),
      h("tbody", null, ...all.map(row)))), ...details);
  }

  weights() {
    const t = this.task, list = (t.weights || []).slice(0, 14), box = $("weights");
    const centres = t.centres || [], pic = t.picture;
    show($("weights-card"), list.length || centres.length);
    if (!changed(box, [list, centres])) return;
    text($("weights-title"), list.length ? "Largest weights" : "Centres");
    if (!list.length && centres.length) {
      const note = h("p.sub", null, count(centres.length) + " centres of " + count(centres[0].length) + " numbers");
      if (!pic || centres[0].length !== pic.width * pic.height) {
        const wide = centres[0].length, names = t.columns?.length === wide ? t.columns.map((c) => c.name) : centres[0].map((_, i) => String(i));
        box.replaceChildren(wide > 12 ? note : h("div.scroll", { tabindex: "0", role: "region", "aria-label": "Centres" }, h("table.centres", null,
          h("thead", null, h("tr", null, h("th", { scope: "col" }, ""), ...names.map((n) => h("th", { scope: "col" }, n)))),
          h("tbody", null, ...centres.slice(0, 24).map((x, i) => h("tr", null, h("th", { scope: "row" }, String(i)), ...x.map((v) => h("td", null, number(v)))))))));
        return;
      }
      box.replaceChildren(h("ul.pictures", null, ...centres.slice(0, 24).map((x, i) => {
        const lo = Math.min(...x), hi = Math.max(...x), c = h("canvas", { "aria-hidden": "true" });
        grey(c, Uint8Array.from(x, (v) => 255 * (v - lo) / (hi - lo || 1)), pic.width, pic.height);
        return h("li", null, h("div.centre", null, c, h("span", null, h("b", null, String(i)))));
      })), note);
      return;
    }
    const top = Math.max(...list.map((w) => Math.abs(w.value)), 1e-12);
    box.replaceChildren(h("ul.bars", null, ...list.map((w) => {
      const i = h(w.value < 0 ? "i.minus" : "i.plus");
      i.style.width = (50 * Math.abs(w.value) / top).toFixed(2) + "%";
      return h("li", { title: w.name }, h("span", null, h("bdi", null, w.name), w.class ? h("small", null, w.class) : null), h("div", null, i), h("b", null, number(w.value)));
    })));
  }

  rejects() {
    const st = this.st, list = st.rejects || [], box = $("rejects");
    text($("rejected"), st.rejected ? count(st.rejected) + " in all" : "");
    if (!changed(box, list)) return;
    if (!list.length) { box.replaceChildren(h("p.none", null, "Every row could be used.")); return; }
    this.shown ||= new Set();
    box.replaceChildren(...list.slice(0, 30).map((r) => {
      const id = r.at + r.position + r.reason;
      const d = h("details", null, h("summary", null, h("time", { datetime: r.at }, moment(r.at)), h("span", null, r.reason)),
        h("dl.row", null, ...[["task", r.task], ["table", r.table], ["id", r.id], ["position", r.position]].filter(([, v]) => v).map(([k, v]) => h("div.meta", null, h("dt", null, k), h("dd", null, v))),
          ...Object.entries(r.row || {}).map(([k, v]) => h("div", null, h("dt", null, k), h("dd", null, v)))));
      d.open = this.shown.has(id);
      d.addEventListener("toggle", () => d.open ? this.shown.add(id) : this.shown.delete(id));
      return d;
    }));
  }

  events() {
    const list = (this.st.events || []).slice(0, 40), box = $("events");
    if (!changed(box, list)) return;
    box.replaceChildren(...list.map((e) => h("li", null, h("time", { datetime: e.at, title: e.at }, moment(e.at)), h("b", null, e.kind), h("span", null, e.text))));
    if (!list.length) box.append(h("li.none", null, "Nothing out of the ordinary."));
  }
}

// verdict says in words how the score stands beside the best baseline: both since the start, whatever the figure before it is of.
function verdict(s, of) {
  const rolling = s.rolling !== null && s.rolling !== undefined;
  const over = (rolling ? `over the last ${count(Math.min(1000, s.n))} ${of}` : `over ${count(s.n)} ${of}`) + (s.phase === "snapshot" ? " of the snapshot" : "");
  const [name, base] = Object.entries(s.baselines || {}).filter(([, v]) => v !== null).sort(([, a], [, b]) => better(s.name) ? b - a : a - b)[0] || [];
  if (base === undefined || s.value === null || s.value === undefined) return over;
  const good = better(s.name) ? s.value - base : base - s.value;
  return `${over} · ${rolling ? `since the start ${score(s.name, s.value)}, ` : ""}${good > 1e-9 ? "better" : good < -1e-9 ? "worse" : "no better"} than ${name === "frozen" ? "the frozen copy" : name.replaceAll("_", " ")} (${score(s.name, base)})`;
}

// Elements and figures. Text from rows only ever becomes a text node or an attribute's value, never markup.

export const $ = (id) => document.getElementById(id);

// plain is text without the characters that turn round what stands after them, or are not seen: a row must not rewrite the
// words beside it.
const unseen = /[\u0000-\u0008\u000b-\u001f\u007f\u202a-\u202e\u2066-\u2069]/g;
const plain = (t) => typeof t === "string" ? t.replace(unseen, "\ufffd") : t;

// h makes an element: h("td.num", {title: "x"}, "text", child).
export function h(spec, attrs, ...children) {
  const [tag, ...classes] = spec.split(".");
  const e = document.createElement(tag);
  if (classes.length) e.className = classes.join(" ");
  fill(e, attrs, children);
  return e;
}

// s is h for SVG.
export function s(tag, attrs, ...children) {
  const e = document.createElementNS("http://www.w3.org/2000/svg", tag);
  fill(e, attrs, children);
  return e;
}

function fill(e, attrs, children) {
  for (const k in attrs || {}) if (attrs[k] !== null && attrs[k] !== undefined && attrs[k] !== false) e.setAttribute(k, attrs[k] === true ? "" : k === "value" ? attrs[k] : plain(attrs[k]));
  for (const c of children.flat()) if (c !== null && c !== undefined) e.append(plain(c));
}

// text sets an element's text if it is another one.
export function text(e, t) {
  t = plain(String(t));
  if (e.textContent !== t) e.textContent = t;
}

export function attr(e, name, v) {
  if (v === null || v === undefined) { if (e.hasAttribute(name)) e.removeAttribute(name); }
  else if (e.getAttribute(name) !== plain(String(v))) e.setAttribute(name, plain(String(v)));
}

// show hides or shows an element.
export function show(e, yes) { if (e.hidden === Boolean(yes)) e.hidden = !yes; }

// changed is true when key is another one than at the last call for e: what is drawn from it must be drawn again.
const keys = new WeakMap();
export function changed(e, key) {
  key = JSON.stringify(key);
  if (keys.get(e) === key) return false;
  keys.set(e, key);
  return true;
}

const whole = new Intl.NumberFormat("en-US", { maximumFractionDigits: 0 });
const thin = "\u00a0";

export function count(n) {
  if (n === null || n === undefined || Number.isNaN(n)) return "–";
  if (n >= 1e9) return (n / 1e9).toFixed(2) + thin + "G";
  if (n >= 1e7) return (n / 1e6).toFixed(1) + thin + "M";
  return whole.format(n);
}

// rate is a number per second: whole from 10 on, with one digit below.
export function rate(n) {
  if (!Number.isFinite(n)) return "–";
  return n >= 10 || n === 0 ? count(Math.round(n)) : n.toFixed(1);
}

export function bytes(n) {
  for (const unit of ["B", "kB", "MB", "GB"]) {
    if (n < 1000 || unit === "GB") return (unit === "B" || n >= 100 ? whole.format(n) : n.toFixed(1)) + thin + unit;
    n /= 1000;
  }
}

// span is a length of time in the two largest units that say something.
export function span(sec) {
  if (sec === null || sec === undefined || Number.isNaN(sec)) return "–";
  if (sec < 0) sec = 0;
  if (sec < 1) return Math.round(sec * 1000) + thin + "ms";
  if (sec < 10) return sec.toFixed(1) + thin + "s";
  if (sec < 60) return Math.round(sec) + thin + "s";
  const two = (a, ua, b, ub) => a + thin + ua + (b ? " " + b + thin + ub : "");
  const t = Math.round(sec);
  if (t < 3600) return two(Math.floor(t / 60), "m", t < 600 ? t % 60 : 0, "s");
  if (t < 86400) return two(Math.floor(t / 3600), "h", Math.floor(t % 3600 / 60), "m");
  return two(Math.floor(t / 86400), "d", Math.floor(t % 86400 / 3600), "h");
}

// since is span for what is counted up before the reader's eyes: no parts of a second.
export const since = (sec) => sec < 1 ? "now" : sec < 60 ? Math.floor(sec) + thin + "s" : span(Math.floor(sec));

const share = new Set(["accuracy", "balanced_accuracy", "f1", "precision", "recall"]);

// better says whether more of a score is better.
export const better = (name) => !/loss|brier|mae|mse|error|mape|perplexity|inertia/i.test(name);

// score is a score's figure as its kind is usually read.
export function score(name, v) {
  if (v === null || v === undefined || !Number.isFinite(v)) return "–";
  if (share.has(name)) return (100 * v).toFixed(1) + "\u202f%";
  const a = Math.abs(v);
  return v.toFixed(a >= 1000 ? 0 : a >= 100 ? 1 : a >= 10 ? 2 : 3);
}

// tick is score without the zeros that an axis does not need.
export const tick = (name, v) => share.has(name) ? +(100 * v).toFixed(1) + "\u202f%" : String(+v.toPrecision(4));

export const percent = (v, digits = 1) => v === null || !Number.isFinite(v) ? "–" : (100 * v).toFixed(digits) + "\u202f%";

export const number = (v) => v === null || v === undefined || !Number.isFinite(v) ? "–" : Math.abs(v) >= 1e5 || (v !== 0 && Math.abs(v) < 1e-3) ? v.toExponential(2) : String(+v.toPrecision(4));

// moment is a time's place on the clock, with the day where it is not today's.
export function moment(iso) {
  const t = new Date(iso);
  if (!iso || t.getUTCFullYear() < 1900) return "";
  const day = t.toDateString() === new Date().toDateString() ? "" : t.toISOString().slice(0, 10) + " ";
  return day + t.toTimeString().slice(0, 8);
}

// set is true for a time that was set: Go's zero time is the year 1.
export const set = (iso) => Boolean(iso) && !iso.startsWith("0001-");

// main is the task's first score in the newest phase that has one.
export const main = (t) => ["stream", "evaluate"].map((p) => (t.scores || []).find((s) => s.phase === p)).find((s) => s) || (t.scores || [])[0];

// The dashboard: what the flow is doing, on top; the chosen task, below. All figures come from /events.
import { $, h, text, attr, show, changed, count, rate, bytes, span, since, score, better, moment, set, main } from "./dom.js";
import { token, watch } from "./link.js";
import { spark, strip } from "./chart.js";
import { TaskView } from "./task.js";

const beats = 120; // of the sparklines: two minutes

const app = {
  status: null,      // the newest
  got: 0,            // performance.now() when it came
  task: decodeURIComponent(location.hash.replace(/^#task=/, "")) || "",
  samples: [],       // [time, rows, lag]
  lost: 0,           // Date.now() since when the server does not answer
  why: "",
  link: null,
  shown: "",         // the task whose details the newest status has
};
const view = new TaskView();

// now is the server's clock in milliseconds: this machine's may differ.
const now = () => Date.parse(app.status.now) + performance.now() - app.got;
const age = (iso) => set(iso) ? (now() - Date.parse(iso)) / 1000 : NaN;

function connect() {
  app.link?.stop();
  app.link = watch(app.task, {
    open() { app.lost = 0; app.why = ""; },
    history(list) { app.samples = list.map(([at, rows, lag]) => [at, rows, lag]); },
    status(st) {
      app.status = st;
      app.got = performance.now();
      app.shown = app.task;
      const at = Date.parse(st.now);
      if (!app.samples.length || app.samples[app.samples.length - 1][0] < at) app.samples.push([at, rows(st), st.lag_seconds]);
      if (app.samples.length > 400) app.samples.splice(0, 100);
      show($("login"), false);
      show($("page"), true);
      draw();
    },
    lost(why) { app.lost ||= Date.now(); app.why = why; draw(); },
    locked(wrong) {
      app.status = null;
      app.samples = [];
      if (wrong) { token.set(""); text($("refused"), "That token was refused."); }
      show($("page"), false);
      show($("login"), true);
      pill("locked", "Locked");
      $("token").focus();
      document.body.dataset.state = "locked";
    },
  });
}

const ago = (sec) => sec < 1 ? "just now" : since(sec) + " ago";

const rows = (st) => Object.values(st.changes || {}).reduce((a, b) => a + b, 0);

// speeds are the changes per second between samples, oldest first.
function speeds() {
  const out = [];
  for (let i = 1; i < app.samples.length; i++) {
    const dt = (app.samples[i][0] - app.samples[i - 1][0]) / 1000;
    if (dt > 0.05) out.push(Math.max(0, (app.samples[i][1] - app.samples[i - 1][1]) / dt));
  }
  return out;
}

// condition is what the flow is doing, in words: [key, pill, headline, explanation]. Idle is told from stalled: an idle
// flow has all there is, a stalled one is connected and knows that there is more, and does nothing.
function condition(st) {
  const quiet = age(st.last_event), error = st.error || "", when = set(st.error_at) ? " since " + moment(st.error_at) : "";
  switch (st.state) {
    case "starting": return ["starting", "Starting"];
    case "snapshot": return st.connected || !error ? ["snapshot", "Snapshot"] : ["away", "Database away", "The database is away" + when, error + " The snapshot goes on when it is back."];
    case "reconnecting": return ["away", "Database away", "The database is away" + when, (error ? error + ". " : "") + "Predictions go on with what was learned last."];
    case "stopping": return ["stopped", "Stopping", "The flow is stopping", "What has arrived is finished and a checkpoint is saved."];
    case "stopped": return ["stopped", "Stopped", "The flow has stopped", "Its checkpoint is saved; the figures are its last ones."];
    case "failed": return ["failed", "Failed", "The flow has failed" + when, error];
  }
  if (!st.connected) return ["starting", "Connecting"];
  if (!st.caught_up && quiet > 15) return ["stalled", "Stalled", "Nothing is being applied", "Not for " + span(quiet) + ": the source is connected and has not been read to its end" + (st.written < st.outputs ? "; a sink is " + count(st.outputs - st.written) + " outputs behind." : ".")];
  if (st.caught_up && !(quiet < 15)) return ["idle", "Idle"];
  return ["streaming", st.caught_up ? "Streaming" : "Catching up"];
}

function pill(key, word) {
  attr($("pill"), "data-is", key);
  text($("pill").lastElementChild, word);
}

function draw() {
  const st = app.status;
  document.body.classList.toggle("lost", Boolean(app.lost));
  if (app.lost) {
    text($("live").lastElementChild, "not connected");
    if (!st) pill("lost", "No connection");
    banner("lost", "No connection to the server", `${app.why}; trying again.` + (st ? ` The figures are of ${moment(st.now)}.` : ""));
  }
  if (!st) return;
  const [key, word, headline, more] = condition(st);
  document.body.dataset.state = key;
  app.lost ? pill("lost", "No connection") : pill(key, word);
  if (!app.lost) {
    text($("live").lastElementChild, "live");
    banner(headline ? key : "", headline, more);
  }
  text($("flow"), st.flow);
  document.title = (key === "streaming" || key === "idle" ? "" : word + " · ") + st.flow + " · Tidemill";
  race(st);
  snapshot(st);
  tasks(st);
  // Until the details of a task just chosen are here, the one before stays.
  const t = st.tasks?.find((t) => t.name === app.shown) || st.tasks?.[0];
  if (t) view.draw(st, t, { age, now: now() });
  text($("foot"), `started ${moment(st.started)} · term ${st.term} · position ${st.position || "none yet"}`);
}

function banner(key, headline, more) {
  const b = $("banner");
  show(b, key);
  attr(b, "data-is", key);
  text(b.firstElementChild, headline || "");
  text(b.lastElementChild, more || "");
}

// plain is a description of a source or sink without what only its room needs; the whole is in the title.
function plain(text) {
  const kept = text.replace(/ (slot|publication|truth|log|mode|format|follow|snapshot|before)=(\[[^\]]*\]|"[^"]*"|\S+)/g, "");
  return kept.replace(/ path="?([^" ]*)"?/, " $1").replace(/ tables?=(?:\[([^\]]*)\]|(\S+))/, (_, list, one) => " · " + (list ?? one).replaceAll(" ", ", "));
}

function race(st) {
  const v = speeds(), last = v.slice(-3), speed = last.length ? last.reduce((a, b) => a + b, 0) / last.length : 0;
  const flowing = speed > 0 && !app.lost;
  document.body.classList.toggle("flowing", flowing);
  text($("rate"), rate(speed));
  text($("source"), plain(st.source));
  attr($("source"), "title", st.source);
  spark($("rate-spark"), v, beats);
  const quiet = age(st.last_event);
  const idle = st.caught_up && (quiet >= 3 || st.lag_seconds >= 2); // of a change that came late the lag says nothing more, once all is read
  text($("lag"), !st.connected || !set(st.last_event) || st.state === "snapshot" ? "–" : idle ? "none" : span(st.lag_seconds));
  text($("clock"), !set(st.last_event) ? "no change yet" : !st.connected ? "last change " + ago(quiet) :
    idle ? `last change ${ago(quiet)}${st.lag_seconds > 0 ? `, applied in ${span(st.lag_seconds)}` : ""}` : (st.caught_up ? "caught up" : "catching up") + (quiet >= 3 ? " · last change " + ago(quiet) : ""));
  spark($("lag-spark"), app.samples.map((x, i) => i && x[1] === app.samples[i - 1][1] ? 0 : x[2] || 0), beats);
  text($("written"), count(st.written));
  text($("sinks"), st.sinks?.length ? st.sinks.map(plain).join(", ") : "no sink");
  attr($("sinks"), "title", (st.sinks || []).join("\n"));
  const behind = Math.max(0, st.outputs - st.written);
  text($("behind"), !st.sinks?.length ? "" : behind ? count(behind) + " on the way" : "all written");
  const c = st.checkpoint, has = set(c.at), old = age(c.at);
  text($("checkpoint"), has ? since(old) : "none");
  text($("checkpoint-unit"), has ? (old < 1 ? "" : "ago") : "yet");
  text($("checkpoint-sub"), (!has ? "" : c.loaded ? `${bytes(c.bytes)}, resumed from it` : `${bytes(c.bytes)} in ${span(c.took_ns / 1e9)}, flow paused ${span(c.pause_ns / 1e9)}`) + (c.failures ? `${has ? " · " : ""}${count(c.failures)} failed` : ""));
  $("stage-checkpoint").classList.toggle("bad", c.failures > 0 && (!has || old > 60));
  strip($("strip"), c.recent?.length ? c.recent : has ? [c.at] : [], now());
}

function snapshot(st) {
  const sn = st.snapshot, on = st.state === "snapshot" || (st.state === "reconnecting" && !sn.done && sn.rows > 0);
  show($("snapshot"), on);
  if (!on) return;
  const passes = sn.epochs > 1;
  text($("snapshot-title"), passes && sn.epoch > 1 ? `Learning the snapshot again, epoch ${sn.epoch} of ${sn.epochs}` : passes && sn.epoch ? `Learning the snapshot, epoch 1 of ${sn.epochs}` : "Reading the snapshot");
  text($("snapshot-rows"), count(sn.rows));
  // Work is counted over every pass: the rows of the first are an estimate of the source's until it is whole.
  const again = sn.pass_total > 0, epochs = Math.max(1, sn.epochs || 1), each = again ? sn.pass_total : sn.total ? Math.max(sn.total, sn.rows) : 0;
  const done = again ? (Math.max(1, sn.epoch || 1) - 1) * each + (sn.pass_rows || 0) : sn.rows, total = each * epochs;
  const share = total > 0 ? Math.min(1, done / total) : NaN, speed = sn.seconds > 0 ? Math.max(done, sn.rows) / sn.seconds : NaN;
  const left = total > 0 && speed > 0 ? `${Math.floor(share * 100)} % · about ${since((total - done) / speed)} left · ` : "";
  text($("snapshot-of"), sn.total > sn.rows ? `of about ${count(sn.total)} rows` : "rows");
  text($("snapshot-sub"), `${rate(speed)} rows/s · ${left}${since(sn.seconds)} so far · predictions begin when it is whole`);
  const p = $("progress");
  p.classList.toggle("steps", passes);
  if (passes && changed(p, [sn.epochs])) p.replaceChildren(...Array.from({ length: Math.min(sn.epochs, 60) }, () => h("i")));
  if (!passes && changed(p, [0])) p.replaceChildren(h("i"));
  p.classList.toggle("known", !passes && share >= 0);
  if (!passes) p.firstChild.style.width = share >= 0 ? `${(share * 100).toFixed(1)}%` : "";
  if (passes) [...p.children].forEach((e, i) => { e.className = i + 1 < sn.epoch ? "done" : i + 1 === sn.epoch ? "now" : ""; });
}

// health puts a task that needs a look before the others: 2 worse than a baseline, 1 warned of, 0 well.
function health(t) {
  const s = main(t);
  if (s && s.n >= 100) {
    const own = s.value; // since the start, as the baselines are
    for (const b of Object.values(s.baselines || {})) {
      if (own !== null && b !== null && (better(s.name) ? own < b : own > b)) return 2;
    }
  }
  return t.warnings?.length ? 1 : 0;
}

function tasks(st) {
  const all = st.tasks || [], many = all.length > 6;
  const current = all.find((t) => t.name === app.task) || all[0];
  show($("tasks"), all.length > 1);
  document.body.classList.toggle("rail", many);
  show($("filter"), many);
  if (all.length < 2) return;
  const find = $("filter").value.trim().toLowerCase();
  const shown = all.map((t) => ({ t, ill: health(t) })).filter(({ t }) => t.name.toLowerCase().includes(find));
  if (many) shown.sort((a, b) => b.ill - a.ill || all.indexOf(a.t) - all.indexOf(b.t));
  const list = $("list");
  const order = shown.map(({ t }) => t.name);
  if (changed(list, order)) {
    const old = new Map([...list.children].map((li) => [li.dataset.task, li]));
    list.replaceChildren(...order.map((name) => old.get(name) || item(name)));
    if (!order.length) list.append(h("li.none", null, "No task is called so"));
  }
  for (const { t, ill } of shown) {
    const li = [...list.children].find((e) => e.dataset.task === t.name), a = li.firstElementChild, s = main(t);
    attr(a, "aria-current", t === current ? "true" : null);
    attr(a, "data-ill", ill || null);
    attr(a, "title", ill === 2 ? "worse than a baseline" : ill ? t.warnings[0] : null);
    text(a.children[1], s ? score(s.name, s.rolling ?? s.value) : count(t.counts.asked));
  }
  const pick = $("pick");
  if (changed(pick, all.map((t) => t.name))) pick.replaceChildren(...all.map((t) => h("option", { value: t.name }, t.name)));
  if (current && pick.value !== current.name) pick.value = current.name;
}

function item(name) {
  const a = h("a", { href: "#task=" + encodeURIComponent(name) }, h("span", null, name), h("b"));
  const li = h("li", null, a);
  li.dataset.task = name;
  return li;
}

addEventListener("hashchange", () => {
  const name = decodeURIComponent(location.hash.replace(/^#task=/, ""));
  if (name === app.task || location.hash === "#main") return;
  app.task = name;
  connect();
});
$("pick").addEventListener("change", (e) => { location.hash = "#task=" + encodeURIComponent(e.target.value); });
$("filter").addEventListener("input", draw);
$("login").addEventListener("submit", (e) => {
  e.preventDefault();
  token.set($("token").value.trim());
  $("token").value = "";
  text($("refused"), "");
  connect();
});

const names = { "": "as the system", light: "light", dark: "dark" };
const themed = () => attr($("theme"), "aria-label", "Colours: " + names[document.documentElement.dataset.theme || ""]);
$("theme").addEventListener("click", () => {
  const root = document.documentElement, dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const seen = root.dataset.theme || "";
  // The first press always changes what is seen.
  const order = dark ? ["", "light", "dark"] : ["", "dark", "light"];
  const next = order[(order.indexOf(seen) + 1) % 3];
  next ? root.dataset.theme = next : delete root.dataset.theme;
  try { next ? localStorage.setItem("tidemill-theme", next) : localStorage.removeItem("tidemill-theme"); } catch { /* for this page only */ }
  themed();
});
themed();
setInterval(() => { if (app.status && !document.hidden) draw(); }, 1000);
connect();

// The connection to the server: server-sent events over fetch, so that the token travels in a header and never in a URL.

const key = "tidemill-token";

export const token = {
  get() { try { return sessionStorage.getItem(key) || ""; } catch { return ""; } },
  set(t) { try { t ? sessionStorage.setItem(key, t) : sessionStorage.removeItem(key); } catch { /* kept for this page only */ } },
};

export function headers(more) {
  const t = token.get();
  return t ? { ...more, Authorization: "Bearer " + t } : { ...more };
}

// watch follows /events until stop is called. on has status(status), history(samples), open(), lost(why), locked(wrong).
export function watch(task, on) {
  let stopped = false, last = "", wait = 500, abort = null, timer = 0;
  const again = (why) => {
    if (stopped) return;
    on.lost(why);
    timer = setTimeout(run, wait);
    wait = Math.min(wait * 2, 5000);
  };
  async function run() {
    abort = new AbortController();
    let deaf = setTimeout(() => abort.abort(), 8000);
    try {
      const r = await fetch("/events?task=" + encodeURIComponent(task || "-"), { headers: headers(last ? { "Last-Event-ID": last } : {}), signal: abort.signal, cache: "no-store" });
      if (r.status === 401) { stopped = true; clearTimeout(deaf); return on.locked(token.get() !== ""); }
      if (!r.ok) throw new Error("the server answered " + r.status);
      const reader = r.body.pipeThrough(new TextDecoderStream()).getReader();
      let buffer = "";
      for (;;) {
        const { done, value } = await reader.read();
        if (done) break;
        // A status comes every second; a silence of eight is a connection that is gone without saying so.
        clearTimeout(deaf);
        deaf = setTimeout(() => abort.abort(), 8000);
        buffer += value;
        let end;
        while ((end = buffer.indexOf("\n\n")) >= 0) {
          const event = parse(buffer.slice(0, end));
          buffer = buffer.slice(end + 2);
          if (event.id) last = event.id;
          if (!event.data || stopped) continue;
          wait = 500;
          on.open();
          const data = JSON.parse(event.data);
          event.name === "history" ? on.history(data) : on.status(data);
        }
      }
      again("the server ended the connection");
    } catch (e) {
      again(e.name === "AbortError" ? "the server is silent" : e.name === "TypeError" ? "the server cannot be reached" : e.message);
    } finally {
      clearTimeout(deaf);
    }
  }
  run();
  return { stop() { stopped = true; clearTimeout(timer); abort?.abort(); } };
}

function parse(block) {
  const e = { name: "message", id: "", data: "" };
  for (const line of block.split("\n")) {
    const at = line.indexOf(":"), field = line.slice(0, at), value = line.slice(at + 1).replace(/^ /, "");
    if (field === "event") e.name = value;
    else if (field === "id") e.id = value;
    else if (field === "data") e.data += value;
  }
  return e;
}

// predict asks for one prediction; it throws with the server's own words.
export async function predict(task, body, type, signal) {
  const r = await fetch("/predict/" + encodeURIComponent(task), { method: "POST", headers: headers({ "Content-Type": type }), body, signal, cache: "no-store" });
  const answer = await r.json().catch(() => ({}));
  if (!r.ok) throw new Error(answer.error || "the server answered " + r.status);
  return answer;
}

"use strict";
// Draws what /-/events tells once a second. Counters are sums: two tell a rate.

const KEPT = 120; // samples
const LAGS = [0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5, 5, 10];
const WAITS = ["socket", "db", "lock", "sleep", "dns", "thread", "client"];

const samples = [];
let before = null;
let finest = 0; // the first bound of durations
const byId = (id) => document.getElementById(id);

function make(name, properties = {}, ...children) {
  const element = document.createElement(name);
  for (const [key, value] of Object.entries(properties)) {
    if (key === "class") element.className = value;
    else if (key in element) element[key] = value;
    else element.setAttribute(key, value);
  }
  element.append(...children);
  return element;
}

// --- numbers ---

function quantile(counts, bounds, share) {
  const total = counts.reduce((a, b) => a + b, 0);
  if (total <= 0) return null;
  let below = 0;
  for (let i = 0; i < counts.length; i++) {
    if (below + counts[i] >= total * share) {
      if (i >= bounds.length) return bounds[bounds.length - 1];
      const low = i ? bounds[i - 1] : 0;
      return low + (bounds[i] - low) * ((total * share - below) / (counts[i] || 1));
    }
    below += counts[i];
  }
  return null;
}

const difference = (now, then) => now.map((n, i) => Math.max(n - (then[i] || 0), 0));

function seconds(value) {
  if (value === null || value === undefined) return "–";
  if (value < 0.001) return "<1 ms";
  if (value < 1) return `${(value * 1000).toFixed(value < 0.01 ? 1 : 0)} ms`;
  if (value < 120) return `${value.toFixed(1)} s`;
  if (value < 7200) return `${Math.round(value / 60)} min`;
  return value < 172800 ? `${Math.round(value / 3600)} h` : `${Math.round(value / 86400)} d`;
}
// Histograms tell nothing more of what is below their first bound.
const latency = (value) => Number.isFinite(value) && value >= 0.001 && value <= finest
  ? `<${seconds(finest).replace(".0", "")}` : seconds(value);
const count = (n) => (n >= 100000 ? `${Math.round(n / 1000)}k` : n >= 100 || n === Math.round(n)
  ? String(Math.round(n)) : n.toFixed(1));
const percent = (share) => `${Math.round(share * 100)} %`;
const mebibytes = (bytes) => `${(bytes / 1048576).toFixed(0)} MiB`;
// Of a library's file what it is called there; the stack has it whole.
const inPackage = (place) => place.replace(/^.*\/lib(64)?\/python3(\.\d+)?\/((site|dist)-packages\/)?/, "");
const clock = (at) => new Date(at * 1000).toLocaleTimeString();

function derive(now, then) {
  const span = now.now - then.now;
  if (!(span > 0)) return null;
  const rate = (a, b) => Math.max(a - b, 0) / span;
  finest = now.requests.bounds[0] ?? 0;
  const took = difference(now.requests.durations, then.requests.durations);
  const lag = difference(now.loop.lag, then.loop.lag);
  const work = rate(now.loop.work, then.loop.work);
  const poll = rate(now.loop.poll, then.loop.poll);
  return {
    at: now.now,
    requests: rate(now.requests.total, then.requests.total),
    errors: rate(now.requests.errors, then.requests.errors),
    p50: quantile(took, now.requests.bounds, 0.5),
    p95: quantile(took, now.requests.bounds, 0.95),
    p99: quantile(took, now.requests.bounds, 0.99),
    use: work + poll > 0 ? work / (work + poll) : 0,
    lag: quantile(lag, LAGS, 0.99),
    cpu: now.workers.reduce((sum, worker) => {
      const old = then.workers.find((each) => each.pid === worker.pid);
      return sum + (old ? rate(worker.cpu, old.cpu) : 0);
    }, 0),
    parked: now.greenlets.parked,
    ready: now.greenlets.ready,
  };
}

// --- charts ---

const CHARTS = [
  { title: "Requests per second", unit: count, lines: [
    ["requests", (s) => s.requests], ["server errors", (s) => s.errors, 3]] },
  { title: "Latency", unit: latency, lines: [
    ["p50", (s) => s.p50], ["p95", (s) => s.p95], ["p99", (s) => s.p99]] },
  { title: "Loop in use", unit: percent, most: 1, lines: [
    ["share of time not waiting", (s) => s.use], ["CPU of workers", (s) => s.cpu, 4]] },
  { title: "Lag of timers, p99", unit: seconds, lines: [["lag", (s) => s.lag]] },
  { title: "Greenlets by what they wait for", unit: count, lines: [
    ["ready", (s) => s.ready, 8], ...WAITS.map((name, i) => [name, (s) => s.parked[name], i + 1])] },
];
const SVG = "http://www.w3.org/2000/svg";

function drawn(name, attributes) {
  const element = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes)) element.setAttribute(key, value);
  return element;
}

function setUpCharts() {
  for (const chart of CHARTS) {
    chart.caption = make("figcaption", {}, make("b", {}, chart.title));
    chart.svg = drawn("svg", { viewBox: "0 0 400 120", preserveAspectRatio: "none", role: "img",
      "aria-label": `${chart.title}: no figures yet` });
    chart.marks = chart.lines.map(([name], i) => {
      const tint = `c${chart.lines[i][2] || i + 1}`;
      const value = make("span", {}, make("i", { class: tint }), `${name} –`);
      chart.caption.append(value);
      return { tint, value };
    });
    chart.top = make("small", {}, "");
    byId("charts").append(make("figure", {}, chart.caption, make("div", {}, chart.top, chart.svg)));
  }
}

function drawChart(chart) {
  const values = chart.lines.map(([, of]) => samples.map(of));
  const most = Math.max(chart.most || 0, ...values.flat().filter(Number.isFinite), 1e-9) * 1.05;
  chart.svg.replaceChildren(
    drawn("line", { class: "grid", x1: 0, x2: 400, y1: 119, y2: 119 }),
    drawn("line", { class: "grid", x1: 0, x2: 400, y1: 60, y2: 60 }));
  const latest = [];
  values.forEach((line, i) => {
    let path = "";
    line.forEach((value, at) => {
      const x = 400 - (line.length - 1 - at) * (400 / (KEPT - 1));
      if (!Number.isFinite(value)) return;
      path += `${path && Number.isFinite(line[at - 1]) ? "L" : "M"}${x.toFixed(1)} ${(119 - (value / most) * 117).toFixed(1)}`;
    });
    if (path) chart.svg.append(drawn("path", { class: chart.marks[i].tint, d: path }));
    const name = chart.lines[i][0];
    const value = line[line.length - 1];
    const text = `${name} ${Number.isFinite(value) ? chart.unit(value) : "–"}`;
    latest.push(text);
    chart.marks[i].value.lastChild.textContent = text;
  });
  chart.top.textContent = samples.length ? chart.unit(most) : "";
  chart.svg.setAttribute("aria-label", `${chart.title}: ${latest.join(", ")}`);
}

// --- tables ---

// Columns: [title, text of a row, class]. A cell may be an element.
function fill(id, caption, columns, rows, empty) {
  const place = byId(id);
  if (!rows.length) {
    place.replaceChildren(make("p", { class: "empty" }, empty));
    return;
  }
  const open = new Set([...place.querySelectorAll("details[open]")].map((e) => e.dataset.key));
  const head = make("tr", {}, ...columns.map(([title, , kind]) =>
    make("th", { scope: "col", class: kind || "" }, title)));
  const body = rows.map((row) => make("tr", {}, ...columns.map(([, of, kind], i) => {
    const cell = of(row);
    return make(i ? "td" : "th", { class: kind || "", ...(i ? {} : { scope: "row" }) }, cell ?? "–");
  })));
  const region = make("div", { class: "table", tabIndex: 0, role: "region", "aria-label": caption },
    make("table", {}, make("caption", {}, caption), make("thead", {}, head), make("tbody", {}, ...body)));
  const hadFocus = place.contains(document.activeElement) && document.activeElement.dataset.key;
  place.replaceChildren(region);
  for (const each of place.querySelectorAll("details")) each.open = open.has(each.dataset.key);
  if (hadFocus) place.querySelector(`summary[data-key="${CSS.escape(hadFocus)}"]`)?.focus();
}

function unfold(key, title, text) {
  const summary = make("summary", {}, title);
  const details = make("details", {}, summary, make("pre", {}, text));
  details.dataset.key = summary.dataset.key = key;
  return details;
}

function showWorkers(now, then) {
  const rate = (worker, key) => {
    const old = then?.workers.find((each) => each.pid === worker.pid);
    return old ? Math.max(worker[key] - old[key], 0) / (now.now - then.now) : 0;
  };
  fill("worker-table", "Workers by their place", [
    ["Worker", (w) => String(w.worker)],
    ["Process", (w) => String(w.pid)],
    ["State", (w) => w.held > 1
      ? make("b", { class: "bad" }, `held for ${seconds(w.held)}`)
      : w.healthy ? w.state : make("b", { class: "bad" }, `${w.state}, a check fails`)],
    ["Age", (w) => seconds(w.age), "n"],
    ["Requests/s", (w) => count(rate(w, "served")), "n"],
    ["In flight", (w) => count(w.requests), "n"],
    ["Queued", (w) => count(w.queued), "n"],
    ["Connections", (w) => count(w.connections), "n"],
    ["Loop", (w) => {
      const busy = rate(w, "work");
      const idle = rate(w, "poll");
      return busy + idle > 0 ? percent(busy / (busy + idle)) : "–";
    }, "n"],
    ["CPU", (w) => percent(rate(w, "cpu")), "n"],
    ["Memory", (w) => mebibytes(w.rss), "n"],
  ], now.workers, "No worker is there.");
}

function showTables(now, then) {
  showWorkers(now, then);
  fill("blockers", "The ten worst places, by the time they took", [
    ["Place", (b) => unfold(b.where, inPackage(b.where), b.stack), "wide"],
    ["Times", (b) => count(b.count), "n"],
    ["In all", (b) => seconds(b.seconds), "n"],
    ["Longest", (b) => seconds(b.longest), "n"],
    ["Last", (b) => clock(b.last), "n"],
  ], now.blockers, "Nothing held a loop for longer than watchdog_threshold.");
  fill("routes", "The twenty that took the most time since the start", [
    ["Route", (r) => r.route, "wide"],
    ["Requests", (r) => count(r.count), "n"],
    ["Errors", (r) => r.errors ? make("b", { class: "bad" }, count(r.errors)) : "0", "n"],
    ["Mean", (r) => seconds(r.count ? r.seconds / r.count : null), "n"],
    ["p95", (r) => latency(quantile(r.durations, now.requests.bounds, 0.95)), "n"],
  ], now.routes, "No request was answered yet.");
  fill("slow", "The last that took longer than slow_request, or a second", [
    ["Request", (s) => {
      const [first, ...rest] = s.text.split("\n");
      return rest.length ? unfold(`${s.at}`, first, rest.join("\n")) : first;
    }, "wide"],
    ["At", (s) => clock(s.at), "n"],
  ], now.slow, "None.");
  const pools = Object.entries(now.pools).flatMap(([family, samples]) =>
    Object.entries(samples).map(([pool, value]) => ({ family, pool, value })));
  fill("pool-table", "What pools and drivers say", [
    ["Pool, or server", (p) => p.pool],
    ["Figure", (p) => p.family.replace(/^(celadon_db|db_client)_connections?_?/, "") || "connections"],
    ["Value", (p) => count(p.value), "n"],
  ], pools, "No pool of celadon's and no database driver has a connection.");
  fill("events", "What happened to workers, the last first", [
    ["At", (e) => clock(e.at)],
    ["What", (e) => e.text, "wide"],
  ], now.events, "Nothing yet.");
}

let hadTasks = false;

function showCards(now, last) {
  hadTasks ||= now.tasks.answering + now.tasks.background > 0;
  const cards = [
    ["Requests/s", last ? count(last.requests) : "–"],
    ["Server errors/s", last ? count(last.errors) : "–", last?.errors > 0 ? "bad" : ""],
    ["p50", last ? latency(last.p50) : "–"],
    ["p95", last ? latency(last.p95) : "–"],
    ["p99", last ? latency(last.p99) : "–"],
    ["In flight", count(now.status.requests)],
    ["Queued", count(now.requests.queued), now.requests.queued > 0 ? "warn" : ""],
    ["Loop in use", last ? percent(last.use) : "–", last?.use > 0.9 ? "warn" : ""],
    ["Connections", count(now.connections.open)],
    ...(now.websockets.accepted > 0 ? [["WebSockets", count(now.websockets.open)]] : []),
    ...(hadTasks ? [["Tasks", count(now.tasks.answering)], ["Behind answers", count(now.tasks.background)]] : []),
    ["Greenlets", count(now.greenlets.alive)],
    ["Requests lost", count(now.lost), now.lost > 0 ? "bad" : ""],
  ];
  byId("cards").replaceChildren(...cards.map(([name, value, kind]) =>
    make("div", { class: kind || "" }, make("dt", {}, name), make("dd", {}, value))));
}

function setState(text, kind) {
  const state = byId("state");
  if (state.textContent === text) return;
  state.textContent = text;
  state.className = `state ${kind}`;
}

function show(now) {
  const last = before ? derive(now, before) : null;
  if (last) {
    samples.push(last);
    if (samples.length > KEPT) samples.shift();
  }
  byId("version").textContent = `${now.version}, Python ${now.python}`;
  byId("since").textContent =
    `up ${seconds(now.status.uptime)}, ${now.status.workers} of ${now.workers.length} workers serve, ` +
    `generation ${now.generation}`;
  setState(now.health.ok ? now.status.state : `${now.status.state}, not ${now.health.live ? "ready" : "live"}`,
    now.health.ok ? "good" : "bad");
  showCards(now, last || samples[samples.length - 1]);
  for (const chart of CHARTS) drawChart(chart);
  showTables(now, before);
  before = now;
}

function listen() {
  const source = new EventSource("events");
  source.onmessage = (event) => show(JSON.parse(event.data));
  source.onerror = () => {
    setState("no connection to the admin process", "bad");
    before = null;
    if (source.readyState === EventSource.CLOSED) setTimeout(listen, 2000);
  };
}

async function setUpControl() {
  const may = await (await fetch("may")).json();
  byId("control").hidden = !may.control;
  byId("control").addEventListener("click", async (event) => {
    const deed = event.target.dataset.deed;
    if (!deed) return;
    const answer = await fetch(`control/${deed}`, { method: "POST", headers: { "X-Celadon-Control": "1" } });
    const said = await answer.json().catch(() => ({}));
    byId("outcome").textContent = `${event.target.textContent}: ${answer.ok ? "done" : said.error || answer.status}`;
  });
}

setUpCharts();
listen();
setUpControl();

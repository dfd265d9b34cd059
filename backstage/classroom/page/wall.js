// Asks twice a second what is new. All words come ready from the server, and are set as text, never as HTML.
"use strict";

const byId = id => document.getElementById(id);
const kind = location.pathname.endsWith("panel") ? "panel" : "wall";
const run = new URLSearchParams(location.search).get("run") || "";
const land = document.querySelector("img"), canvas = document.querySelector("canvas"), pen = canvas.getContext("2d");
const SIDES = [[1000, 7], [5000, 5], [50000, 3], [Infinity, 1]];  // up to so many squares, pixels of each
const SPOKEN_EVERY = 15000;
let by = kind === "panel" ? "nation" : "machine";
let since = "", drawn = new Set(), spoken = 0, frame = {};

function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

function fill(place, items, make) {
  place.replaceChildren(...items.map(make));
}

function element(name, content = "", more = {}) {
  return Object.assign(document.createElement(name), {textContent: content}, more);
}

function swatch(colour) {
  const mark = element("i");
  mark.style.background = colour;
  return mark;
}

function end() {
  const seconds = frame.left;
  if (!seconds) return ["estimated end", "–"];
  const time = new Date(Date.now() + 1000 * seconds).toLocaleTimeString("en-GB", {hour: "2-digit", minute: "2-digit"});
  return [`end in ${seconds < 100 ? `${Math.ceil(seconds)} s` : `${Math.round(seconds / 60)} min`}`, time];
}

function who() {
  return (frame.heads || [kind === "panel" ? "worker" : "machine"])[0];  // a machine of its own has workers only
}

function write() {
  text(byId("title"), frame.title || "Squares");
  text(byId("who"), who());
  const [done, all] = frame.bar || [0, 1];
  Object.assign(byId("bar"), {hidden: !frame.bar, value: done, max: all || 1});
  fill(byId("totals"), frame.totals ? [...frame.totals, end()] : [], ([label, value]) => {
    const total = element("div");
    total.append(element("dt", label), element("dd", value));
    return total;
  });
  fill(byId("legend"), frame.legend || [], ([name, colour, count]) => {
    const item = element("li");
    item.append(swatch(colour), `${name} `, element("b", count));
    return item;
  });
}

function row(each) {
  const line = element("tr", "", {className: each.quiet ? "quiet" : ""});
  line.append(...each.cells.map((value, n) => element(n ? "td" : "th", value, {
    title: value, className: frame.heads[n] === "failed" && value !== "0" ? "some" : "",
  })));
  line.firstChild.scope = "row";
  line.firstChild.prepend(swatch(each.colour));
  return line;
}

function table() {
  const rows = frame.rows || [], place = byId("rows");
  const tables = rows.length <= 14 ? 1 : rows.length <= 60 ? 2 : 3, length = Math.ceil(rows.length / tables) || 1;
  place.style.setProperty("--tables", tables);
  place.style.setProperty("--rows", Math.max(length, 8));
  fill(place, [...Array(rows.length ? tables : 0).keys()], number => {
    const head = element("tr"), body = element("tbody"), whole = element("table");
    head.append(...frame.heads.map(title => element("th", title, {scope: "col"})));
    body.append(...rows.slice(number * length, (number + 1) * length).map(row));
    whole.append(element("thead"), body);
    whole.tHead.append(head);
    return whole;
  });
}

function side(count) {
  return SIDES.find(([limit]) => count <= limit)[1];
}

function draw() {
  if (frame.fresh) {
    if (land.src !== frame.land) land.src = frame.land;
    pen.clearRect(0, 0, 700, 1300);
    drawn.clear();
  }
  const before = side(drawn.size), squares = frame.squares || [];
  for (const [, its] of squares) its.forEach(square => drawn.add(square));
  const now = side(drawn.size);
  if (before !== now && !frame.fresh) since = "";  // all of them again, in their new size
  for (const [colour, its] of squares) {
    pen.fillStyle = colour;
    for (const square of its) {
      pen.fillRect(square % 700 - (now >> 1), 1299 - Math.floor(square / 700) - (now >> 1), now, now);
    }
  }
}

function inWords() {
  const totals = (frame.totals || []).map(([label, value]) => `${label} ${value}`);
  return [frame.title, ...totals, ...(frame.legend || []).map(([name, , count]) => `${name} ${count}`)].join(", ");
}

function speak(trouble) {
  text(byId("trouble"), trouble);
  if (Date.now() - spoken < SPOKEN_EVERY && !frame.over) return;
  spoken = Date.now();
  canvas.setAttribute("aria-label", `Map of the British National Grid, coloured by ${by === "nation" ? by : who()}. ${inWords()}`);
  text(byId("spoken"), inWords());
}

async function look() {
  let trouble = "";
  try {
    const asked = new URLSearchParams({run, by, since});
    const answer = await fetch(`${kind}.json?${asked}`, {cache: "no-store", signal: AbortSignal.timeout(20000)});
    if (!answer.ok) throw new Error(answer.status);
    const next = await answer.json();
    if (asked.get("by") !== by) return;  // somebody chose other colours meanwhile
    frame = next.since ? next : {...frame, ...next, squares: [], fresh: false};
    since = next.since || since;
    trouble = frame.trouble;
    write();
    table();
    draw();
  } catch {
    const next = kind === "panel" ? "load this page again" : "workshop class wall";
    trouble = `The page's program does not answer. Next: ${next}`;
  }
  speak(trouble);
}

function choose(what) {
  [by, since, spoken] = [what, "", 0];
  document.body.dataset.by = what;
  for (const button of document.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", button.dataset.by === what);
  }
}

for (const button of document.querySelectorAll("button")) {
  button.addEventListener("click", () => choose(button.dataset.by));
}
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const what = {m: "machine", n: "nation"}[event.key.toLowerCase()];
  if (what) choose(what);
});

async function forever() {
  document.body.classList.add(kind);
  choose(by);
  for (;;) {
    if (!document.hidden) await look();
    await new Promise(done => setTimeout(done, frame.over ? 2000 : 500));
  }
}
forever();

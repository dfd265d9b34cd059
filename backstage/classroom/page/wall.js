// Asks for a frame about once a second. All that comes from the database is set as text, never as HTML.
"use strict";

const byId = id => document.getElementById(id);
const number = (value, digits = 0) =>
  value.toLocaleString("en-GB", {minimumFractionDigits: digits, maximumFractionDigits: digits});
const FIELDS = [
  ["machine", row => row.machine],
  ["done", row => number(row.done)],
  ["per s", row => number(row.rate, 1)],
  ["share", row => `${number(100 * row.share, 1)} %`],
  ["retries", row => number(row.retries)],
  ["failed", row => number(row.failures)],
  ["seen", row => ago(row.seen)],
];
const SPOKEN_EVERY = 15000;
let by = "machine", shown = "", spoken = 0, troubled = "", frame = {};

function ago(seconds) {
  if (seconds < 100) return `${Math.round(seconds)} s`;
  return seconds < 6000 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

function text(element, value) {
  if (element.textContent !== value) element.textContent = value;
}

function make(name, parent) {
  return parent.appendChild(document.createElement(name));
}

function totals() {
  text(byId("source"), frame.source === undefined ? "Wall" : `Squares · ${frame.source}`);
  text(byId("done"), frame.done === undefined ? "–" : number(frame.done));
  text(byId("rate"), frame.rate === undefined ? "–" : number(frame.rate, frame.rate < 100 ? 1 : 0));
  text(byId("waiting"), Number.isFinite(frame.waiting) ? number(frame.waiting) : "?");
  text(byId("end"), frame.end || "–");
  text(byId("endlabel"), frame.end ? `estimated end, in ${ago(frame.left)}` : "estimated end");
}

function nations() {
  const list = byId("nations"), rows = frame.nations || [];
  if (list.children.length !== rows.length) {
    list.replaceChildren();
    for (const row of rows) {
      const item = make("li", list);
      make("i", item).style.background = row.colour;
      make("span", item);
      make("b", item);
    }
  }
  rows.forEach((row, at) => {
    text(list.children[at].children[1], `${row.name} `);
    text(list.children[at].children[2], number(row.done));
  });
}

function scoreboard() {
  const rows = frame.machines || [], place = byId("scoreboard");
  const tables = rows.length <= 14 ? 1 : rows.length <= 60 ? 2 : 3;
  const length = Math.ceil(rows.length / tables);
  const names = JSON.stringify(rows.map(row => row.machine));
  if (place.dataset.names !== names) build(place, rows, tables, length);
  place.dataset.names = names;
  const lines = place.querySelectorAll("tbody tr");
  rows.forEach((row, at) => {
    const cells = lines[at].children;
    cells[0].firstChild.style.background = row.colour;
    FIELDS.slice(1).forEach(([, show], column) => text(cells[column + 1], show(row)));
    cells[5].className = row.failures ? "some" : "";
    lines[at].className = row.seen > 10 ? "quiet" : "";
  });
}

function build(place, rows, tables, length) {
  place.replaceChildren();
  place.style.setProperty("--tables", tables);
  place.style.setProperty("--rows", Math.max(length, 8));
  for (let from = 0; from < rows.length; from += length) {
    const table = make("table", place);
    const heads = make("tr", make("thead", table));
    for (const [title] of FIELDS) {
      const head = make("th", heads);
      head.scope = "col";
      head.textContent = title;
    }
    const body = make("tbody", table);
    for (const row of rows.slice(from, from + length)) {
      const line = make("tr", body), head = make("th", line);
      head.scope = "row";
      head.title = row.machine;
      make("i", head);
      make("span", head).textContent = row.machine;
      FIELDS.slice(1).forEach(() => make("td", line));
    }
  }
}

function inWords() {
  const machines = (frame.machines || []).length;
  return `${number(frame.done)} squares done by ${machines} ${machines === 1 ? "machine" : "machines"}, ` +
    `${number(frame.rate, 1)} per second. ` +
    (Number.isFinite(frame.waiting) ? `${number(frame.waiting)} tasks wait.` : "") +
    (frame.end ? ` Estimated end: ${frame.end}.` : "");
}

function speak(trouble) {
  text(byId("trouble"), trouble);
  if (frame.done === undefined || (Date.now() - spoken < SPOKEN_EVERY && trouble === troubled)) return;
  [spoken, troubled] = [Date.now(), trouble];
  text(byId("summary"), inWords());
}

async function picture() {
  if (frame.picture === undefined || shown === `${by} ${frame.picture}`) return;
  const next = new Image(700, 1300), wanted = `${by} ${frame.picture}`;
  next.src = `map.png?${new URLSearchParams({by, frame: frame.picture})}`;
  await next.decode();
  const nationsInWords = frame.nations.map(row => `${row.name} ${number(row.done)}`).join(", ");
  next.alt = `Map of the British National Grid, coloured by ${by}. ${inWords()} ${nationsInWords}.`;
  byId("map").replaceChildren(next);
  shown = wanted;
}

function note() {
  const side = frame.side > 1 ? `While they are few, squares of 1 km are drawn ${frame.side} km wide. ` : "";
  text(byId("note"), frame.side ? `${side}Coast: Natural Earth` : "");
}

async function look() {
  let trouble = "";
  try {
    const answer = await fetch("frame.json", {cache: "no-store", signal: AbortSignal.timeout(10000)});
    if (!answer.ok) throw new Error(answer.status);
    frame = await answer.json();
    trouble = frame.trouble;
    if (frame.age > 5 && !trouble) trouble = `These figures are ${ago(frame.age)} old.`;
    totals();
    nations();
    scoreboard();
    note();
    await picture();
  } catch {
    trouble = "The wall's program does not answer. Next: workshop class wall";
  }
  speak(trouble);
}

function choose(what) {
  by = document.body.dataset.by = what;
  for (const button of document.querySelectorAll("button")) {
    button.setAttribute("aria-pressed", button.dataset.by === what);
  }
  picture().catch(() => {});  // the next look tries again
}

for (const button of document.querySelectorAll("button")) {
  button.addEventListener("click", () => choose(button.dataset.by));
}
document.addEventListener("keydown", event => {
  if (event.ctrlKey || event.altKey || event.metaKey) return;
  const what = {m: "machine", n: "nation"}[event.key.toLowerCase()];
  if (what) choose(what);
});

async function run() {
  for (;;) {
    await look();
    await new Promise(done => setTimeout(done, 1000));
  }
}
run();

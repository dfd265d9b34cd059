// Asks what is on the wall about once a second. All that comes from the database is set as text, never as HTML.
"use strict";

const byId = id => document.getElementById(id);
const number = (value, digits = 0) =>
  value.toLocaleString("en-GB", {minimumFractionDigits: digits, maximumFractionDigits: digits});
const FIELDS = [
  ["machine", row => row.machine],
  ["done", row => number(row.done)],
  ["per s", row => number(row.rate, 1)],
  ["share", row => `${number(row.share, row.share < 100 ? 1 : 0)} %`],
  ["retries", row => number(row.retries)],
  ["failed", row => number(row.failures)],
  ["seen", row => ago(row.seen)],
];
const SPOKEN_EVERY = 15000;
let by = "machine", shown = "", spoken = 0, troubled = "", wall = {};

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
  text(byId("source"), wall.source === undefined ? "Wall" : `Squares · ${wall.source}`);
  text(byId("done"), wall.done === undefined ? "–" : number(wall.done));
  text(byId("rate"), wall.rate === undefined ? "–" : number(wall.rate, wall.rate < 100 ? 1 : 0));
  text(byId("waiting"), Number.isFinite(wall.waiting) ? number(wall.waiting) : "?");
  text(byId("end"), end() || "–");
  text(byId("endlabel"), wall.left ? `estimated end, in ${ago(wall.left)}` : "estimated end");
}

function nations() {
  byId("nations").replaceChildren();
  for (const row of wall.nations || []) {
    const item = make("li", byId("nations"));
    make("i", item).style.background = row.colour;
    make("span", item).textContent = `${row.name} `;
    make("b", item).textContent = number(row.done);
  }
}

function scoreboard() {
  const rows = wall.machines || [], place = byId("scoreboard");
  const tables = rows.length <= 14 ? 1 : rows.length <= 60 ? 2 : 3;
  const length = Math.ceil(rows.length / tables);
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
    for (const row of rows.slice(from, from + length)) machine(row, make("tr", body));
  }
}

function machine(row, line) {
  const head = make("th", line);
  head.scope = "row";
  head.title = row.machine;
  make("i", head).style.background = row.colour;
  make("span", head).textContent = row.machine;
  for (const [title, show] of FIELDS.slice(1)) {
    const cell = make("td", line);
    cell.textContent = show(row);
    if (title === "failed" && row.failures) cell.className = "some";
  }
  if (row.seen > 10) line.className = "quiet";
}

function end() {
  if (!wall.left) return "";
  const at = new Date(Date.now() + 1000 * wall.left);
  return at.toLocaleTimeString("en-GB", {hour: "2-digit", minute: "2-digit"});
}

function inWords() {
  const machines = (wall.machines || []).length;
  return `${number(wall.done)} squares done by ${machines} ${machines === 1 ? "machine" : "machines"}, ` +
    `${number(wall.rate, 1)} per second. ` +
    (Number.isFinite(wall.waiting) ? `${number(wall.waiting)} tasks wait.` : "") +
    (wall.left ? ` Estimated end: ${end()}.` : "");
}

function speak(trouble) {
  text(byId("trouble"), trouble);
  if (wall.done === undefined || (Date.now() - spoken < SPOKEN_EVERY && trouble === troubled)) return;
  [spoken, troubled] = [Date.now(), trouble];
  text(byId("summary"), inWords());
}

async function picture() {
  const wanted = `${by}.png?done=${wall.done}`;
  if (wall.done === undefined || shown === wanted) return;
  const next = new Image(700, 1300);
  next.src = wanted;
  await next.decode();
  const nationsInWords = wall.nations.map(row => `${row.name} ${number(row.done)}`).join(", ");
  next.alt = `Map of the British National Grid, coloured by ${by}. ${inWords()} ${nationsInWords}.`;
  byId("map").replaceChildren(next);
  shown = wanted;
}

async function look() {
  let trouble = "";
  try {
    const answer = await fetch("wall.json", {cache: "no-store", signal: AbortSignal.timeout(20000)});
    if (!answer.ok) throw new Error(answer.status);
    wall = {...wall, ...await answer.json()};  // what a silent service did not say stays as it was
    trouble = wall.trouble;
    totals();
    nations();
    scoreboard();
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

// Land, names, and a canvas with a pixel for each square of 1 km. Its unit is the metre of the National Grid.
const [columns, rows] = [700, 1300], grid = [[0, 0], [1000 * rows, 1000 * columns]];
const bytes = new Uint8Array(await unpack(painted.packed).arrayBuffer());
const keys = bytes.subarray(0, columns * rows), steps = bytes.subarray(columns * rows), {side} = page;
const stepOf = square =>
  steps[(square / columns / side | 0) * (columns / side) + (square % columns / side | 0)];
const colours = page.keys.map(([, colour]) => {
  const [red, green, blue, alpha = 255] = colour.match(/\w\w/g).map(part => parseInt(part, 16));
  return (alpha << 24 | blue << 16 | green << 8 | red) >>> 0;
});
const squares = [...keys.keys()].filter(square => keys[square]);
const [, smallest] = [[25, 9], [2500, 3], [50000, 1.3], [Infinity, 0]]  // pixels
  .find(([most]) => squares.length <= most);
if (smallest) squares.sort((one, other) => keys[other] - keys[one]);  // the first of the legend on top

map.fitBounds(grid);
L.control.scale().addTo(map);
const coast = new DOMParser().parseFromString(land, "image/svg+xml").documentElement;
L.svgOverlay(coast, grid, {pane: "tilePane"}).addTo(map);
const canvas = Object.assign(document.createElement("canvas"), {width: columns, height: rows});
L.svgOverlay(canvas, grid).addTo(map);
for (const [name, [x, y]] of Object.entries(page.places)) L.marker([y, x], {
  interactive: false, keyboard: false,
  icon: L.divIcon({className: "label", iconSize: [0, 0], html: `<b>${name}</b>`}),
}).addTo(map);
const picture = map.getPane("mapPane");
picture.setAttribute("role", "img");
picture.setAttribute("aria-label", page.words);
map.getContainer().setAttribute("aria-label", "Map: arrow keys move it, plus and minus zoom");

const shown = new Int32Array(columns * rows);
const [form, slider, output] = ["form", "input", "output"].map(each => document.querySelector(each));
const paint = () => {
  const scale = 1000 * 2 ** map.getZoom(), wide = Math.max(0, Math.round((smallest / scale - 1) / 2));
  const image = new ImageData(columns, rows), pixels = new Uint32Array(image.data.buffer);
  const now = slider.valueAsNumber, there = squares.filter(square => stepOf(square) <= now);
  shown.fill(-1);
  for (const more of wide ? [wide, 0] : [0]) for (const square of there) {
    const x = square % columns, y = rows - 1 - (square / columns | 0);
    const [left, right] = [Math.max(x - more, 0), Math.min(x + more + 1, columns)];
    for (let row = Math.max(y - more, 0); row <= Math.min(y + more, rows - 1); row++) {
      pixels.fill(colours[keys[square] - 1], row * columns + left, row * columns + right);
      shown.fill(square, row * columns + left, row * columns + right);
    }
  }
  canvas.getContext("2d").putImageData(image, 0, 0);
  canvas.style.imageRendering = scale > 1 ? "pixelated" : "auto";
  const seconds = (painted.seconds * now / slider.max).toFixed(1);
  output.textContent = `${there.length.toLocaleString("en")} ${there.length === 1 ? "square" : "squares"} after ${seconds} s`;
};
map.on("zoomend", paint);
paint();

const letter = place => "ABCDEFGHJKLMNOPQRSTUVWXYZ"[place];
const reference = (x, y) => {
  const [east, south] = [x / 100 | 0, 19 - (y / 100 | 0)];
  const letters = letter(south - south % 5 + (east + 10) / 5 | 0) + letter(south * 5 % 25 + east % 5);
  return letters + [x, y].map(part => String(part % 100).padStart(2, "0")).join("");
};
const hint = L.tooltip({direction: "right", offset: [12, 0]}), text = document.createElement("span");
map.on("mousemove click", ({latlng}) => {
  const [x, y] = [latlng.lng, latlng.lat].map(metres => Math.floor(metres / 1000));
  const square = x < 0 || x >= columns ? -1 : shown[(rows - 1 - y) * columns + x] ?? -1;
  if (square < 0) return map.closeTooltip(hint);
  const tasks = page.tasks && (page.tasks[square] ?? 1), name = page.keys[keys[square] - 1][0];
  text.textContent = [reference(square % columns, square / columns | 0), name]
    .concat(tasks ? `${tasks} task${tasks > 1 ? "s" : ""}` : []).join(", ");
  hint.setLatLng(latlng).setContent(text).openOn(map);
});

form.hidden = slider.max < 1;
slider.oninput = paint;
let timer;
form.querySelector("button").onclick = () => {
  clearInterval(timer);
  slider.value = 0;
  timer = setInterval(() => {
    slider.stepUp();
    paint();
    if (slider.value === slider.max) clearInterval(timer);
  }, 100);
};
new ResizeObserver(() => {
  map.invalidateSize({animate: false});
  const legend = document.querySelector(".legend").offsetWidth + 12
  map.fitBounds(grid, {animate: false, paddingBottomRight: [legend, 0]});
}).observe(map.getContainer());

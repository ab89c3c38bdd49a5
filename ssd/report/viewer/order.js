/* The map of positions, coloured by the forward that committed each. */

// Viridis: equal steps look equal, also to the colour-blind and in grey.
const VIRIDIS = [[68, 1, 84], [59, 82, 139], [33, 145, 140], [94, 201, 98], [253, 231, 37]];
const PIXELS = 14;

const FIRST = 0.12; // what is darker than this share would be lost on a dark page

/** The colour of a share from 0 to 1. */
function colourOf(share) {
  const place = (FIRST + (1 - FIRST) * Math.min(share, 1)) * (VIRIDIS.length - 1);
  const at = Math.min(Math.floor(place), VIRIDIS.length - 2);
  const mixed = VIRIDIS[at].map((low, channel) => Math.round(low + (VIRIDIS[at + 1][channel] - low) * (place - at)));
  return `rgb(${mixed.join(" ")})`;
}

/** How many positions a row holds: whole blocks, or whole parts of one, as far as there is room. */
function columnsOf(width, positions, blockLength) {
  const most = Math.max(1, Math.floor(width / PIXELS));
  if (most >= positions) return positions;
  if (most >= blockLength) return Math.floor(most / blockLength) * blockLength;
  let columns = blockLength;
  while (columns > most && columns % 2 === 0) columns /= 2;
  return Math.min(columns, most);
}

/** Build the map, not yet coloured; `lasts` names, for each side, the forward that has the last colour. */
function buildOrder(group, timelines, lasts, blocks) {
  const positions = timelines[0].ids.length;
  const columns = columnsOf(group.clientWidth, blocks.prompt + positions, blocks.length);
  group.style.setProperty("--columns", columns);
  const cells = timelines.map((timeline) => timeline.states.at(-1).map((cell, position) => {
    const square = element("span", { class: "square" });
    square.classList.toggle("unpicked", cell.status === "filled");
    const when = cell.status === "filled" ? "filled in by the stop rule" : `for good by forward ${cell.forward}`;
    tell(square, () => [`position ${position}: ${nameOf(cell.token)}`, when]);
    return square;
  }));
  const rows = [];
  const empty = blocks.prompt % columns; // before the response in its first row, so that blocks lie below one another
  cells.forEach(([first]) => { first.style.gridColumnStart = empty + 1; });
  for (let start = -empty; start < positions; start += columns) {
    const [from, to] = [Math.max(0, start), start + columns];
    const strips = cells.map((side) => element("div", { class: "strip" }, ...side.slice(from, to)));
    rows.push(element("div", { class: "pair" }, element("span", { class: "from" }, String(from)), ...strips));
  }
  group.replaceChildren(...rows);
  return { cells, lasts };
}

/** Pale what is still to come after so many forwards of each side, and frame what came after `sinces`. */
function drawOrder(map, timelines, forwards, sinces) {
  timelines.forEach((timeline, side) => {
    const [held, final] = [timeline.states[forwards[side]], timeline.states.at(-1)];
    map.cells[side].forEach((square, position) => {
      const { forward, status } = held[position] ?? final[position];
      square.classList.toggle("coming", !held[position]);
      if (status === "filled") return;
      square.style.backgroundColor = colourOf((forward - 1) / Math.max(1, map.lasts[side] - 1));
      square.classList.toggle("now", Boolean(held[position]) && forward > sinces[side]);
    });
  });
}

function drawScale(group, lasts) {
  const bar = element("span", { class: "bar", "aria-hidden": "true" });
  bar.style.backgroundImage = `linear-gradient(to right, ${[0, 0.25, 0.5, 0.75, 1].map(colourOf).join(", ")})`;
  const [reference, decoder] = lasts;
  const both = `the last, ${reference} of the reference and ${decoder} of the decoder`;
  const last = reference === decoder ? `forward ${decoder}` : both;
  group.replaceChildren("forward 1 ", bar, ` ${last}`);
}

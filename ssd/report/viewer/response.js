/* One side's response: a cell per position, block by block. */

const WIDEST = 11;
const DEEDS = { picked: "committed by", accepted: "drafted, and accepted by", bonus: "bonus of" };
const MARKS = /([␣⏎⇥␍]+)/u;

let texts = {};
let ends = new Set();

/** A token as it is shown in a cell: end tokens by that name, the others by their text, or their id without texts. */
const textOf = (token) => (ends.has(token) ? "end" : (texts[token] ?? String(token)));
/** The same in full, with the id. */
const nameOf = (token) => (texts[token] === undefined ? "id " + token : `“${texts[token]}” (id ${token})`);

function confidenceOf(value) {
  if (value === null) return "never by confidence";
  return "confidence " + (Math.abs(1 - value) < 0.01 ? value.toFixed(5) : value.toPrecision(3));
}

/** The text of a token with its white space toned down. */
function written(token) {
  return textOf(token).split(MARKS).map((part, at) => (at % 2 ? element("i", {}, part) : part));
}

/** How wide each position is, in characters: as wide as the widest token that it ever holds on any side. */
function widthsOf(timelines) {
  return timelines[0].ids.map((_, position) => {
    const tokens = timelines.flatMap((timeline) => [...tokensAt(timeline, position)]);
    const lengths = tokens.map((token) => textOf(token).length);
    return Math.min(WIDEST, Math.max(1, ...lengths));
  });
}

function tokensAt(timeline, position) {
  const found = new Set([timeline.ids[position], ...timeline.history[position].map((past) => past.token)]);
  for (const { drafts } of timeline.forwards) for (const { token } of drafts.get(position) ?? []) found.add(token);
  return found;
}

/** Build the empty cells, as wide as they ever need to be, so that nothing moves while they are filled. */
function buildResponse(group, widths, blocks, describe) {
  const cells = widths.map((width, position) => {
    const cell = element("span", { role: "listitem", class: "cell", "data-position": position });
    cell.style.setProperty("--width", width);
    tell(cell, () => describe(position));
    return cell;
  });
  const shown = [];
  for (let start = -blocks.prompt; start < cells.length; start += blocks.length) {
    const label = element("span", { class: "block-name", "aria-hidden": "true" }, "block " + shown.length);
    const inside = element("span", { class: "cells", role: "presentation" });
    inside.append(...cells.slice(Math.max(0, start), start + blocks.length));
    shown.push(element("div", { class: "block", role: "presentation" }, label, inside));
  }
  group.replaceChildren(...shown);
  rove(group);
  return cells;
}

/** What stands at a position at a moment: its classes, its token (null: the mask), and what is said of it. */
function cellAt(timeline, position, forward, drafting, since = forward) {
  const cell = timeline.states[forward][position];
  if (cell) return { kind: cell.status, token: cell.token, cell, isNew: cell.forward > since };
  const made = timeline.forwards[drafting ? forward : forward - 1];
  const revoked = drafting ? null : timeline.history[position].find((past) => past.until === forward);
  if (revoked) return { kind: "revoked", token: revoked.token, revoked, isNew: true };
  const drafts = made?.drafts.get(position);
  if (drafts) return { kind: drafting ? "drafted" : "rejected", token: drafts[0].token, drafts, isNew: true };
  return { kind: "masked", token: null, isNew: false };
}

/**
 * Fill the cells with what stands there after `forward` forwards, or with the drafts that the next one is to check.
 * What was committed after `since` forwards is set off as new.
 */
function drawResponse(cells, timeline, forward, drafting, diverging, since) {
  cells.forEach((cell, position) => {
    const { kind, token, isNew, drafts } = cellAt(timeline, position, forward, drafting, since);
    cell.className = `cell ${kind}${isNew ? " now" : ""}${position === diverging ? " diverging" : ""}`;
    cell.replaceChildren(...(token === null ? ["·"] : written(token)));
    if (drafts?.length > 1) cell.append(element("sup", {}, "+" + (drafts.length - 1)));
    const said = token === null ? "masked" : `${textOf(token)}, ${kind}`;
    cell.setAttribute("aria-label", `position ${position}: ${said}`);
  });
}

/** The lines of a cell's hint. */
function describeCell(timeline, position, forward, drafting) {
  const { kind, token, cell, drafts, revoked } = cellAt(timeline, position, forward, drafting);
  const lines = [`position ${position}` + (cell || revoked ? ": " + nameOf(token) : ", masked")];
  if (kind === "filled") lines.push("filled in by the stop rule");
  else if (cell) {
    lines.push(confidenceOf(cell.confidence), `${DEEDS[kind]} forward ${cell.forward}`);
    for (const draft of timeline.forwards[cell.forward - 1].drafts.get(position) ?? []) {
      if (draft.token !== cell.token) lines.push(`instead of the draft ${nameOf(draft.token)}`);
    }
  }
  if (revoked) {
    const deed = `committed by forward ${revoked.forward}, taken back by forward ${revoked.until}`;
    lines.push(confidenceOf(revoked.confidence), deed);
  }
  for (const draft of drafts ?? []) {
    lines.push(`${kind} at depth ${draft.depth}: ${nameOf(draft.token)}, ${confidenceOf(draft.confidence)}`);
  }
  for (const past of timeline.history[position]) {
    const isPast = past.until <= forward && past !== revoked;
    if (isPast) lines.push(`held ${nameOf(past.token)} until forward ${past.until}`);
  }
  return lines;
}

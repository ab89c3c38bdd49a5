/* The draft of one forward as a tree of states: depth by depth, the believed path first. */

const TREE = { across: 108, down: 34, width: 92, height: 26, edge: 2 };
const NARROW = 640;
const SVG = "http://www.w3.org/2000/svg";

const holds = (outer, inner) => inner.picks.every((pick) => outer.keys.has(keyOf(...pick)));

/** The nodes with their parents and the picks that they add; equal states reached on several ways have several. */
function treeOf(forward) {
  const root = { depth: 0, picks: [], confidence: null, accepted: true };
  const withKeys = (node) => ({ ...node, keys: new Set(node.picks.map((pick) => keyOf(...pick))) });
  const nodes = [root, ...forward.draft].map(withKeys);
  for (const node of nodes) {
    const before = nodes.filter((other) => other.depth < node.depth && holds(node, other));
    const nearest = Math.max(...before.map((other) => other.depth));
    node.parents = before.filter((other) => other.depth === nearest);
    node.parent = node.parents.find((other) => other.accepted) ?? node.parents[0];
    node.added = node.picks.filter((pick) => !node.parent?.keys.has(keyOf(...pick)));
  }
  const path = nodes.filter((node) => node.accepted).sort((one, other) => one.depth - other.depth);
  return { nodes, path, bonus: bonusOf(forward, path.at(-1)) };
}

/** What the deepest believed node's own logits gave for free. */
function bonusOf(forward, deepest) {
  const picks = forward.picks.filter(([position, token]) => !deepest.keys.has(keyOf(position, token)));
  const confidence = Math.min(...picks.map((pick) => pick[2]));
  const depth = deepest.depth + 1;
  return { depth, picks, added: picks, parents: [deepest], parent: deepest, confidence, isBonus: true };
}

/** Give every node its lane at its depth: the believed path keeps to the first one, and the bonus to the last. */
function placed({ nodes, bonus }) {
  const all = [...nodes, bonus].sort((one, other) => one.depth - other.depth);
  for (const depth of new Set(all.map((node) => node.depth))) {
    const level = all.filter((node) => node.depth === depth);
    level.sort((one, other) => rankOf(one) - rankOf(other));
    level.forEach((node, lane) => { node.lane = lane; });
  }
  return all;
}

function rankOf(node) {
  if (node.isBonus) return Infinity;
  return node.accepted ? -1 : node.parent.lane;
}

/** How much room the largest draft of a timeline needs: [depths, lanes]. */
function roomOf(timeline) {
  let depths = 0;
  let lanes = 0;
  for (const forward of timeline.forwards) {
    if (!forward.draft.length) continue;
    for (const node of placed(treeOf(forward))) {
      depths = Math.max(depths, node.depth + 1);
      lanes = Math.max(lanes, node.lane + 1);
    }
  }
  return [depths, lanes];
}

/** Draw the draft of a forward; before it is checked (`drafting`) nothing is accepted yet, and there is no bonus. */
function drawTree(group, forward, drafting, room) {
  const upright = group.clientWidth < NARROW;
  const spot = ({ depth, lane }) => {
    const [column, row] = upright ? [lane, depth] : [depth, lane];
    return [column * TREE.across, row * TREE.down];
  };
  const [depths, lanes] = upright ? [room[1], room[0]] : room;
  const size = [Math.max(0, depths * TREE.across - 16), Math.max(0, lanes * TREE.down - 8) + 2 * TREE.edge];
  const canvas = element("div", { class: "canvas", "data-roves": "" });
  canvas.style.width = size[0] + "px";
  canvas.style.height = size[1] + "px";
  if (forward?.draft.length) {
    const tree = treeOf(forward);
    const nodes = placed(tree).filter((node) => !node.isBonus || (!drafting && node.picks.length));
    canvas.append(edgesOf(nodes, tree.path, spot, size, upright, drafting));
    for (const node of nodes) canvas.append(nodeBox(node, spot(node), drafting));
    rove(canvas);
  }
  group.replaceChildren(canvas);
}

function edgesOf(nodes, path, spot, size, upright, drafting) {
  const drawing = document.createElementNS(SVG, "svg");
  drawing.setAttribute("width", size[0]);
  drawing.setAttribute("height", size[1]);
  drawing.setAttribute("aria-hidden", "true");
  const line = (from, to, kind) => {
    const [[x, y], [u, v]] = [spot(from), spot(to)];
    const start = upright ? [x + TREE.width / 2, y + TREE.height] : [x + TREE.width, y + TREE.height / 2];
    const stop = upright ? [u + TREE.width / 2, v] : [u, v + TREE.height / 2];
    const bend = upright ? (stop[1] - start[1]) / 2 : (stop[0] - start[0]) / 2;
    const near = upright ? [start[0], start[1] + bend] : [start[0] + bend, start[1]];
    const far = upright ? [stop[0], stop[1] - bend] : [stop[0] - bend, stop[1]];
    const curve = document.createElementNS(SVG, "path");
    curve.setAttribute("d", `M${start} C${near} ${far} ${stop}`);
    curve.setAttribute("class", kind);
    drawing.append(curve);
  };
  for (const node of nodes) {
    if (!node.isBonus) node.parents.forEach((parent) => line(parent, node, "edge"));
  }
  if (!drafting) {
    path.slice(1).forEach((node, at) => line(path[at], node, "edge believed"));
    nodes.filter((node) => node.isBonus && node.picks.length).forEach((node) => line(node.parent, node, "edge free"));
  }
  return drawing;
}

function kindOf(node, drafting) {
  if (node.isBonus) return "bonus";
  if (!node.depth) return "hand";
  if (drafting) return "drafted";
  return node.accepted ? "accepted" : "rejected";
}

function nodeBox(node, [left, top], drafting) {
  const kind = kindOf(node, drafting);
  const box = element("span", { class: `node cell now ${kind}`, role: "img" });
  if (!node.depth) box.append("state in hand");
  else if (!node.added.length) box.append("cut token"); // behind the response, on an absolute grid
  else {
    const [position, token] = node.added[0];
    const more = node.added.length > 1 ? ` +${node.added.length - 1}` : "";
    box.append(element("b", {}, ...written(token)), element("small", {}, `${position}${more}`));
  }
  const lines = () => (node.depth ? describeNode(node, kind) : ["what was committed when this forward began"]);
  box.setAttribute("aria-label", lines().join("; "));
  box.style.left = left + "px";
  box.style.top = top + TREE.edge + "px";
  tell(box, lines);
  return box;
}

function describeNode(node, kind) {
  const picks = node.added.map(([position, token]) => `position ${position}: ${nameOf(token)}`);
  const ways = node.parents.length > 1 ? [`one state, reached in ${node.parents.length} ways`] : [];
  const what = node.isBonus ? "bonus: free with the deepest accepted state" : `${kind} at depth ${node.depth}`;
  const held = node.picks.map(([, token]) => `“${textOf(token)}”`).join(" ");
  const all = node.picks.length === node.added.length ? [] : ["holds " + held];
  const least = node.picks.length > 1 ? "least " : "";
  return [what, ...picks, ...all, least + confidenceOf(node.confidence), ...ways];
}

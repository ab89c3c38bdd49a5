/* What is said in words beside the pictures: counts, facts, the legend, prompt and texts. */

const LEGEND = {
  masked: "masked", picked: "committed", drafted: "drafted", accepted: "drafted and accepted",
  rejected: "drafted and rejected", bonus: "bonus", revoked: "taken back", filled: "filled in by the stop rule",
};

/** The legend of what these timelines hold. */
function drawLegend(list, timelines, divergence) {
  const found = new Set(["masked"]);
  for (const timeline of timelines) {
    timeline.states.at(-1).forEach((cell) => found.add(cell.status));
    if (timeline.history.some((past) => past.length)) found.add("revoked");
    if (!timeline.forwards.some((forward) => forward.draft.length)) continue;
    ["drafted", "accepted", "rejected", "bonus"].forEach((kind) => found.add(kind));
  }
  const shown = Object.keys(LEGEND).filter((kind) => found.has(kind));
  const items = shown.map((kind) => [`${kind} now`, kind === "masked" ? "·" : "abc", LEGEND[kind]]);
  if (divergence) items.push(["diverging", "abc", "first divergence"]);
  list.replaceChildren(...items.map(([kind, example, name]) =>
    element("li", {}, element("span", { class: `cell ${kind}`, "aria-hidden": "true" }, example), name)));
}

function drawCounts(line, timeline, forward) {
  const [tokens, total] = [timeline.committed[forward], timeline.committed.at(-1)];
  const ratio = forward ? ` · ${(tokens / forward).toFixed(2)} tokens per forward` : "";
  const kinds = [...kindsOf(timeline, forward)].map(([kind, count]) => `${count} ${kind}`).join(", ");
  line.replaceChildren(
    element("strong", { "data-count": "forwards" }, String(forward)), ` of ${timeline.forwards.length} forwards · `,
    element("strong", { "data-count": "tokens" }, String(tokens)), ` of ${total} tokens${ratio}`,
    element("span", { class: "kinds" }, kinds || "nothing yet"),
  );
}

function drawFacts(list, forward, drafting) {
  const facts = forward ? factsOf(forward, drafting) : [];
  list.replaceChildren(...facts.map(([name, value]) =>
    element("div", {}, element("dt", {}, name), element("dd", {}, String(value)))));
}

function factsOf(forward, drafting) {
  const total = (counts) => counts.reduce((sum, count) => sum + count, 0);
  const facts = ["kind", "block", "step", "nodes", "rows", "stored"].map((name) => [name, forward[name]]);
  if (forward.drafted.length) facts.push(["drafted", total(forward.drafted)]);
  if (drafting) return facts;
  if (forward.drafted.length) facts.push(["accepted", total(forward.accepted)]);
  facts.push(["committed", forward.picks.length]);
  if (forward.revoked.length) facts.push(["taken back", forward.revoked.length]);
  if (forward.verifiers.length) facts.push(["verifier rows", total(forward.verifiers.map((event) => event.rows))]);
  return facts;
}

function treeNote(timeline, moment) {
  if (!moment.forward) return "Nothing has been evaluated yet.";
  const forward = timeline.forwards[moment.forward - 1];
  if (!forward) return "The decoder has finished.";
  const [name, drafted] = [`Forward ${moment.forward}`, forward.draft.length];
  if (!drafted) return `${name} (${forward.kind}) evaluated the state in hand, and no drafts.`;
  const states = drafted === 1 ? "drafted state" : "drafted states";
  const nodes = "A node names the pick it adds, and its position.";
  if (moment.drafting) return `${name} is to check ${drafted} ${states}. ${nodes}`;
  const accepted = forward.draft.filter((node) => node.accepted).length;
  const tokens = forward.picks.length === 1 ? "token" : "tokens";
  return `${name} accepted ${accepted} of ${drafted} ${states}, and committed ${forward.picks.length} ${tokens}.`;
}

function drawTexts(group, { prompt, target, sides }) {
  const verdict = (side) => (side.correct === null ? "" : side.correct ? " (correct)" : " (wrong)");
  const parts = [
    ["prompt", prompt],
    ...Object.entries(sides).map(([name, side]) => [name + verdict(side), side.text]),
    ...(target === null ? [] : [["target", target]]),
  ];
  group.replaceChildren(...parts.map(([name, text]) =>
    element("div", {}, element("h3", {}, name), element("pre", {}, text))));
}

"use strict";
/* What a stored trace says, made ready to be shown at any forward. Nothing here touches the page. */

const keyOf = (position, token) => position + ":" + token;

/** The forwards of one side in order; a verifier's forward belongs to the one before it. */
function forwardsOf(events) {
  const forwards = [];
  events.forEach((event, at) => {
    if (event.kind === "verifier" && forwards.length) forwards.at(-1).verifiers.push(event);
    else forwards.push({ ...event, at, verifiers: [], drafts: draftsOf(event) });
  });
  return forwards;
}

/** What an event drafted: position → [{token, confidence, depth}], each token once, as the shallowest node has it. */
function draftsOf(event) {
  const drafts = new Map();
  for (const node of [...event.draft].sort((one, other) => one.depth - other.depth)) {
    for (const [position, token] of node.picks) {
      const known = drafts.get(position) ?? [];
      if (known.some((draft) => draft.token === token)) continue;
      drafts.set(position, [...known, { token, confidence: node.confidence, depth: node.depth }]);
    }
  }
  return drafts;
}

/** Was a pick drafted and accepted, a bonus beside accepted drafts, or made without any draft? */
function statusOf(event) {
  const accepted = new Set();
  for (const node of event.draft) if (node.accepted) node.picks.forEach((pick) => accepted.add(keyOf(...pick)));
  return (position, token) => {
    if (!event.draft.length) return "picked";
    return accepted.has(keyOf(position, token)) ? "accepted" : "bonus";
  };
}

/** One side's timeline: `states[f][position]` is the committed cell after f forwards, or null; so is `committed[f]`. */
function timelineOf(side) {
  const forwards = forwardsOf(side.events);
  const states = [new Array(side.ids.length).fill(null)];
  const history = side.ids.map(() => []);
  forwards.forEach((forward, before) => {
    const state = states[before].slice();
    const status = statusOf(forward);
    for (const position of forward.revoked) {
      history[position].push({ ...state[position], until: before + 1 });
      state[position] = null;
    }
    for (const [position, token, confidence] of forward.picks) {
      state[position] = { token, confidence, forward: before + 1, status: status(position, token) };
    }
    states.push(state);
  });
  const committed = states.map((state) => state.filter(Boolean).length);
  const last = states.at(-1);
  side.ids.forEach((token, position) => {
    last[position] ??= { token, confidence: null, forward: forwards.length, status: "filled" };
  });
  return { ids: side.ids, forwards, states, committed, history };
}

/** The moments that the slider runs over: after each forward, and before it where it checks drafts. */
function momentsOf(decoder, forwards) {
  const moments = [{ forward: 0, drafting: false }];
  for (let forward = 1; forward <= forwards; forward += 1) {
    if (decoder.forwards[forward - 1]?.draft.length) moments.push({ forward, drafting: true });
    moments.push({ forward, drafting: false });
  }
  return moments;
}

/** How many forwards a side has behind it at a moment, at most as many as it made. */
const behind = (timeline, moment) => Math.min(moment.forward - Number(moment.drafting), timeline.forwards.length);

/** The furthest forward after which a side holds no more tokens than `tokens`. */
function alignedByTokens(timeline, tokens) {
  let forward = 0;
  while (forward < timeline.forwards.length && timeline.committed[forward + 1] <= tokens) forward += 1;
  return forward;
}

/** Forwards so far by kind, a verifier's last. */
function kindsOf(timeline, forward) {
  const kinds = new Map();
  const made = timeline.forwards.slice(0, forward);
  for (const { kind } of [...made, ...made.flatMap(({ verifiers }) => verifiers)]) {
    kinds.set(kind, (kinds.get(kind) ?? 0) + 1);
  }
  return kinds;
}

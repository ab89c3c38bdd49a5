/* What is shown: which sample, at which moment, in which alignment. */

const find = (id) => document.getElementById(id);
const data = JSON.parse(find("data").textContent);
/** What is shown; `at` is a place in `moments`, `room` what the largest draft takes. */
const view = {
  sample: null, sides: {}, cells: {}, moments: [], at: 0, align: "tokens", timer: null, map: null, room: [0, 0],
};

/** How many forwards each side has behind it at a moment, if not the one that is shown. */
function forwardsNow(moment = view.moments[view.at]) {
  const decoder = behind(view.sides.decoder, moment);
  const reference = view.align === "forwards"
    ? behind(view.sides.reference, moment)
    : alignedByTokens(view.sides.reference, view.sides.decoder.committed[decoder]);
  return { reference, decoder };
}

function showSample(index) {
  pause();
  view.sample = data.samples[index];
  for (const name of ["reference", "decoder"]) {
    view.sides[name] = timelineOf(view.sample.sides[name] ?? view.sample.sides.decoder);
  }
  const widths = widthsOf(Object.values(view.sides));
  for (const [name, timeline] of Object.entries(view.sides)) {
    const describe = (position) => describeCell(timeline, position, forwardsNow()[name], draftingOn(name));
    view.cells[name] = buildResponse(find(name).querySelector(".response"), widths, blocksNow(), describe);
  }
  view.room = roomOf(view.sides.decoder);
  find("draft").hidden = !view.room[0];
  drawLegend(find("legend"), Object.values(view.sides), view.sample.divergence);
  drawTexts(find("texts"), view.sample);
  view.at = 0;
  align(view.align);
}

/** The blocks of the sample: their length, and how many tokens of the prompt the first one begins with. */
const blocksNow = () => ({ length: data.run.block_length, prompt: view.sample.prompt_in_first_block });

const draftingOn = (name) => name === "decoder" && view.moments[view.at].drafting;

/** The map depends on the width of the page; its colours on the alignment: by tokens, each side has all of them. */
function layOut() {
  const timelines = [view.sides.reference, view.sides.decoder];
  const counts = timelines.map((timeline) => timeline.forwards.length);
  const lasts = view.align === "tokens" ? counts : counts.map(() => Math.max(...counts));
  view.map = buildOrder(find("order"), timelines, lasts, blocksNow());
  drawScale(find("scale"), lasts);
}

/** Let the slider run over the decoder's forwards, or over those of the side that needs more. */
function align(by) {
  const moment = view.moments[view.at] ?? { forward: 0, drafting: false };
  const { reference, decoder } = view.sides;
  const most = Math.max(reference.forwards.length, decoder.forwards.length);
  const last = by === "forwards" ? most : decoder.forwards.length;
  view.align = by;
  view.moments = momentsOf(decoder, last);
  find("slider").max = view.moments.length - 1;
  drawDivergence();
  layOut();
  const same = placeOf(moment);
  goTo(same < 0 ? placeOf({ forward: last, drafting: false }) : same);
}

/** The place of a moment on the slider. */
const placeOf = ({ forward, drafting }) =>
  view.moments.findIndex((moment) => moment.forward === forward && moment.drafting === drafting);

function goTo(at) {
  view.at = Math.max(0, Math.min(at, view.moments.length - 1));
  draw();
}

function draw() {
  const moment = view.moments[view.at];
  const forwards = forwardsNow();
  const isStill = moment.drafting || !moment.forward;
  const before = isStill ? forwards : forwardsNow({ forward: moment.forward - 1, drafting: false });
  for (const name of ["reference", "decoder"]) {
    const [timeline, section, drafting] = [view.sides[name], find(name), draftingOn(name)];
    const diverging = view.sample.divergence?.positions[name] ?? null;
    drawResponse(view.cells[name], timeline, forwards[name], drafting, diverging, before[name]);
    drawCounts(section.querySelector(".counts"), timeline, forwards[name]);
    const isOver = view.align === "forwards" && moment.forward > timeline.forwards.length;
    const forward = isOver ? null : timeline.forwards[forwards[name] - (drafting ? 0 : 1)];
    drawFacts(section.querySelector(".facts"), forward, drafting);
  }
  drawTree(find("tree"), view.sides.decoder.forwards[moment.forward - 1], moment.drafting, view.room);
  find("tree-note").textContent = treeNote(view.sides.decoder, moment);
  drawOrder(view.map, ...[view.sides, forwards, before].map(({ reference, decoder }) => [reference, decoder]));
  const said = `after ${forwards.reference} forwards of the reference and ${forwards.decoder} of the decoder`;
  find("order").setAttribute("aria-label", said);
  const slider = find("slider");
  slider.value = view.at;
  const told = `forward ${moment.forward} of ${view.moments.at(-1).forward}${moment.drafting ? ", draft" : ""}`;
  slider.setAttribute("aria-valuetext", told);
  find("moment").textContent = told;
  refreshHint();
}

function drawDivergence() {
  const [button, tick, found] = [find("to-divergence"), find("tick"), view.sample.divergence];
  const forward = found && found.forward !== null ? eventForward(found.forward) : null;
  button.hidden = tick.hidden = forward === null;
  if (forward === null) return;
  const what = found.differs === "order" ? "order differs" : "response differs";
  button.textContent = `◆ ${what} from forward ${forward} (${found.class})`;
  const place = placeOf({ forward, drafting: false });
  button.onclick = () => { pause(); goTo(place); };
  tick.style.setProperty("--place", place / Math.max(1, view.moments.length - 1));
}

/** The number of the decoder's forward, from 1, that an event belongs to. */
const eventForward = (event) => view.sides.decoder.forwards.filter((forward) => forward.at <= event).length;

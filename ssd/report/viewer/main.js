/* The controls: playing, keys, buttons; and the start of it all. */

const EVERY_MS = 500;

function pause() {
  clearInterval(view.timer);
  view.timer = null;
  find("play").textContent = "play";
}

function play() {
  if (view.timer !== null) { pause(); return; }
  if (view.at === view.moments.length - 1) goTo(0);
  find("play").textContent = "pause";
  view.timer = setInterval(() => {
    goTo(view.at + 1);
    if (view.at === view.moments.length - 1) pause();
  }, EVERY_MS);
}

/** Keys act anywhere but where the thing in focus has its own use for them. */
function onKey(event) {
  if (event.ctrlKey || event.metaKey || event.altKey) return;
  const target = event.target;
  const own = target.matches("select, input[type=radio]") || (target.id === "slider" && event.key !== " ");
  if (own || (event.key === " " && target.matches("button"))) return;
  const roving = target.matches("[data-roves] [data-tells]");
  const acts = {
    ArrowLeft: () => goTo(view.at - 1), ArrowRight: () => goTo(view.at + 1),
    Home: () => goTo(0), End: () => goTo(view.moments.length - 1), " ": play,
    ...(roving && { ArrowUp: () => moveFocus(target, -1), ArrowDown: () => moveFocus(target, 1) }),
  };
  if (!acts[event.key]) return;
  event.preventDefault();
  if (event.key !== " " && !event.key.match(/Up|Down/)) pause();
  acts[event.key]();
}

function start() {
  const { run, samples } = data;
  ({ texts } = data);
  ends = new Set(Object.keys(texts).length ? data.ends : []);
  find("title").textContent = run.id;
  const samplesShown = ` · ${run.task} · ${samples.length} of ${run.samples} samples`;
  find("subtitle").textContent = run.model + (run.task ? samplesShown : "");
  document.body.classList.toggle("alone", !run.reference); // there is no other side to show
  find("reference-name").textContent = `reference: ${run.reference}`;
  find("decoder-name").textContent = `decoder: ${run.decoder}`;
  find("sample").append(...samples.map((sample, at) => {
    const name = sample.repeat ? `${sample.index}, repeat ${sample.repeat}` : String(sample.index);
    return element("option", { value: at }, `${name}${sample.identical ? "" : " (differs)"}`);
  }));
  for (const group of document.querySelectorAll(".response")) group.setAttribute("data-roves", "");
  listen();
  watchHints();
  showSample(0);
}

function listen() {
  find("sample").addEventListener("change", (event) => showSample(Number(event.target.value)));
  find("slider").addEventListener("input", (event) => { pause(); goTo(Number(event.target.value)); });
  for (const radio of document.getElementsByName("align")) radio.addEventListener("change", () => align(radio.value));
  const [back, forth, end] = [() => view.at - 1, () => view.at + 1, () => view.moments.length - 1];
  const moves = { start: () => 0, back, forth, end };
  for (const [id, place] of Object.entries(moves)) {
    find(id).addEventListener("click", () => { pause(); goTo(place()); });
  }
  find("play").addEventListener("click", play);
  document.addEventListener("keydown", onKey);
  addEventListener("resize", () => { layOut(); draw(); });
}

start();

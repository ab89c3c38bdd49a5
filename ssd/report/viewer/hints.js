/* The one tooltip of the page, and how the focus moves among the things that have one. */

const element = (name, attributes = {}, ...children) => {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) {
    if (value !== null) made.setAttribute(key, value);
  }
  made.append(...children);
  return made;
};

const hints = new WeakMap();
const hint = () => document.getElementById("hint");
let hinted = null;

/** Let a thing tell more on hover and on focus: lines() gives what it says at that moment. */
function tell(thing, lines) {
  hints.set(thing, lines);
  thing.setAttribute("data-tells", "");
}

function showHint(thing) {
  const lines = hints.get(thing)?.() ?? [];
  if (!lines.length) return hideHint();
  hinted = thing;
  const box = hint();
  box.replaceChildren(...lines.map((line) => element("div", {}, line)));
  box.hidden = false;
  box.style.left = "0"; // so that it is measured with all the room there is
  const place = thing.getBoundingClientRect();
  const room = document.documentElement.clientWidth - box.offsetWidth - 8;
  box.style.left = Math.max(8, Math.min(place.left, room)) + "px";
  const above = place.top - box.offsetHeight - 6;
  box.style.top = (above > 8 ? above : place.bottom + 6) + "px";
  return undefined;
}

function hideHint() {
  hinted = null;
  hint().hidden = true;
}

/** After the page has moved on: what the thing under the pointer says now. */
function refreshHint() {
  if (hinted?.isConnected) showHint(hinted);
  else hideHint();
}

/** One stop for the Tab key per group; up and down arrows go on from there. */
function rove(group) {
  const things = [...group.querySelectorAll("[data-tells]")];
  if (things.some((thing) => thing.tabIndex === 0)) return;
  things.forEach((thing, at) => { thing.tabIndex = at ? -1 : 0; });
}

function moveFocus(thing, by) {
  const group = thing.closest("[data-roves]");
  const things = [...group.querySelectorAll("[data-tells]")];
  const next = things[things.indexOf(thing) + by];
  if (!next) return;
  thing.tabIndex = -1;
  next.tabIndex = 0;
  next.focus();
}

function watchHints() {
  const told = (event) => (event.target instanceof Element ? event.target.closest("[data-tells]") : null);
  document.addEventListener("pointerover", (event) => (told(event) ? showHint(told(event)) : hideHint()));
  document.addEventListener("focusin", (event) => told(event) && showHint(told(event)));
  document.addEventListener("focusout", hideHint);
  document.addEventListener("scroll", refreshHint, { passive: true, capture: true });
}

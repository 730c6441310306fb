// The open sessions of a tenant, each with what ending it gives back; ending asks once more, inside the page.

import { card, el, put, table, whenChanged } from "./elements.js";
import { exactTimeOf, left, minutes, number, timeOf } from "./words.js";

const COLUMNS = [
  { title: "Session", wide: true },
  { title: "Opened", number: true, broad: true },
  { title: "Paid", number: true, broad: true },
  { title: "Paid until", number: true },
  { title: "Ending returns", number: true, broad: true },
  { title: "End it" },
];

// The same name means another session in each pool.
const called = (session) => `${session.session}, pool ${session.pool}`;
const keyOf = (session) => JSON.stringify([session.pool, session.session]);

// `end(session)` ends one and resolves to the minutes that came back; `changed()` is called after it.
export function sessionsCard({ end, changed }) {
  const told = el("p", { class: "told", role: "status" });
  const failed = el("p", { class: "problem small", role: "alert", hidden: true });
  const body = el("div");
  const { node, heading } = card("Open sessions", { className: "wide" }, told, failed, body);
  let shown = { at: null, sessions: [] };
  let asking = null; // the key of the session whose end is to be confirmed
  let ending = false;

  const draw = () => put(body, shown.sessions.length ? list() : el("p", { class: "empty" }, "No session is open now."));
  const list = () => table("Open sessions", COLUMNS, shown.sessions.map(cells));

  const focus = (name) => body.querySelector(`[data-focus="${CSS.escape(name)}"]`)?.focus();
  const ask = (session) => {
    asking = keyOf(session);
    failed.hidden = true;
    draw();
    focus(`yes ${asking}`);
  };
  const keep = (session) => {
    asking = null;
    draw();
    focus(`end ${keyOf(session)}`);
  };
  const confirm = async (session) => {
    if (ending) return;
    ending = true;
    told.textContent = `Ending “${session.session}” …`;
    try {
      const back = await end(session);
      told.textContent = `Session “${session.session}” ended. ${cameBack(back)}`;
      asking = null;
      shown = { ...shown, sessions: shown.sessions.filter((other) => keyOf(other) !== keyOf(session)) };
      draw();
      heading.focus();
      changed();
    } catch (error) {
      told.textContent = "";
      failed.textContent = `“${session.session}” was not ended: ${error.message}`;
      failed.hidden = false;
      keep(session);
    } finally {
      ending = false;
    }
  };

  function cells(session) {
    return [
      el(
        "span",
        { class: "name" },
        session.session,
        el("span", { class: "note" }, `pool ${session.pool}`),
        el("span", { class: "note narrow" }, `${number(session.minutes)} min since ${timeOf(session.opened_at)}`),
        el("span", { class: "note narrow" }, `ending returns ${number(session.would_return_minutes)} min`),
      ),
      timeOf(session.opened_at),
      `${number(session.minutes)} min`,
      el("span", {}, exactTimeOf(session.paid_until), el("span", { class: "note" }, left(session.paid_until, shown.at))),
      `${number(session.would_return_minutes)} min`,
      asking === keyOf(session) ? question(session) : button(session),
    ];
  }

  function button(session) {
    const attributes = { type: "button", class: "small", "data-focus": `end ${keyOf(session)}`, onclick: () => ask(session) };
    return el("button", { ...attributes, "aria-label": `End ${called(session)}` }, "End …");
  }

  function question(session) {
    const escape = (event) => event.key === "Escape" && keep(session);
    const yes = { "data-focus": `yes ${keyOf(session)}`, onclick: () => confirm(session) };
    const no = { "data-focus": `no ${keyOf(session)}`, onclick: () => keep(session) };
    return el(
      "div",
      { class: "question", role: "group", "aria-label": `End ${called(session)}?`, onkeydown: escape },
      el("span", {}, expectation(session)),
      el("button", { type: "button", class: "small danger", ...yes }, "End it now"),
      el("button", { type: "button", class: "small", ...no }, "Keep it"),
    );
  }

  const show = whenChanged((value) => {
    shown = value;
    if (!shown.sessions.some((session) => keyOf(session) === asking)) asking = null;
    draw();
  });
  return { node, show };
}

function expectation(session) {
  const back = session.would_return_minutes;
  return `Its state and files are lost. ${back > 0 ? `About ${minutes(back)} come back.` : "Nothing comes back."}`;
}

function cameBack(back) {
  if (back === null) return "What came back is in the entries.";
  return back === 0 ? "Nothing came back." : `${minutes(back)} came back.`;
}

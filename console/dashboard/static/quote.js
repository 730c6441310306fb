// What will it cost: asks what a call on a session would be charged now, without making one.

import { call } from "./api.js";
import { card, el, uniqueId } from "./elements.js";
import { quoteWords } from "./words.js";

export function quoteCard() {
  const [session, pool] = [uniqueId("session"), uniqueId("pool")];
  const name = el("input", { id: session, type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "off" });
  const poolName = el("input", { id: pool, type: "text", autocomplete: "off", spellcheck: "false", autocapitalize: "off" });
  const answer = el("p", { class: "answer", role: "status" });
  const failed = el("p", { class: "field-problem", role: "alert" });

  const ask = async (event) => {
    event.preventDefault();
    answer.textContent = "";
    failed.textContent = "";
    if (name.value === "") {
      failed.textContent = "Enter the name of a session.";
      name.focus();
      return;
    }
    const query = new URLSearchParams({ identifier: name.value });
    if (poolName.value !== "") query.set("pool", poolName.value);
    try {
      answer.textContent = quoteWords((await call("GET", `/usage/quote?${query}`)).body);
    } catch (error) {
      failed.textContent = error.message;
      name.focus();
    }
  };

  return card(
    "What will it cost?",
    {},
    el("p", { class: "hint" }, "Says what a call on a session would be charged now. Nothing is run, nothing is charged."),
    el(
      "form",
      { class: "fields", novalidate: true, onsubmit: ask },
      el("div", { class: "field" }, el("label", { for: session }, "Session name"), name),
      el("div", { class: "field" }, el("label", { for: pool }, "Pool (empty: your first one)"), poolName),
      el("button", { type: "submit" }, "Ask"),
    ),
    answer,
    failed,
  );
}

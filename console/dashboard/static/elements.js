// Builds HTML without parsing any: whatever a name holds, it stays text.

let ids = 0;

// An element; attributes that are null or false are left out, those that begin with `on` listen.
export function el(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : String(value));
  }
  node.append(...children.flat(2).filter((child) => child !== null && child !== undefined && child !== false));
  return node;
}

export function uniqueId(word) {
  ids += 1;
  return `${word}-${ids}`;
}

// A section under a heading, which can take the focus; `extra` stands beside the heading.
export function card(title, { level = 2, className = "", extra = null } = {}, ...children) {
  const id = uniqueId("title");
  const heading = el(`h${level}`, { id, tabindex: "-1" }, title);
  const head = el("div", { class: "card-head" }, heading, extra);
  const node = el("section", { class: `card ${className}`, "aria-labelledby": id }, head, ...children);
  return { node, heading };
}

// A table that scrolls by itself, so that the page never has to. Columns are `{title, number, wide, broad}`, of which
// broad ones are left out on a phone; rows are arrays of cells, of which the first is the row's header.
export function table(caption, columns, rows) {
  const head = columns.map((column) => el("th", { scope: "col", class: classOf(column) }, column.title));
  return scrolling(
    caption,
    el(
      "table",
      {},
      el("caption", { class: "unseen" }, caption),
      el("thead", {}, el("tr", {}, head)),
      el("tbody", {}, rows.map((cells) => row(columns, cells))),
    ),
  );
}

export function row(columns, cells) {
  return el("tr", {}, cells.map((content, index) => cell(columns[index], content, index === 0)));
}

function cell(column, content, first) {
  const attributes = { class: classOf(column) };
  return first ? el("th", { scope: "row", ...attributes }, content) : el("td", attributes, content);
}

function classOf(column) {
  return ["number", "wide", "broad"].filter((name) => column[name]).join(" ") || null;
}

export function scrolling(label, content) {
  return el("div", { class: "scroll", role: "region", "aria-label": `${label}, table`, tabindex: "0" }, content);
}

// Puts new content in place; what had the focus keeps it if the new content has it too (by `data-focus`).
export function put(container, ...children) {
  const active = document.activeElement;
  const focused = container.contains(active) ? active.dataset.focus : undefined;
  container.replaceChildren(...children.flat().filter((child) => child !== null));
  if (focused === undefined) return;
  const again = [...container.querySelectorAll("[data-focus]")].find((node) => node.dataset.focus === focused);
  (again ?? container.closest("section")?.querySelector("h2"))?.focus({ preventScroll: true });
}

// Calls `draw` only when the value differs from the last one: a refresh that brings nothing new disturbs nobody.
export function whenChanged(draw) {
  let last;
  return (value) => {
    const text = JSON.stringify(value);
    if (text === last) return;
    last = text;
    draw(value);
  };
}

// A figure with its name, and what explains it.
export function tile(title, figure, note = null, className = "") {
  return el(
    "div",
    { class: `tile ${className}` },
    el("dt", {}, title),
    el("dd", {}, el("span", { class: "figure" }, figure), note && el("span", { class: "note" }, note)),
  );
}

// Adds to tables that can be read without it: sorting by a column, columns that open, searching.
"use strict";

const element = (name, properties) => Object.assign(document.createElement(name), properties);

// Sorting. Empty cells stay last; numbers start from the highest, ranks and names from the first.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const kind = heading.dataset.kind;
    const button = element("button", { type: "button", className: "sort" });
    const name = heading.querySelector(".name");
    name.replaceWith(button);
    button.append(name);
    button.addEventListener("click", () => {
      const before = heading.getAttribute("aria-sort");
      const up = before ? before === "descending" : kind !== "number";
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => row.cells[column].dataset.v;
      const compare = (a, b) => kind === "text" ? a.localeCompare(b) : a - b;
      const rows = [...body.rows].sort((a, b) => {
        const [x, y] = [key(a), key(b)];
        if (x === "" || y === "") return (x === "") - (y === "");
        return up ? compare(x, y) : compare(y, x);
      });
      body.append(...rows);
    });
  });
  if (table.id === "board") headings[0].setAttribute("aria-sort", "ascending");
}

// Columns of benchmarks that open below the heading of their region. Positions count from the brain score.
const board = document.getElementById("board");
const openers = [];
if (board) {
  const first = 2;
  const headings = [...board.tHead.rows[0].cells].slice(first);
  const isOpen = headings.map(() => false);
  const shown = (index) => {
    const parent = headings[index].dataset.parent;
    return parent === undefined || (isOpen[parent] && shown(Number(parent)));
  };
  const show = () => headings.forEach((heading, index) => {
    if (heading.dataset.parent === undefined) return;
    const hidden = !shown(index);
    for (const row of board.rows) {
      row.cells[first + index].hidden = hidden;
      row.cells[first + index].classList.add("leaf");
    }
  });
  headings.forEach((heading, index) => {
    if (heading.dataset.opens === undefined) return;
    const name = heading.querySelector(".name").textContent;
    const button = element("button", { type: "button", className: "open" });
    const set = (open) => {
      isOpen[index] = open;
      button.textContent = open ? "−" : "+";
      button.setAttribute("aria-expanded", open);
      button.setAttribute("aria-label", `Benchmarks of ${name}`);
      show();
    };
    button.addEventListener("click", () => set(!isOpen[index]));
    heading.querySelector(".sort").after(button);
    openers.push(set);
    set(false);
  });
}

// Searching: every word must be in the row's name.
for (const tools of document.querySelectorAll(".tools[data-search]")) {
  const rows = [...document.getElementById(tools.dataset.search).tBodies[0].rows];
  const label = tools.dataset.label;
  const input = element("input", { type: "search", placeholder: label, autocomplete: "off" });
  input.setAttribute("aria-label", label);
  const count = element("output", {});
  const search = () => {
    const words = input.value.toLowerCase().split(/\s+/).filter(Boolean);
    let found = 0;
    for (const row of rows) {
      const name = row.dataset.s.toLowerCase();
      row.hidden = !words.every((word) => name.includes(word));
      if (!row.hidden) found += 1;
    }
    count.textContent = words.length ? `${found} of ${rows.length}` : "";
  };
  input.addEventListener("input", search);
  tools.append(input, count);
  search();
  if (tools.dataset.opens !== undefined && openers.length) {
    const button = element("button", { type: "button" });
    const set = (open) => {
      button.textContent = open ? "Hide benchmarks" : "Show all benchmarks";
      button.setAttribute("aria-expanded", open);
      button.onclick = () => {
        openers.forEach((opener) => opener(!open));
        set(!open);
      };
    };
    set(false);
    tools.append(button);
  }
}

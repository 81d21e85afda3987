// Sorts a table by the column whose heading is clicked; empty cells stay last.
for (const table of document.querySelectorAll("table[data-sortable]")) {
  const body = table.tBodies[0];
  const headings = [...table.tHead.rows[0].cells];
  headings.forEach((heading, column) => {
    const numeric = column !== 1;
    const sort = () => {
      const before = heading.getAttribute("aria-sort");
      // Ranks and names start from the top of the list, scores from the highest.
      const up = before ? before === "descending" : column < 2;
      headings.forEach((other) => other.removeAttribute("aria-sort"));
      heading.setAttribute("aria-sort", up ? "ascending" : "descending");
      const key = (row) => row.cells[column].dataset.v;
      const compare = (a, b) => numeric ? a - b : a.localeCompare(b);
      [...body.rows]
        .sort((a, b) => {
          const [x, y] = [key(a), key(b)];
          if (x === "" || y === "") return (x === "") - (y === "");
          return up ? compare(x, y) : compare(y, x);
        })
        .forEach((row) => body.append(row));
    };
    heading.tabIndex = 0;
    heading.classList.add("sortable");
    heading.addEventListener("click", sort);
    heading.addEventListener("keydown", (event) => {
      if (event.key === "Enter" || event.key === " ") {
        event.preventDefault();
        sort();
      }
    });
  });
}

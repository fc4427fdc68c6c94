/* The table of published and reproduced numbers: those that differ first, and a field that filters the rows. */
"use strict";

document.addEventListener("DOMContentLoaded", () => {
  const table = [...document.querySelectorAll(".output_html table, table")].find((each) =>
    [...each.querySelectorAll("th")].some((head) => head.textContent.trim() === "verdict"));
  if (!table) return;
  const heads = [...table.querySelectorAll("tr:first-child th")].map((head) => head.textContent.trim());
  const column = heads.indexOf("verdict");
  const rows = [...table.querySelectorAll("tr")].filter((row) => row.querySelector("td"));
  const order = ["differs", "cannot be reproduced", "agrees"];
  const verdict = (row) => row.cells[column].textContent.trim();
  rows.sort((a, b) => order.indexOf(verdict(a)) - order.indexOf(verdict(b)));
  rows[0].parentNode.append(...rows);

  const field = document.createElement("input");
  field.type = "search";
  field.id = "table-filter";
  const label = document.createElement("label");
  label.htmlFor = field.id;
  label.textContent = "Filter, for example “differs” or “accuracy”: ";
  const count = document.createElement("output");
  count.htmlFor = field.id;
  const show = () => {
    const wanted = field.value.trim().toLowerCase();
    for (const row of rows) row.hidden = !row.textContent.toLowerCase().includes(wanted);
    count.textContent = ` ${rows.filter((row) => !row.hidden).length} of ${rows.length} rows`;
  };
  field.addEventListener("input", show);
  const place = document.createElement("p");
  place.className = "table-filter";
  place.append(label, field, count);
  (table.closest(".output_html") || table).before(place);
  show();
});

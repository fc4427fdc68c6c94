/* What keeps keyboards and screen readers out of pages otherwise. */
"use strict";

(() => {
  /* What scrolls by itself can be reached by keyboard, as long as it scrolls. */
  const SCROLLING = "div.equation > div, .bd-article :is(table, figure, .output_html)";

  function reach() {
    for (const part of document.querySelectorAll(SCROLLING)) {
      if (part.scrollWidth > part.clientWidth) part.tabIndex = 0;
      else part.removeAttribute("tabindex");
    }
  }

  // Names: of the search its text and keys, of what unfolds a part of the menu that part.
  const text = (element) => element.textContent.replace(/\s+/g, " ").trim();
  for (const button of document.querySelectorAll(".search-button-field")) {
    button.setAttribute("aria-label", text(button));
  }
  for (const summary of document.querySelectorAll(".bd-links summary, .bd-sidebar summary")) {
    const part = summary.closest("li")?.querySelector("a");
    if (part) summary.setAttribute("aria-label", `Pages of ${text(part)}`);
  }
  addEventListener("load", reach);
  addEventListener("resize", reach);
})();

// Runs before the page is painted, so that a chosen theme shows no flash of the other one.
"use strict";
try {
  const chosen = localStorage.getItem("tidemill-theme");
  if (chosen === "light" || chosen === "dark") document.documentElement.dataset.theme = chosen;
} catch { /* storage is refused: the system's colours stay */ }

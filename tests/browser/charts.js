() => {
  const faults = [];
  const shown = (text) => text.textContent.trim() && Number(text.getAttribute("opacity") ?? 1) > 0;
  for (const svg of document.querySelectorAll(".stVegaLiteChart svg.marks")) {
    const whole = svg.getBoundingClientRect();
    const ground = svg.querySelector(".role-frame path.background");
    if (!whole.width || !ground) continue;
    const plot = ground.getBoundingClientRect();
    for (const text of [...svg.querySelectorAll("text")].filter(shown)) {
      const box = text.getBoundingClientRect();
      const out = [whole.left - box.left, box.right - whole.right, whole.top - box.top, box.bottom - whole.bottom];
      if (Math.max(...out) > 3) faults.push(`cut off: ${text.textContent}`);
      if (text.textContent.endsWith("…") && text.closest(".role-axis-title")) faults.push(`cut: ${text.textContent}`);
    }
    for (const text of svg.querySelectorAll(".role-axis-title text")) {
      const box = text.getBoundingClientRect();
      if (box.height > box.width && box.height > plot.height + 4) faults.push(`longer than its plot: ${text.textContent}`);
    }
    for (const labels of svg.querySelectorAll(".role-axis-label, .role-legend-entry, .role-mark.mark-text")) {
      const texts = [...labels.querySelectorAll("text")].filter(shown);
      const boxes = texts.map((text) => text.getBoundingClientRect());
      const turned = texts.some((text) => /rotate\((?!0\))/.test(text.getAttribute("transform") || ""));
      if (turned) continue; // their boxes overlap where they do not
      const spare = labels.classList.contains("mark-text") ? 6 : 4; // of a line's height, what letters leave empty
      boxes.forEach((a, i) => boxes.slice(i + 1).forEach((b, j) => {
        const wide = Math.min(a.right, b.right) - Math.max(a.left, b.left);
        const high = Math.min(a.bottom, b.bottom) - Math.max(a.top, b.top);
        if (wide > 2 && high > spare) faults.push(`overprinted: ${texts[i].textContent} ${texts[i + 1 + j].textContent}`);
      }));
    }
  }
  return [...new Set(faults)];
}

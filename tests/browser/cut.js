() => {
  const main = document.querySelector("[data-testid=stMain]");
  // Texts of the page that end at an edge before they are finished. Tables, charts and fields of a fixed size scroll.
  const cut = (part) => {
    const style = getComputedStyle(part);
    return (
      ["hidden", "clip"].includes(style.overflowX) &&
      part.scrollWidth > part.clientWidth + 1 &&
      part.clientWidth > 1 &&
      part.innerText?.trim() &&
      !part.closest(
        "[data-testid=stDataFrame], .stVegaLiteChart, [data-baseweb=select], [data-testid=stCode], input, textarea",
      )
    );
  };
  // What one can click that lies beside the page.
  const beside = (part) =>
    part.matches("button, a") &&
    part.getBoundingClientRect().right > main.getBoundingClientRect().right + 1 &&
    !part.closest("[data-testid=stDataFrame], .stVegaLiteChart, [data-testid=stCode]");
  return [...main.querySelectorAll("*")]
    .filter((part) => cut(part) || beside(part))
    .map((part) => `${part.tagName} ${part.dataset.testid ?? ""}: ${part.innerText.slice(0, 80)}`);
}

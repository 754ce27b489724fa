() =>
  // Texts of the page that end at an edge before they are finished. Tables, charts and fields of a fixed size scroll.
  [...document.querySelectorAll("[data-testid=stMain] *")]
    .filter((part) => {
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
    })
    .map((part) => `${part.tagName} ${part.dataset.testid ?? ""}: ${part.innerText.slice(0, 80)}`)

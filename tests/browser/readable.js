() => {
  const parse = (text) => {
    const numbers = (text.match(/[\d.]+/g) || []).map(Number);
    return numbers.length < 3 ? null : [...numbers.slice(0, 3), numbers.length > 3 ? numbers[3] : 1];
  };
  const over = (top, ground) => [0, 1, 2].map((i) => top[i] * top[3] + ground[i] * (1 - top[3])).concat([1]);
  const luminance = (colour) => {
    const [r, g, b] = colour.slice(0, 3).map((value) => {
      const share = value / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const groundOf = (element) => {
    const layers = [];
    for (let at = element; at; at = at.parentElement) {
      const colour = parse(getComputedStyle(at).backgroundColor);
      if (colour && colour[3] > 0) layers.push(colour);
    }
    return layers.reverse().reduce((ground, layer) => over(layer, ground), [255, 255, 255, 1]);
  };
  const opacityOf = (element) => {
    let opacity = 1;
    for (let at = element; at; at = at.parentElement) opacity *= Number(getComputedStyle(at).opacity);
    return opacity;
  };
  // What is disabled may be pale; the figure of a slider is in front of its thumb in the tree, but drawn above it.
  const DISABLED = ":disabled, [aria-disabled=true]";
  const UNSEEN = `${DISABLED}, [data-testid=stSliderThumbValue]`;
  const poor = [];
  for (const element of document.querySelectorAll(".stApp *")) {
    const inSvg = element.tagName === "text";
    if (element.closest("svg") && !inSvg) continue;
    const own = [...element.childNodes].filter((node) => node.nodeType === 3 && node.textContent.trim());
    const box = element.getBoundingClientRect();
    if (!own.length || !box.width || box.width < 2 || element.closest(UNSEEN)) continue;
    if (element.closest("label, [data-testid=stWidgetLabel]")?.parentElement.querySelector(DISABLED)) continue;
    const style = getComputedStyle(element);
    const opacity = opacityOf(element) * (inSvg ? Number(style.fillOpacity) : 1);
    const colour = parse(inSvg ? style.fill : style.color);
    if (!colour || opacity < 0.05 || style.visibility === "hidden" || style.fontFamily.includes("Material")) continue;
    if (inSvg && !element.closest(".role-axis, .role-legend, .role-title")) continue; // others are on marks
    const ground = groundOf(element);
    const seen = over([...colour.slice(0, 3), colour[3] * opacity], ground);
    const [dark, light] = [luminance(seen), luminance(ground)].sort((a, b) => a - b);
    const large = parseFloat(style.fontSize) >= 24 || (parseFloat(style.fontSize) >= 18.66 && style.fontWeight >= 700);
    const ratio = (light + 0.05) / (dark + 0.05);
    if (ratio < (large ? 3 : 4.5)) poor.push(`${ratio.toFixed(2)} ${own[0].textContent.trim().slice(0, 40)}`);
  }
  return [...new Set(poor)];
}

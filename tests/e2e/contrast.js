// Texts whose contrast to what lies behind them is below WCAG 2.2 AA (1.4.3): 4.5 to 1, or 3 to 1 from 24 px on.
// Evaluated in a page; gives one line for each.
() => {
  const canvas = document.createElement("canvas").getContext("2d", { willReadFrequently: true });

  function colour(text) {
    canvas.clearRect(0, 0, 1, 1);
    canvas.fillStyle = text;
    canvas.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = canvas.getImageData(0, 0, 1, 1).data;
    return { parts: [red, green, blue], alpha: alpha / 255 };
  }

  const over = (upper, lower) => upper.parts.map((part, at) => part * upper.alpha + lower[at] * (1 - upper.alpha));

  function behind(element) {
    const layers = [];
    for (let box = element; box; box = box.parentElement) layers.push(colour(getComputedStyle(box).backgroundColor));
    return layers.reverse().reduce((lower, upper) => over(upper, lower), [255, 255, 255]);
  }

  function luminance(parts) {
    const [red, green, blue] = parts.map((part) => {
      const share = part / 255;
      return share <= 0.04045 ? share / 12.92 : ((share + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  }

  function contrast(element) {
    const ground = behind(element);
    const lights = [luminance(over(colour(getComputedStyle(element).color), ground)), luminance(ground)];
    return (Math.max(...lights) + 0.05) / (Math.min(...lights) + 0.05);
  }

  const weak = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const words = texts.currentNode.textContent.trim();
    const element = texts.currentNode.parentElement;
    if (!words || !element.checkVisibility({ opacityProperty: true, visibilityProperty: true })) continue;
    // Disabled controls are exempt; what is old is greyed on purpose, and says its age beside it.
    if (element.closest(".visually-hidden, script, :disabled, .is-old, progress")) continue;
    const needed = parseFloat(getComputedStyle(element).fontSize) >= 24 ? 3 : 4.5;
    const found = contrast(element);
    if (found < needed) weak.push(`${words.slice(0, 40)} (${element.className}): ${found.toFixed(2)}`);
  }
  return weak;
}

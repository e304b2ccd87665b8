// Density by step and layer, and the blocks of single heads.
"use strict";

const kHeatStops = [
  [24, 28, 84], [30, 84, 140], [33, 144, 141], [122, 198, 104], [252, 230, 92],
];

// A colour for a share of 0 to 1.
function heat(share) {
  const place = Math.max(0, Math.min(1, share)) * (kHeatStops.length - 1);
  const below = Math.min(kHeatStops.length - 2, Math.floor(place));
  const rest = place - below;
  const mixed = kHeatStops[below].map((low, i) => Math.round(low + rest * (kHeatStops[below + 1][i] - low)));
  return `rgb(${mixed.join(" ")})`;
}

class HeatMap {
  constructor(parent) {
    this.canvas = element("canvas", { tabindex: "0", role: "img" });
    this.last = element("span");
    this.yName = element("span", { class: "y", "aria-hidden": "true" });
    this.readout = element("span", { class: "readout", role: "status", "aria-live": "polite" });
    this.scale = element("canvas", { width: 120, height: 1, "aria-hidden": "true" });
    this.scaleLow = element("span");
    this.scaleHigh = element("span");
    parent.append(
      element(
        "div",
        { class: "map-frame" },
        this.yName,
        this.canvas,
        element("div", { class: "x", "aria-hidden": "true" }, element("span", {}, "step 0"), this.last),
      ),
      element(
        "div",
        { class: "map-foot" },
        element("span", { class: "scale" }, this.scaleLow, this.scale, this.scaleHigh),
        element("span", { class: "scale" }, element("span", { class: "swatch square all-blocks" }), "all blocks"),
        this.readout,
      ),
    );
    this.steps = [];
    const brush = this.scale.getContext("2d");
    for (let x = 0; x < 120; ++x) {
      brush.fillStyle = heat(x / 119);
      brush.fillRect(x, 0, 1, 1);
    }
    this.canvas.addEventListener("pointermove", (event) => this.point(event));
    this.canvas.addEventListener("pointerdown", (event) => this.point(event));
    this.canvas.addEventListener("keydown", (event) => this.move(event));
    new ResizeObserver(() => this.draw()).observe(this.canvas);
  }

  // density: [steps][layers][heads] in thousandths; head: a number, or null for the mean.
  show(density, head, name) {
    const value = (heads) => {
      if (heads === null) return null;
      const sum = heads.reduce((total, one) => total + one, 0);
      return (head === null ? sum / heads.length : heads[head]) / 1000;
    };
    this.steps = density.map((layers) => layers.map(value));
    this.layers = this.steps[0].length;
    const all = this.steps.flat().filter((one) => one !== null);
    const sparse = all.filter((one) => one < 1);
    this.low = sparse.length ? Math.floor(Math.min(...sparse) * 10 + 1e-9) / 10 : 0;
    this.high = sparse.length ? Math.ceil(Math.max(...sparse) * 10 - 1e-9) / 10 : 1;
    this.cell = null;
    this.scaleLow.textContent = this.low.toFixed(1);
    this.scaleHigh.textContent = this.high.toFixed(1);
    this.last.textContent = String(this.steps.length - 1);
    this.yName.textContent = `layer ${this.layers - 1} – 0`;
    const mean = all.reduce((total, one) => total + one, 0) / (all.length || 1);
    this.summary = `mean ${mean.toFixed(3)}, lowest ${Math.min(...all).toFixed(3)}`;
    this.readout.textContent = this.summary;
    this.canvas.setAttribute(
      "aria-label",
      `Heat map of density, ${name}: ${this.steps.length} steps by ${this.layers} layers, ${this.summary}. Arrow keys read single cells.`,
    );
    this.canvas.style.height = `${Math.max(110, Math.min(480, this.layers * 22))}px`;
    this.draw();
  }

  draw() {
    if (!this.steps.length || !this.canvas.clientWidth) return;
    const density = window.devicePixelRatio || 1;
    this.canvas.width = Math.round(this.canvas.clientWidth * density);
    this.canvas.height = Math.round(this.canvas.clientHeight * density);
    const brush = this.canvas.getContext("2d");
    const width = this.canvas.width / this.steps.length;
    const height = this.canvas.height / this.layers;
    const gap = Math.min(width, height) > 6 * density ? density : 0;
    this.steps.forEach((layers, step) => {
      layers.forEach((value, layer) => {
        if (value === null) return;
        brush.fillStyle = value >= 1 ? colourOf("--all-blocks") : heat((value - this.low) / (this.high - this.low));
        brush.fillRect(step * width, layer * height, Math.ceil(width) - gap, Math.ceil(height) - gap);
      });
    });
    if (!this.cell) return;
    brush.lineWidth = 2 * density;
    brush.strokeStyle = "#fff";
    brush.strokeRect(this.cell.step * width + density, this.cell.layer * height + density, width - 2 * density, height - 2 * density);
  }

  choose(step, layer) {
    this.cell = {
      step: Math.max(0, Math.min(this.steps.length - 1, step)),
      layer: Math.max(0, Math.min(this.layers - 1, layer)),
    };
    const value = this.steps[this.cell.step][this.cell.layer];
    this.readout.textContent = `step ${this.cell.step}, layer ${this.cell.layer}: ${value === null ? "did not run" : value.toFixed(3)}`;
    this.draw();
  }

  point(event) {
    const box = this.canvas.getBoundingClientRect();
    this.choose(
      Math.floor(((event.clientX - box.left) / box.width) * this.steps.length),
      Math.floor(((event.clientY - box.top) / box.height) * this.layers),
    );
  }

  move(event) {
    const moves = { ArrowLeft: [-1, 0], ArrowRight: [1, 0], ArrowUp: [0, -1], ArrowDown: [0, 1] };
    const by = moves[event.key];
    if (!by) return;
    event.preventDefault();
    event.stopPropagation(); // arrows step through frames elsewhere
    if (!this.cell) this.choose(0, 0);
    else this.choose(this.cell.step + by[0], this.cell.layer + by[1]);
  }
}

// One thumbnail: query blocks from top to bottom, key blocks from left to right.
function maskFigure(mask) {
  const canvas = element("canvas", {
    width: mask.side,
    height: mask.side,
    role: "img",
    "aria-label": `Blocks of layer ${mask.layer}, head ${mask.head} at step ${mask.step}: ${mask.blocks} by ${mask.blocks}, density ${mask.density.toFixed(3)}`,
  });
  const brush = canvas.getContext("2d");
  const picture = brush.createImageData(mask.side, mask.side);
  const [off, on] = [channels(colourOf("--track")), channels(colourOf("--accent"))];
  const cells = bytesOf(mask.cells);
  for (let i = 0; i < cells.length; ++i) {
    const share = cells[i] / 255;
    for (let c = 0; c < 3; ++c) picture.data[4 * i + c] = off[c] + share * (on[c] - off[c]);
    picture.data[4 * i + 3] = 255;
  }
  brush.putImageData(picture, 0, 0);
  return element(
    "figure",
    { class: "mask" },
    canvas,
    element("figcaption", {}, `step ${mask.step}`, element("br"), `density ${mask.density.toFixed(2)}`),
  );
}

function showMasks(parent, note, masks) {
  const heads = new Map();
  for (const mask of [...masks].sort((a, b) => a.layer - b.layer || a.head - b.head || a.step - b.step)) {
    const name = `Layer ${mask.layer}, head ${mask.head}`;
    heads.set(name, [...(heads.get(name) || []), mask]);
  }
  parent.replaceChildren(
    ...[...heads].map(([name, steps]) =>
      element("section", { class: "mask-group", "aria-label": name }, element("h4", {}, name), element("div", {}, ...steps.map(maskFigure))),
    ),
  );
  const shrunk = masks.some((mask) => mask.side < mask.blocks);
  note.textContent = masks.length
    ? `Coloured: blocks that were attended to. Rows are query blocks, columns key blocks, ${masks[0].blocks} of each; ` +
      `the last ones are text.${shrunk ? " A cell shows the share of its blocks." : ""}`
    : "No head was recorded for this setting.";
}

// Curves over frames or steps, in SVG.
"use strict";

const kChart = { height: 200, left: 44, right: 10, top: 14, bottom: 26 };

// Round numbers that span low to high in about `count` intervals.
function ticks(low, high, count) {
  const span = high - low || Math.abs(high) || 1;
  const power = 10 ** Math.floor(Math.log10(span / count));
  const step = [1, 2, 5, 10].map((factor) => factor * power).find((size) => span / size <= count);
  const list = [];
  for (let i = Math.floor(low / step); ; ++i) {
    list.push(i * step);
    if (i * step >= high) return list;
  }
}

// series: [{name, stroke, dash, values}], one value a place on the x axis; null stands for "no
// difference" and is drawn as a ring at the top. `node` is the chart.
class LineChart {
  constructor({ title, hint, series, unit, digits, xName, first, onChoose }) {
    this.series = series;
    this.count = Math.max(...series.map((one) => one.values.length));
    this.digits = digits;
    this.unit = unit;
    this.xName = xName;
    this.first = first; // number of the first place
    const numbers = series.flatMap((one) => one.values).filter((value) => value !== null);
    const low = numbers.length ? Math.min(...numbers) : 0;
    const high = numbers.length ? Math.max(...numbers) : 1;
    this.yTicks = ticks(low, high === low ? low + (Math.abs(low) * 0.02 || 1) : high, 4);
    this.values = element("span");
    this.svg = svgElement("svg", { role: "img", "aria-label": this.describe(title) });
    this.cursor = svgElement("line", { class: "cursor", y1: kChart.top, y2: kChart.height - kChart.bottom });
    this.place = onChoose ? 0 : null;
    this.node = element(
      "figure",
      { class: onChoose ? "chart seekable" : "chart" },
      element("figcaption", {}, element("b", {}, title), onChoose ? this.values : element("span", {}, hint || "")),
      this.svg,
    );
    if (onChoose) this.listen(onChoose);
    new ResizeObserver(() => this.draw()).observe(this.node);
  }

  // As wide as its place, so that letters and lines keep their size.
  draw() {
    this.width = this.node.clientWidth;
    if (!this.width) return;
    this.svg.setAttribute("viewBox", `0 0 ${this.width} ${kChart.height}`);
    this.svg.replaceChildren();
    this.drawAxes();
    for (const one of this.series) this.drawCurve(one);
    if (this.place === null) return;
    this.svg.append(this.cursor);
    this.show(this.place);
  }

  describe(title) {
    const parts = this.series.map(({ name, values }) => {
      const numbers = values.filter((value) => value !== null);
      if (!numbers.length) return `${name}: no difference in any ${this.xName}`;
      const text = (value) => `${value.toFixed(this.digits)}${this.unit}`;
      return `${name}: ${text(Math.min(...numbers))} to ${text(Math.max(...numbers))}`;
    });
    return `${title} by ${this.xName}. ${parts.join("; ")}.`;
  }

  x(place) {
    const width = this.width - kChart.left - kChart.right;
    return kChart.left + (this.count < 2 ? width / 2 : (place / (this.count - 1)) * width);
  }

  y(value) {
    const low = this.yTicks[0];
    const high = this.yTicks[this.yTicks.length - 1];
    const share = value === null ? 1 : (value - low) / (high - low);
    return kChart.height - kChart.bottom - share * (kChart.height - kChart.top - kChart.bottom);
  }

  drawAxes() {
    const digits = Math.max(0, Math.min(5, -Math.floor(Math.log10(this.yTicks[1] - this.yTicks[0]) + 1e-9)));
    for (const value of this.yTicks) {
      const y = this.y(value);
      this.svg.append(
        svgElement("line", { class: "grid", x1: kChart.left, x2: this.width - kChart.right, y1: y, y2: y }),
        svgElement("text", { x: kChart.left - 6, y: y + 4, "text-anchor": "end" }, value.toFixed(digits)),
      );
    }
    const y = kChart.height - 8;
    this.svg.append(
      svgElement("text", { x: this.x(0), y, "text-anchor": this.count < 2 ? "middle" : "start" }, `${this.xName} ${this.first}`),
    );
    if (this.count > 1) {
      this.svg.append(svgElement("text", { x: this.x(this.count - 1), y, "text-anchor": "end" }, `${this.count - 1 + this.first}`));
    }
  }

  drawCurve({ stroke, dash, values }) {
    let path = "";
    let pen = false;
    values.forEach((value, place) => {
      if (value === null) {
        this.svg.append(
          svgElement("circle", { cx: this.x(place), cy: this.y(null), r: 3, fill: "none", style: { stroke } }),
        );
      } else {
        path += `${pen ? "L" : "M"}${this.x(place).toFixed(1)} ${this.y(value).toFixed(1)}`;
      }
      pen = value !== null;
    });
    if (values.length === 1 && values[0] !== null) {
      this.svg.append(svgElement("circle", { cx: this.x(0), cy: this.y(values[0]), r: 3, style: { fill: stroke } }));
    }
    this.svg.append(svgElement("path", { class: "curve", d: path || "M0 0", style: { stroke, strokeDasharray: dash } }));
  }

  // Moves the cursor and tells the values there.
  show(place) {
    this.place = place;
    if (this.width) {
      this.cursor.setAttribute("x1", this.x(place));
      this.cursor.setAttribute("x2", this.x(place));
    }
    this.values.replaceChildren(
      ...this.series.flatMap(({ stroke, values }, i) => {
        const value = values[place];
        const text = value === null ? "identical" : value === undefined ? "–" : value.toFixed(this.digits) + this.unit;
        const node = element("span", { style: { color: stroke } }, text);
        return i ? [" · ", node] : [node];
      }),
    );
  }

  listen(onChoose) {
    const choose = (event) => {
      const box = this.svg.getBoundingClientRect();
      const x = ((event.clientX - box.left) / box.width) * this.width;
      const share = (x - kChart.left) / (this.width - kChart.left - kChart.right);
      onChoose(Math.max(0, Math.min(this.count - 1, Math.round(share * (this.count - 1)))));
    };
    this.svg.addEventListener("pointerdown", choose);
    this.svg.addEventListener("pointermove", (event) => {
      if (event.buttons === 1) choose(event);
    });
  }
}

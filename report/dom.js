// What the page knows, and short ways to make elements. Texts only ever go in as text.
"use strict";

const data = JSON.parse(document.getElementById("data").textContent);
const comparison = data.comparison;
const settings = comparison.settings; // the first one is dense

// An element of HTML; attributes that are false or null are left out.
function element(tag, attributes = {}, ...children) {
  return fillElement(document.createElement(tag), attributes, children);
}

function svgElement(tag, attributes = {}, ...children) {
  return fillElement(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);
}

function fillElement(node, attributes, children) {
  for (const [name, value] of Object.entries(attributes)) {
    if (value === false || value === null || value === undefined) continue;
    if (name === "style") {
      Object.assign(node.style, value);
    } else {
      node.setAttribute(name, value === true ? "" : value);
    }
  }
  node.append(...children);
  return node;
}

function byId(id) {
  return document.getElementById(id);
}

// Colour and dashes tell settings apart; dashes do for those who see no colours.
function seriesStyle(index) {
  return {
    stroke: `var(--series-${index % 6})`,
    dash: ["none", "none", "7 4", "2 4", "10 3 2 3", "5 2"][index % 6],
  };
}

function colourOf(variable) {
  return getComputedStyle(document.documentElement).getPropertyValue(variable).trim();
}

// "#rrggbb" as three numbers.
function channels(colour) {
  return [1, 3, 5].map((start) => parseInt(colour.slice(start, start + 2), 16));
}

function fixed(value, digits) {
  return typeof value === "number" ? value.toFixed(digits) : "–";
}

function decibels(value) {
  return value === null ? "identical" : `${fixed(value, 2)} dB`;
}

function seconds(value) {
  return `${fixed(value, value < 10 ? 2 : 1)} s`;
}

// The metrics that were measured: PSNR and SSIM always, LPIPS with --lpips.
function measuredMetrics() {
  const all = [
    { key: "psnr", name: "PSNR", better: "higher is closer", text: decibels, short: (v) => (v === null ? "∞" : fixed(v, 1)) },
    { key: "ssim", name: "SSIM", better: "higher is closer", text: (v) => fixed(v, 4), short: (v) => fixed(v, 3) },
    { key: "lpips", name: "LPIPS", better: "lower is closer", text: (v) => fixed(v, 4), short: (v) => fixed(v, 3) },
  ];
  return all.filter((metric) => settings.some((setting) => metric.key in setting));
}

// An MP4 inside the page as bytes that a browser plays, or the file beside the page.
function videoAddress(setting, clip) {
  const embedded = byId(`video-${setting}-${clip}`);
  const record = settings[setting].clips[clip];
  if (!embedded) return (record.preview || record.video).split("/").map(encodeURIComponent).join("/");
  return URL.createObjectURL(new Blob([bytesOf(embedded.textContent)], { type: "video/mp4" }));
}

function bytesOf(base64) {
  const text = atob(base64);
  const bytes = new Uint8Array(text.length);
  for (let i = 0; i < text.length; ++i) bytes[i] = text.charCodeAt(i);
  return bytes;
}

function swatch(index, square = false) {
  return element("span", {
    class: square ? "swatch square" : "swatch",
    style: { background: `var(--series-${index % 6})` },
  });
}

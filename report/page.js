// Puts the page together and listens to it.
"use strict";

const metrics = measuredMetrics();
const request = comparison.run.request;
const numClips = settings[0].clips.length;
const page = { clip: 0, charts: [] };

const player = new Player(
  byId("panels"),
  {
    width: request.width,
    height: request.height,
    frames: request.frames,
    fps: frameRate(request.fps),
  },
  { onFrame: frameShown, onPlaying: playingChanged },
);
const heatMap = new HeatMap(byId("heat-map"));

// 24, "24000/1001" or "23.976".
function frameRate(fps) {
  const [frames, per = 1] = String(fps).split("/").map(Number);
  return frames / per;
}

function sparseSettings() {
  return settings.map((setting, index) => ({ setting, index })).slice(1);
}

// One frame of one clip against the dense one, in words.
function frameFigures(setting, frame) {
  const { metrics: measured } = settings[setting].clips[page.clip];
  if (!measured) return "reference";
  return metrics.map((metric) => `${metric.name} ${metric.short(measured.by_frame[metric.key][frame])}`).join(" · ");
}

function frameShown(frame) {
  byId("scrubber").value = frame;
  const time = (frame / player.video.fps).toFixed(2);
  byId("position").textContent = `frame ${frame + 1} of ${player.video.frames} · ${time} s`;
  byId("scrubber").setAttribute("aria-valuetext", `frame ${frame + 1} of ${player.video.frames}`);
  player.panels.forEach((panel, index) => {
    panel.figures.textContent = frameFigures(index, frame);
  });
  for (const chart of page.charts) chart.show(frame);
}

function playingChanged(playing) {
  byId("play").classList.toggle("playing", playing);
  byId("play").setAttribute("aria-label", playing ? "Pause" : "Play");
}

function chooseView(view) {
  document.querySelector(`input[name="view"][value="${view}"]`).checked = true;
  byId("gain-label").hidden = view !== "difference";
  byId("wipe-label").hidden = view !== "wipe";
  byId("panels").classList.toggle("wiping", view === "wipe");
  byId("view-note").textContent = {
    clips: "",
    difference: "Difference from the dense clip, colour by colour, times the gain: black where they are equal.",
    wipe: "Left of the border the dense clip, right of it the sparse one.",
  }[view];
  player.setView(view);
}

function chooseGain(gain) {
  byId("gain").value = gain;
  byId("gain-value").textContent = `${gain}×`;
  player.setGain(gain);
}

function chooseWipe(share) {
  byId("wipe").value = Math.round(share * 100);
  byId("wipe").setAttribute("aria-valuetext", `${Math.round(share * 100)} % dense`);
  player.setWipe(share);
}

function chooseSpeed(by) {
  const select = byId("speed");
  select.selectedIndex = Math.max(0, Math.min(select.options.length - 1, select.selectedIndex + by));
  player.setRate(Number(select.value));
  byId("status").textContent = `speed ${select.value}`;
}

function chooseClip(clip) {
  page.clip = Math.max(0, Math.min(numClips - 1, clip));
  byId("prompt").value = page.clip;
  byId("prompt-text").textContent = settings[0].clips[page.clip].prompt || "(empty prompt)";
  drawMetrics();
  drawDensity();
  fillTimes(byId("time-bars"), page.clip);
  fillStages(byId("stages"), page.clip);
  drawSteps();
  player.load(settings.map((setting, index) => ({ name: setting.name, address: videoAddress(index, page.clip) })));
}

function drawMetrics() {
  page.charts = metrics.map((metric) => new LineChart({
    title: `${metric.name} (${metric.better})`,
    series: sparseSettings().map(({ setting, index }) => ({
      name: setting.name,
      ...seriesStyle(index),
      values: setting.clips[page.clip].metrics.by_frame[metric.key],
    })),
    unit: metric.key === "psnr" ? " dB" : "",
    digits: metric.key === "psnr" ? 2 : 4,
    xName: "frame",
    first: 1,
    onChoose: (frame) => {
      player.pause();
      player.show(frame);
    },
  }));
  byId("metric-charts").replaceChildren(...page.charts.map((chart) => chart.node));
}

function drawSteps() {
  const chart = new LineChart({
    title: "Time of each step",
    hint: "milliseconds",
    series: settings.map((setting, index) => ({
      name: setting.name,
      ...seriesStyle(index),
      values: setting.clips[page.clip].steps.map((step) => step.ms),
    })),
    unit: " ms",
    digits: 0,
    xName: "step",
    first: 0,
  });
  byId("step-chart").replaceChildren(chart.node);
}

function drawDensity() {
  const setting = Number(byId("density-setting").value);
  const density = data.density[setting][page.clip];
  const headSelect = byId("density-head");
  byId("heat-map").hidden = !density;
  headSelect.disabled = !density;
  if (density) {
    const heads = density.flat().find((one) => one !== null).length;
    if (headSelect.options.length !== heads + 1) {
      const options = Array.from({ length: heads }, (_, head) => element("option", { value: head }, `head ${head}`));
      headSelect.replaceChildren(element("option", { value: "mean" }, "mean over heads"), ...options);
    }
    const head = headSelect.value === "mean" ? null : Number(headSelect.value);
    heatMap.show(density, head, `${settings[setting].name}, ${headSelect.selectedOptions[0].textContent}`);
  }
  showMasks(byId("masks"), byId("masks-note"), data.masks[setting][page.clip]);
}

function fillChoices() {
  const shorten = (text) => (text.length > 80 ? `${[...text].slice(0, 78).join("")}…` : text);
  byId("prompt").replaceChildren(
    ...settings[0].clips.map((clip, index) => element("option", { value: index }, `${index + 1}. ${shorten(clip.prompt)}`)),
  );
  document.querySelector(".prompt").hidden = numClips < 2;
  byId("density-setting").replaceChildren(
    ...sparseSettings().map(({ setting, index }) => element("option", { value: index }, setting.name)),
  );
  byId("scrubber").max = request.frames - 1;
  byId("subtitle").textContent =
    `${comparison.run.model.name}, ${request.width} × ${request.height}, ${request.frames} frames, ${request.steps} steps, ` +
    `${numClips} ${numClips === 1 ? "prompt" : "prompts"}, ${comparison.run.device.name}`;
}

function fillLegends() {
  const entry = (mark, name) => element("li", {}, mark, name);
  byId("legend").replaceChildren(...sparseSettings().map(({ setting, index }) => entry(swatch(index), setting.name)));
  byId("time-legend").replaceChildren(
    ...kTimeParts.map((part) => entry(element("span", { class: "swatch square", style: { background: `var(${part.colour})` } }), part.name)),
  );
}

function offerDownload() {
  const text = `${JSON.stringify(comparison, null, 1)}\n`;
  byId("download").href = URL.createObjectURL(new Blob([text], { type: "application/json" }));
}

function handleKey(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.target.closest("select")) return;
  const actions = {
    d: () => chooseView("difference"),
    w: () => chooseView("wipe"),
    c: () => chooseView("clips"),
    ",": () => chooseSpeed(-1),
    ".": () => chooseSpeed(1),
    n: () => chooseClip(page.clip + 1),
    p: () => chooseClip(page.clip - 1),
  };
  // What has the focus goes first where it knows these keys.
  if (!event.target.closest("input")) {
    actions.ArrowLeft = () => player.step(-1);
    actions.ArrowRight = () => player.step(1);
    actions.Home = () => player.step(-Infinity);
    actions.End = () => player.step(Infinity);
    if (!event.target.closest("button, a, summary")) actions[" "] = () => player.toggle();
  }
  const action = actions[event.key];
  if (!action) return;
  event.preventDefault();
  action();
}

function listen() {
  byId("play").addEventListener("click", () => player.toggle());
  byId("back").addEventListener("click", () => player.step(-1));
  byId("forward").addEventListener("click", () => player.step(1));
  byId("scrubber").addEventListener("input", (event) => {
    player.pause();
    player.show(Number(event.target.value));
  });
  byId("speed").addEventListener("change", () => chooseSpeed(0));
  byId("gain").addEventListener("input", (event) => chooseGain(Number(event.target.value)));
  byId("wipe").addEventListener("input", (event) => chooseWipe(event.target.value / 100));
  player.onWipe = chooseWipe;
  for (const radio of document.querySelectorAll('input[name="view"]')) {
    radio.addEventListener("change", () => chooseView(radio.value));
  }
  byId("prompt").addEventListener("change", (event) => chooseClip(Number(event.target.value)));
  byId("density-setting").addEventListener("change", drawDensity);
  byId("density-head").addEventListener("change", drawDensity);
  document.addEventListener("keydown", handleKey);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawDensity);
}

document.title = `${settings[0].clips[0].prompt.slice(0, 60) || "Comparison"} – SparseReel`;
fillChoices();
fillLegends();
fillSummary(byId("summary"), metrics);
byId("noise-floor").textContent = noiseFloorText();
fillSettings(byId("settings"));
fillRun(byId("run"));
offerDownload();
listen();
chooseGain(8);
chooseClip(0);

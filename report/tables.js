// Summary, settings and times.
"use strict";

function headRow(names) {
  return element("thead", {}, element("tr", {}, ...names.map((name) => element("th", { scope: "col" }, name))));
}

function rowHead(index) {
  return element("th", { scope: "row" }, swatch(index), settings[index].name);
}

function fillSummary(table, metrics) {
  const dense = settings[0].denoise_s;
  const rows = settings.map((setting, index) => {
    const same = index > 0 && setting.clips.every((clip) => clip.metrics.identical);
    const values = metrics.map((metric) => (index === 0 ? "–" : metric.key === "psnr" && same ? "identical" : metric.text(setting[metric.key])));
    const cells = [fixed(setting.density, 3), ...values, seconds(setting.denoise_s), `${fixed(dense / setting.denoise_s, 2)}×`];
    return element("tr", {}, rowHead(index), ...cells.map((text) => element("td", {}, text)));
  });
  table.replaceChildren(
    headRow(["Setting", "Density", ...metrics.map((metric) => metric.name), "Denoising", "Speed"]),
    element("tbody", {}, ...rows),
  );
}

function noiseFloorText() {
  const floor = comparison.noise_floor;
  const means = settings[0].clips.length > 1 ? "Means over the prompts. Density: share of blocks in the sparse steps. " : "Density: share of blocks in the sparse steps. ";
  if (!floor) return means;
  return means + (floor.identical
    ? "The first dense clip, made twice, is the same to the last bit of every pixel."
    : `Noise floor: the first dense clip, made twice, differs by ${fixed(floor.psnr, 2)} dB.`);
}

// The threshold, or the span of those that the sparse calls have.
function tauText(attention) {
  const taus = (attention.rules || []).filter((rule) => rule.mode !== "dense").map((rule) => rule.tau);
  const [low, high] = [Math.min(...taus), Math.max(...taus)];
  return taus.length && low !== high ? `${low} – ${high}` : attention.tau;
}

// One column an attribute of attention; what all sparse settings share is set back.
function fillSettings(table) {
  const columns = [
    ["mode", "Attention"], ["tau", "tau"], ["stride", "Stride"], ["block", "Block"], ["dense_steps", "Dense steps"],
    ["dense_tail", "Dense tail"], ["dense_layers", "Dense layers"], ["protect", "Protect"], ["select", "Pattern"], ["rule", "Rule"],
    ["schedule_hash", "Schedule"],
  ];
  const text = (index, key) => {
    const attention = settings[index].attention || {};
    if (key !== "mode" && attention.mode === "dense") return "–";
    const value = key === "tau" ? tauText(attention) : attention[key];
    if (value === undefined || value === null || value === "") return "–";
    return key === "schedule_hash" ? value.slice(0, 8) : String(value);
  };
  const used = columns.filter(([key]) => settings.some((setting, index) => !["–", "0"].includes(text(index, key))));
  const rows = settings.map((setting, index) => {
    const cells = used.map(([key]) => {
      const same = settings.every((other, i) => i === 0 || text(i, key) === text(1, key));
      return element("td", { class: same && settings.length > 2 ? "same" : null }, text(index, key));
    });
    return element("tr", {}, rowHead(index), ...cells);
  });
  table.className = "left";
  table.replaceChildren(headRow(["Setting", ...used.map(([, name]) => name)]), element("tbody", {}, ...rows));
}

function fillRun(list) {
  const { request = {}, model = {}, device = {}, encoder = {}, program = {} } = comparison.run || {};
  const pairs = [
    ["Size", `${request.width} × ${request.height}`], ["Frames", `${request.frames} at ${request.fps} a second`],
    ["Steps", request.steps], ["Seed", settings[0].clips[0].seed], ["Guidance", request.guidance], ["CFG scale", request.cfg_scale],
    ["Negative prompt", request.negative_prompt], ["Flow shift", request.flow_shift], ["Template", request.template],
    ["VAE tiling", request.vae_tiling], ["Model", model.name], ["Layout", model.layout], ["Device", device.name],
    ["Driver", device.driver], ["Threads", device.threads], ["Transformer", device.dtype], ["VAE", device.vae_dtype],
    ["Encoder", `${encoder.encoder}, ${encoder.pix_fmt}, crf ${encoder.crf}`], ["LPIPS network", comparison.lpips_net],
  ];
  list.replaceChildren(
    ...pairs
      .filter(([, value]) => value !== undefined && value !== null && value !== "")
      .map(([name, value]) => element("div", {}, element("dt", {}, name), element("dd", {}, String(value)))),
  );
  byId("footer").textContent = `${program.name} ${program.version}, commit ${program.commit}`;
}

const kTimeParts = [
  { name: "score", colour: "--part-score" },
  { name: "select", colour: "--part-select" },
  { name: "attend", colour: "--part-attend" },
  { name: "rest of the transformer", colour: "--part-rest" },
  { name: "decode", colour: "--part-decode" },
];

// Seconds of each of kTimeParts.
function timeParts(clip) {
  const total = clip.attention_times.total;
  const [score, select, attend] = [total.score_ms, total.select_ms, total.attend_ms].map((ms) => ms / 1e3);
  const decode = clip.stages.filter(({ name }) => name === "decode").reduce((sum, { ms }) => sum + ms / 1e3, 0);
  return [score, select, attend, Math.max(0, clip.denoise_s - score - select - attend), decode];
}

function fillTimes(parent, clipIndex) {
  const clips = settings.map((setting) => setting.clips[clipIndex]);
  const all = clips.map(timeParts);
  const sum = (parts) => parts.reduce((total, part) => total + part, 0);
  const longest = Math.max(...all.map(sum));
  parent.replaceChildren(
    ...all.map((parts, index) => {
      const told = parts.map((part, i) => `${kTimeParts[i].name} ${seconds(part)}`).join(", ");
      const bar = element("div", { class: "bar", role: "img", "aria-label": `${settings[index].name}: ${told}`, title: told });
      parts.forEach((part, i) => {
        bar.append(element("span", { style: { width: `${(100 * part) / longest}%`, background: `var(${kTimeParts[i].colour})` } }));
      });
      return element(
        "div",
        { class: "bar-row" },
        element("span", { class: "name", title: settings[index].name }, settings[index].name),
        bar,
        element("span", { class: "total" }, seconds(sum(parts))),
      );
    }),
  );
}

function fillStages(table, clipIndex) {
  const clips = settings.map((setting) => setting.clips[clipIndex]);
  const names = [...new Set(clips.flatMap((clip) => clip.stages.map((stage) => stage.name)))];
  const cell = (clip, name) => {
    const stage = clip.stages.find((one) => one.name === name);
    return element("td", {}, stage ? fixed(stage.ms / 1e3, 3) : "–");
  };
  table.replaceChildren(
    headRow(["Setting", ...names, "total"]),
    element(
      "tbody",
      {},
      ...clips.map((clip, index) =>
        element("tr", {}, rowHead(index), ...names.map((name) => cell(clip, name)), element("td", {}, fixed(clip.total_s, 3))),
      ),
    ),
  );
}

// The clips of one prompt side by side: played, stepped and compared as one.
"use strict";

class Player {
  // video: {width, height, frames, fps}. onFrame(frame) is called when another frame is shown,
  // onPlaying(whether) when playing starts or stops.
  constructor(parent, video, { onFrame, onPlaying }) {
    this.parent = parent;
    this.video = video;
    this.onFrame = onFrame;
    this.onPlaying = onPlaying;
    this.panels = [];
    this.frame = 0;
    this.playing = false;
    this.rate = 1;
    this.view = "clips";
    this.wipe = 0.5;
  }

  // clips: [{name, address}]; the first one is the reference.
  load(clips) {
    this.pause();
    for (const panel of this.panels) URL.revokeObjectURL(panel.video.src);
    this.panels = clips.map((clip, index) => this.makePanel(clip, index));
    this.parent.replaceChildren(...this.panels.map((panel) => panel.node));
    this.setView(this.view);
    this.show(this.frame);
  }

  makePanel({ name, address }, index) {
    const video = element("video", {
      playsinline: true,
      preload: "auto",
      "aria-label": `Clip: ${name}`,
      width: this.video.width,
      height: this.video.height,
    });
    video.muted = true;
    video.src = address;
    const canvas = element("canvas", { width: this.video.width, height: this.video.height, hidden: true });
    const figures = element("span", { class: "frame-figures" });
    const stage = element(
      "div",
      { class: "stage", style: { aspectRatio: `${this.video.width} / ${this.video.height}` } },
      video,
      canvas,
    );
    const node = element(
      "figure",
      { class: "panel" },
      stage,
      element("figcaption", {}, element("span", { class: "name" }, swatch(index), name), figures),
    );
    const panel = { node, name, video, canvas, figures, shown: -1 };
    video.addEventListener("error", () => {
      figures.textContent = "This browser cannot play the file.";
    });
    if (index === 0) video.addEventListener("ended", () => this.restart());
    stage.addEventListener("pointermove", (event) => this.wipeTo(event, stage));
    stage.addEventListener("pointerdown", (event) => this.wipeTo(event, stage));
    this.watchFrames(panel);
    return panel;
  }

  // Notes which frame a video shows, exactly where the browser tells.
  watchFrames(panel) {
    const { video } = panel;
    const noted = (time) => {
      panel.shown = Math.round(time * this.video.fps);
      this.draw();
    };
    if (video.requestVideoFrameCallback) {
      const next = (now, facts) => {
        noted(facts.mediaTime);
        video.requestVideoFrameCallback(next);
      };
      video.requestVideoFrameCallback(next);
    } else {
      const guess = () => noted(Math.floor(video.currentTime * this.video.fps + 1e-6) / this.video.fps);
      for (const event of ["seeked", "timeupdate", "loadeddata"]) video.addEventListener(event, guess);
    }
  }

  get videos() {
    return this.panels.map((panel) => panel.video);
  }

  // Shows one frame in all clips: times point at the middle of a frame, where no rounding matters.
  show(frame) {
    const last = this.video.frames - 1;
    this.frame = Math.max(0, Math.min(last, frame));
    for (const video of this.videos) video.currentTime = (this.frame + 0.5) / this.video.fps;
    this.onFrame(this.frame);
  }

  step(by) {
    this.pause();
    this.show(this.frame + by);
  }

  async play() {
    if (this.playing) return;
    this.playing = true;
    this.onPlaying(true);
    if (this.frame >= this.video.frames - 1) this.show(0);
    await this.startTogether();
    requestAnimationFrame(() => this.follow());
  }

  // Starts no clip before all of them are where they should be.
  async startTogether() {
    const panels = this.panels;
    await Promise.all(this.videos.map(settled));
    if (!this.playing || panels !== this.panels) return;
    for (const video of this.videos) video.playbackRate = this.rate;
    const started = await Promise.allSettled(this.videos.map((video) => video.play()));
    if (panels === this.panels && started.some((one) => one.status === "rejected")) this.pause();
  }

  pause() {
    const was = this.playing;
    this.playing = false;
    for (const video of this.videos) video.pause();
    if (!was) return;
    this.onPlaying(false);
    this.show(this.frame); // all of them on the same one
  }

  toggle() {
    if (this.playing) this.pause();
    else this.play();
  }

  restart() {
    if (!this.playing) return;
    this.show(0);
    this.startTogether();
  }

  // While playing: tells the frame of the first clip and keeps the others with it.
  follow() {
    if (!this.playing) return;
    const [leader, ...others] = this.videos;
    const frame = Math.min(this.video.frames - 1, Math.floor(leader.currentTime * this.video.fps + 1e-6));
    if (frame !== this.frame && !leader.seeking) {
      this.frame = frame;
      this.onFrame(frame);
    }
    for (const video of others) {
      const apart = Math.abs(video.currentTime - leader.currentTime);
      if (!video.seeking && !leader.seeking && !leader.ended && apart > 0.6 / this.video.fps) {
        video.currentTime = leader.currentTime;
        if (video.paused) video.play().catch(() => {});
      }
    }
    requestAnimationFrame(() => this.follow());
  }

  setRate(rate) {
    this.rate = rate;
    for (const video of this.videos) video.playbackRate = rate;
  }

  // "clips", "difference" or "wipe".
  setView(view) {
    this.view = view;
    this.panels.forEach((panel, index) => {
      panel.canvas.hidden = view === "clips" || index === 0;
    });
    this.draw();
  }

  setGain(gain) {
    this.parent.style.setProperty("--gain", gain);
  }

  setWipe(share) {
    this.wipe = share;
    this.draw();
  }

  wipeTo(event, stage) {
    if (this.view !== "wipe" || (event.pointerType !== "mouse" && event.buttons === 0)) return;
    const box = stage.getBoundingClientRect();
    this.onWipe?.(Math.max(0, Math.min(1, (event.clientX - box.left) / box.width)));
  }

  // Lays the reference over the others. Only equal frames are compared.
  draw() {
    if (this.view === "clips" || !this.panels.length) return;
    const [reference, ...others] = this.panels;
    for (const panel of others) {
      if (panel.shown !== reference.shown || panel.shown < 0) continue;
      const brush = panel.canvas.getContext("2d");
      const { width, height } = panel.canvas;
      brush.globalCompositeOperation = "copy";
      if (this.view === "difference") {
        brush.drawImage(reference.video, 0, 0, width, height);
        brush.globalCompositeOperation = "difference";
        brush.drawImage(panel.video, 0, 0, width, height);
        panel.canvas.classList.add("difference");
      } else {
        this.drawWipe(brush, reference.video, width, height);
        panel.canvas.classList.remove("difference");
      }
    }
  }

  drawWipe(brush, video, width, height) {
    const border = Math.round(this.wipe * width);
    brush.clearRect(0, 0, width, height);
    brush.globalCompositeOperation = "source-over";
    brush.save();
    brush.beginPath();
    brush.rect(0, 0, border, height);
    brush.clip();
    brush.drawImage(video, 0, 0, width, height);
    brush.restore();
    brush.fillStyle = "#fff";
    brush.fillRect(border - 1, 0, Math.max(1, Math.round(width / 256)), height);
  }
}

// Resolves when a video shows the frame that it was asked for.
function settled(video) {
  if (!video.seeking && video.readyState >= HTMLMediaElement.HAVE_CURRENT_DATA) return Promise.resolve();
  return new Promise((resolve) => {
    const check = () => {
      if (video.seeking || video.readyState < HTMLMediaElement.HAVE_CURRENT_DATA) return;
      for (const event of events) video.removeEventListener(event, check);
      resolve();
    };
    const events = ["seeked", "canplay", "loadeddata"];
    for (const event of events) video.addEventListener(event, check);
    video.addEventListener("error", resolve, { once: true });
  });
}

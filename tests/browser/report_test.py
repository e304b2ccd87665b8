"""Opens the report of a real comparison in a headless Chromium and uses it as people do.

    tests/browser/report_test.py SPARSEREEL [--keep FOLDER]

Exit code 77: skipped, as there is no Chromium. --keep leaves the comparison and screenshots in a folder.
"""

import argparse
import json
import pathlib
import re
import subprocess
import sys
import tempfile
import time

from chromium import Chromium, find_chromium

ROOT = pathlib.Path(__file__).resolve().parents[2]
HOSTILE = 'A "red" star </script><script>document.title = "taken"</script> <!-- & \\ sways ünïcode 東京 🌟'
FRAMES = 9
FPS = 16
# Chromium moves to the very end of the file when it shows the last frame.
FRAME_SHOWN = f"Math.min({FRAMES - 1}, Math.floor(video.currentTime * {FPS} + 1e-6))"
ALL_VIDEOS = "[...document.querySelectorAll('video')]"


def check(condition, what):
    if not condition:
        raise AssertionError(what)
    print("ok:", what, flush=True)


def compare(program, folder, more=()):
    prompts = folder / "prompts.txt"
    prompts.write_text(HOSTILE + "\nA big blue ball bounces at sunset.\n", encoding="utf-8")
    command = [program, "compare", "--prompts", prompts, "--model", ROOT / "models/demo", "--output-dir", folder / "out",
               "--with", "tau=0.6; tau=0.9", "-W", "128", "-H", "128", "--frames", FRAMES, "--fps", FPS, "--steps", "3",
               "--dense-steps", "1", "--block", "64", "--overwrite", "--quiet", *more]
    subprocess.run([str(word) for word in command], check=True, cwd=ROOT, stdout=subprocess.DEVNULL)
    return folder / "out/report.html"


def videos(browser, expression):
    """A JavaScript expression of `video`, for every video."""
    return browser.value(f"{ALL_VIDEOS}.map((video) => {expression})")


def wait_until_still(browser, frame=None):
    browser.wait_for(f"{ALL_VIDEOS}.every((v) => v.readyState >= 2 && !v.seeking && v.paused)")
    if frame is not None:
        browser.wait_for(f"{ALL_VIDEOS}.every((video) => {FRAME_SHOWN} === {frame})")
        browser.wait_for(f"player.panels.every((panel) => panel.shown === {frame})")


def check_loading(browser, page):
    browser.open(page.as_uri())
    wait_until_still(browser, 0)
    check(browser.messages == [], f"the console is empty: {browser.messages}")
    outside = [url for url in browser.requests if not url.startswith("blob:") and url != page.as_uri()]
    check(outside == [], f"nothing outside the page is asked for: {outside}")
    check(videos(browser, "video.videoWidth") == [128] * 3, "three videos are decoded")
    check(browser.value("document.getElementById('prompt-text').textContent") == HOSTILE, "a hostile prompt is shown as it is")
    check("taken" not in browser.value("document.title").replace(HOSTILE[:60], ""), "no text of a prompt runs as a script")


def check_playing(browser):
    browser.press(" ", "Space")
    browser.wait_for(f"{ALL_VIDEOS}.every((v) => !v.paused && v.currentTime > 0)")
    check(browser.value("document.getElementById('play').getAttribute('aria-label')") == "Pause", "the button says Pause while playing")
    seen = set()
    apart = []
    end = time.monotonic() + 20
    rounds = 0
    while time.monotonic() < end and not (len(seen) >= 4 and rounds >= 1):
        times = videos(browser, "video.currentTime")
        frame = int(times[0] * FPS)
        rounds += bool(seen) and frame < max(seen) and frame == 0
        seen.add(frame)
        if 0 < frame < FRAMES - 1:
            apart.append(max(times) - min(times))
    check(len(seen) >= 4, f"the time goes on while playing: frames {sorted(seen)}")
    check(rounds >= 1, "playing begins again at the end")
    apart.sort()
    # Clips are set right within a frame or two of drawing, so most samples must be within a frame.
    check(apart and apart[len(apart) * 3 // 4] < 1 / FPS, f"clips stay together: {apart[-1]:.3f} s apart at most")
    browser.press(" ", "Space")
    wait_until_still(browser)
    shown = videos(browser, FRAME_SHOWN)
    check(len(set(shown)) == 1, f"after a pause all show the same frame: {shown}")


def check_stepping(browser):
    browser.press("Home")
    wait_until_still(browser, 0)
    for key, frame in [("ArrowRight", 1), ("ArrowRight", 2), ("ArrowLeft", 1), ("End", FRAMES - 1), ("ArrowRight", FRAMES - 1)]:
        browser.press(key)
        wait_until_still(browser, frame)
        check(browser.value("document.getElementById('scrubber').value") == str(frame), f"{key} shows frame {frame} in all clips")
    browser.value("(() => { const bar = document.getElementById('scrubber'); bar.value = 4; bar.dispatchEvent(new Event('input')); })()")
    wait_until_still(browser, 4)
    check("frame 5 of 9" in browser.value("document.getElementById('position').textContent"), "the scrubber shows frame 5")
    browser.press(".")
    check(set(videos(browser, "video.playbackRate")) == {2}, "'.' plays faster")
    browser.press(",")


PIXELS = """(() => { const canvas = document.querySelectorAll('.stage canvas')[%d];
  const { data } = canvas.getContext('2d').getImageData(0, 0, canvas.width, canvas.height);
  let sum = 0; for (let i = 0; i < data.length; i += 4) sum += data[i] + data[i + 1] + data[i + 2];
  return sum / (data.length / 4 * 3); })()"""

# The same by hand: both videos of the same frame, subtracted channel by channel.
EXPECTED = """(() => { const pixels = (video) => { const c = document.createElement('canvas'); c.width = 128; c.height = 128;
  const brush = c.getContext('2d'); brush.drawImage(video, 0, 0, 128, 128); return brush.getImageData(0, 0, 128, 128).data; };
  const [a, b] = %s.map(pixels).filter((_, i) => i === 0 || i === %d);
  let sum = 0; for (let i = 0; i < a.length; ++i) if (i %% 4 < 3) sum += Math.abs(a[i] - b[i]);
  return sum / (a.length / 4 * 3); })()"""


def check_difference(browser):
    browser.press("d")
    check(browser.value("document.querySelector('input[value=difference]').checked"), "'d' chooses the difference")
    for panel in (1, 2):
        check(browser.value(f"!document.querySelectorAll('.stage canvas')[{panel}].hidden"), f"panel {panel} shows it")
        got, want = browser.value(PIXELS % panel), browser.value(EXPECTED % (ALL_VIDEOS, panel))
        check(got > 0.05 and abs(got - want) < 0.05 * want + 0.02, f"its mean is |a - b|: {got:.3f}, want {want:.3f}")
    check(browser.value("document.querySelectorAll('.stage canvas')[0].hidden"), "the dense clip stays a clip")
    check("brightness(8)" in browser.value("getComputedStyle(document.querySelectorAll('.stage canvas')[1]).filter"), "the gain is 8")
    browser.press("w")
    check(browser.value("!document.getElementById('wipe-label').hidden"), "'w' chooses the wipe")
    browser.press("c")


def check_charts(browser, page):
    record = json.loads(browser.value("JSON.stringify(comparison)"))
    check(record == json.loads((page.parent / "compare.json").read_text()), "the page holds compare.json")
    check(browser.value("document.getElementById('download').href").startswith("blob:"), "it can be downloaded")
    check(browser.value("document.querySelectorAll('#metric-charts svg').length") == 2, "PSNR and SSIM have a chart each")
    check(browser.value("document.querySelectorAll('#metric-charts .curve').length") == 4, "each with a curve a setting")
    check(browser.value("[...document.querySelectorAll('svg path')].every((p) => !p.getAttribute('d').includes('NaN'))"), "no curve is broken")
    check(browser.value("document.querySelectorAll('.mask canvas').length") >= 4, "blocks of heads are shown")
    mean = browser.value("heatMap.summary")
    browser.value("(() => { const s = document.getElementById('density-head'); s.value = '1'; s.dispatchEvent(new Event('change')); })()")
    check(browser.value("heatMap.summary") != mean, "a head has a map of its own")
    browser.value("document.querySelector('#heat-map canvas').focus()")
    browser.press("ArrowRight")
    browser.press("ArrowRight")
    check("step 1, layer 0" in browser.value("document.querySelector('.readout').textContent"), "arrow keys read the map")
    check(browser.value("document.querySelectorAll('#time-bars .bar').length") == 3, "each setting has a bar of times")


def check_prompts(browser):
    browser.value("document.activeElement.blur()")
    browser.press("n")
    wait_until_still(browser)
    check("blue ball" in browser.value("document.getElementById('prompt-text').textContent"), "'n' shows the next prompt")
    browser.press("p")
    wait_until_still(browser)


def check_focus(browser):
    """Tab goes through all controls in the order in which they stand, each with a name."""
    browser.value("document.querySelector('.skip').focus()")
    names = []
    for _ in range(40):
        browser.press("Tab")
        name = browser.value("(() => { const e = document.activeElement; if (e === document.body) return null; "
                             "return e.id || e.getAttribute('aria-label') || e.value || e.textContent.trim(); })()")
        if name is None or name in names:
            break
        names.append(name)
    wanted = ["download", "prompt", "back", "play", "forward", "scrubber", "speed", "density-setting", "density-head"]
    check([name for name in names if name in wanted] == wanted, f"Tab reaches the controls in order: {names}")
    nameless = browser.value("""[...document.querySelectorAll('button, select, input, a, canvas:not([aria-hidden]), video, svg[role=img]')]
      .filter((e) => !e.closest('[hidden]') && !e.getAttribute('aria-label') && !(e.labels && e.labels.length) && !e.textContent.trim() && !e.closest('.stage'))
      .map((e) => e.outerHTML.slice(0, 80))""")
    check(nameless == [], f"every control has a name: {nameless}")


def check_layout(browser, keep):
    for width, height, phone in [(1280, 900, False), (390, 844, True)]:
        browser.resize(width, height, 1, phone)
        for scheme in ("light", "dark"):
            browser.set_scheme(scheme)
            time.sleep(0.3)
            overflow = browser.value("document.documentElement.scrollWidth - document.documentElement.clientWidth")
            check(overflow <= 0, f"nothing is wider than {width} pixels ({scheme})")
            if keep:
                browser.screenshot(keep / f"report_{width}_{scheme}.png")
    paper = browser.value("getComputedStyle(document.body).backgroundColor")
    browser.set_scheme("light")
    check(browser.value("getComputedStyle(document.body).backgroundColor") != paper, "dark is not light")
    browser.resize(1280, 900)


def check_without_network(browser, page):
    browser.call("Network.emulateNetworkConditions", offline=True, latency=0, downloadThroughput=0, uploadThroughput=0)
    check_loading(browser, page)
    browser.call("Network.emulateNetworkConditions", offline=False, latency=0, downloadThroughput=-1, uploadThroughput=-1)


def check_files(browser, page):
    """A page without videos inside, as large comparisons have it, plays the files beside it."""
    text = page.read_text(encoding="utf-8")
    slim = page.with_name("slim.html")
    slim.write_text(re.sub(r'<script type="text/plain" id="video-.*?</script>\n', "", text), encoding="utf-8")
    check(len(slim.read_bytes()) < len(page.read_bytes()) - 20_000, "a page can do without videos")
    browser.open(slim.as_uri())
    wait_until_still(browser, 0)
    check(videos(browser, "video.currentSrc.startsWith('file:')") == [True] * 3, "it plays the files beside it")
    browser.press("d")
    browser.press("ArrowRight")
    wait_until_still(browser, 1)
    check(browser.messages == [], f"the console is empty: {browser.messages}")


def check_lossless(browser, program, folder):
    """A comparison in a format that no browser plays has copies that they do."""
    page = compare(program, folder, ["--lossless", "--pix-fmt", "rgb24"])
    check((folder / "out/previews/dense/0001.mp4").is_file(), "lossless clips have copies for the page")
    check_loading(browser, page)


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("program", type=pathlib.Path)
    parser.add_argument("--keep", type=pathlib.Path)
    arguments = parser.parse_args()
    program = find_chromium()
    if program is None:
        print("skipped: no Chromium here: install the package chromium")
        return 77
    with tempfile.TemporaryDirectory() as name, Chromium(program) as browser:
        folder = arguments.keep or pathlib.Path(name)
        folder.mkdir(parents=True, exist_ok=True)
        page = compare(arguments.program.resolve(), folder)
        browser.resize(1280, 900)
        check_loading(browser, page)
        check_playing(browser)
        check_stepping(browser)
        check_difference(browser)
        check_charts(browser, page)
        check_prompts(browser)
        check_focus(browser)
        check_layout(browser, arguments.keep)
        check_without_network(browser, page)
        check_files(browser, page)
        check_lossless(browser, arguments.program.resolve(), folder)
        check(browser.messages == [], f"the console is still empty: {browser.messages}")
    return 0


if __name__ == "__main__":
    sys.exit(main())

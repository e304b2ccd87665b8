"""The whole program at HunyuanVideo's size on one GPU, without a checkpoint.

Writes a model folder of random weights (make_full_size_model, 42 GB), renders one clip from it in
each setting with `sparsereel generate`, and prints what every stage took, the memory planned and
used, and whether the latents of the settings have the same bits.

    python3 benchmarks/program_full_size.py --model /dev/shm/model --json program.json

The clip shows noise and has few steps, so totals are no clip's; random weights attend almost
evenly, so tau is low to make sparse steps sparse.
"""

import argparse
import hashlib
import json
import pathlib
import shlex
import subprocess
import sys
import time

SETTINGS = {
    "resident": [],
    "24 GB": ["--max-vram", "24"],
    "24 GB, larger tiles": ["--max-vram", "24", "--vae-tile", "384:352:32:28"],
    "resident, e4m3 scoring": ["--select", "antidiagonal:e4m3"],
}


def latents_hash(path: pathlib.Path) -> str:
    """Of the tensors' bytes alone: the header tells how the file was made, which differs."""
    data = path.read_bytes()
    header = int.from_bytes(data[:8], "little")
    return hashlib.sha256(data[8 + header :]).hexdigest()


def render(flags: argparse.Namespace, name: str, extra: list[str]) -> dict:
    stem = flags.work / name.replace(" ", "_").replace(",", "")
    perf = stem.with_suffix(".json")
    latents = stem.with_suffix(".safetensors")
    video = stem.with_suffix(".mp4")
    command = [
        f"{flags.bin}/sparsereel", "generate", "--model", flags.model, "-p", flags.prompt,
        "--steps", flags.steps, "--dense-steps", flags.dense_steps, "--tau", flags.tau,
        "--save-latents", latents, "--perf-json", perf, "-o", video, "--overwrite",
        *shlex.split(flags.generate), *extra,
    ]
    begin = time.monotonic()
    with open(stem.with_suffix(".log"), "w") as log:
        done = subprocess.run([str(word) for word in command], stdout=log, stderr=log, check=False)
    seconds = time.monotonic() - begin
    if done.returncode != 0:
        tail = stem.with_suffix(".log").read_text().splitlines()[-1:]
        return {"name": name, "exit_code": done.returncode, "error": "".join(tail)}
    run = json.loads(perf.read_text())
    steps = {}
    for step in run["steps"][1:]:  # the first one warms up
        steps.setdefault(step["mode"], []).append(step)
    result = {
        "name": name,
        "exit_code": 0,
        "seconds": seconds,
        "stages_ms": {stage["name"]: stage["ms"] for stage in run["stages"]},
        "steps_ms": {mode: min(s["ms"] for s in found) for mode, found in steps.items()},
        "density": run["density"].get("mean_sparse"),
        "planned_gb": run["memory"]["planned"]["peak_tensors"] * 1e-9,
        "used_gb": (run["peak_device_bytes"] or run["peak_host_bytes"]) * 1e-9,
        "reserved_gb": max(stage["reserved"] for stage in run["memory"]["used"]) * 1e-9,
        "offload": run["device"]["offload"],
        "device": run["device"].get("name"),
        "driver": run["device"].get("driver"),
        "latents_sha256": latents_hash(latents),
        "video_mb": video.stat().st_size * 1e-6,
    }
    video.unlink()
    latents.unlink()
    return result


def print_table(results: list[dict]) -> None:
    good = [result for result in results if result["exit_code"] == 0]
    stages = list(dict.fromkeys(stage for result in good for stage in result["stages_ms"]))
    head = ["setting", *stages, "dense step", "sparse step (density)", "process",
            "planned / used", "reserved"]
    print("| " + " | ".join(head) + " |")
    print("|" + "---|" * len(head))
    for result in good:
        cells = [result["name"]]
        cells += [f"{result['stages_ms'].get(stage, 0) / 1000:.2f} s" for stage in stages]
        dense = result["steps_ms"].get("dense")
        sparse = result["steps_ms"].get("sparse")
        cells.append(f"{dense / 1000:.2f} s" if dense else "")
        cells.append(f"{sparse / 1000:.2f} s ({result['density']:.3f})" if sparse else "")
        cells.append(f"{result['seconds']:.1f} s")
        cells.append(f"{result['planned_gb']:.2f} / {result['used_gb']:.2f} GB")
        cells.append(f"{result['reserved_gb']:.2f} GB")
        print("| " + " | ".join(cells) + " |")
    for result in results:
        if result["exit_code"] != 0:
            print(f"{result['name']}: exit code {result['exit_code']}: {result['error']}")
    for result in good[1:]:
        same = result["latents_sha256"] == good[0]["latents_sha256"]
        print(f"latents of '{result['name']}' and '{good[0]['name']}': "
              f"{'same bits' if same else 'they differ'}")


def main() -> int:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--bin", default="build/release/bin", help="folder of the programs")
    parser.add_argument("--model", required=True, help="folder to make, or one made before")
    parser.add_argument("--make", default="", help="more flags of make_full_size_model")
    parser.add_argument("--work", type=pathlib.Path, default="/tmp", help="for logs and outputs")
    parser.add_argument("--settings", default=";".join(SETTINGS), help="with ; between them")
    parser.add_argument("--prompt", default="A cat walks on the grass.")
    parser.add_argument("--steps", default="5")
    parser.add_argument("--dense-steps", default="2")
    parser.add_argument("--tau", default="0.5", help="for a density of about .34")
    parser.add_argument("--generate", default="", help="more flags of generate, in one word")
    parser.add_argument("--json", type=pathlib.Path)
    flags = parser.parse_args()
    if not pathlib.Path(flags.model, "model_index.json").exists():
        begin = time.monotonic()
        subprocess.run([f"{flags.bin}/make_full_size_model", flags.model, *shlex.split(flags.make)],
                       check=True)
        print(f"model made in {time.monotonic() - begin:.0f} s", flush=True)
    results = []
    for name in flags.settings.split(";"):
        results.append(render(flags, name, SETTINGS[name]))
        if flags.json:
            flags.json.write_text(json.dumps({"format": 1, "runs": results}, indent=1))
    print_table(results)
    return 0 if all(result["exit_code"] == 0 for result in results) else 1


if __name__ == "__main__":
    sys.exit(main())

"""The table of a whole 13B-shaped clip, from what benchmarks/full_video and its peers wrote.

    python3 tools/full_video_table.py full_video.json peers.json [elementwise.json] > benchmarks/results/h200_full_video.md

All files must come from one machine, one run after the other: ratios of other pairs mean nothing.
"""

import argparse
import json
import pathlib

NAMES = {"dense": "dense, ours", "given": "sparse, ours", "cudnn": "dense, cuDNN's attention", "selected": "selected"}
PEERS = {"eager": "diffusers, eager, no mask, cuDNN", "compiled": "diffusers, torch.compile, no mask, cuDNN",
         "masked": "diffusers as it comes (boolean mask)"}
# figure, which of ours, required and aimed ratio to the compiled peer (issue: a 13B clip on one H200)
GOALS = {"dense": (1.00, 0.93), "given": (0.49, 0.43)}


def read(path: pathlib.Path) -> dict:
    return json.loads(path.read_text(encoding="utf-8"))


def step_rows(ours: dict, peers: dict) -> list[str]:
    compiled = peers.get("compiled", {}).get("step_ms")
    rows = ["| step | ms | against torch.compile | score | select | attend | products (TFLOP/s) | rest |",
            "|---|---|---|---|---|---|---|---|"]
    for mode, split in ours["split"].items():
        ratio = f"{split['step_ms'] / compiled:.3f}" if compiled else ""
        rows.append(f"| {NAMES[mode]} (density {split['density']:.3f}) | {split['step_ms']:,.0f} | {ratio} | "
                    f"{split['score_ms']:,.0f} | {split['select_ms']:,.0f} | {split['attend_ms']:,.0f} | "
                    f"{split['products_ms']:,.0f} ({split['products_tflops']:.0f}) | {split['rest_ms']:,.0f} |")
    for mode, name in PEERS.items():
        if mode in peers:
            ratio = f"{peers[mode]['step_ms'] / compiled:.3f}" if compiled else ""
            rows.append(f"| {name} | {peers[mode]['step_ms']:,.0f} | {ratio} | | | | | |")
    return rows


def stage_rows(ours: dict) -> list[str]:
    rows = ["| stage | seconds | peak device memory |", "|---|---|---|"]
    for stage in ours["stages"]:
        peak = f"{stage['peak_gb']:.1f} GB" if stage["peak_gb"] else ""
        rows.append(f"| {stage['name']} | {stage['seconds']:,.3f} | {peak} |")
    for name, seconds in ours["extrapolated"].items():
        kind = "dense" if name.startswith("dense") else f"{ours['dense_steps']} dense, the others sparse"
        rows.append(f"| whole clip, {ours['steps']} steps ({kind}), extrapolated | {seconds:,.1f} | |")
    return rows


def goal_rows(ours: dict, peers: dict) -> list[str]:
    rows = ["| figure | measured | required | aim |", "|---|---|---|---|"]
    compiled = peers.get("compiled", {}).get("step_ms")
    for mode, (required, aim) in GOALS.items():
        if compiled and mode in ours["split"]:
            rows.append(f"| {NAMES[mode]}, step against torch.compile | {ours['split'][mode]['step_ms'] / compiled:.3f} "
                        f"| {required:.2f} | {aim:.2f} |")
    if "eager" in peers and "dense" in ours["split"]:
        rows.append(f"| dense step against eager without mask | "
                    f"{ours['split']['dense']['step_ms'] / peers['eager']['step_ms']:.3f} | 1.00 | |")
    rest = max(split["rest_ms"] for split in ours["split"].values())
    rows.append(f"| element-wise work, copies and gaps a step | {rest:,.0f} ms | 500 ms | 300 ms |")
    decode = next((stage for stage in ours["stages"] if stage["name"] == "vae"), None)
    if decode and "vae" in peers:
        rows.append(f"| VAE decode against diffusers' tiled one | {decode['seconds'] * 1e3 / peers['vae']['decode_ms']:.3f}"
                    f" ({decode['seconds']:.1f} s / {peers['vae']['decode_ms'] * 1e-3:.1f} s) | 0.45 | 0.30 |")
    peak = max(stage["peak_gb"] for stage in ours["stages"] if stage["name"] != "text")
    rows.append(f"| peak device memory, transformer and VAE resident | {peak:.1f} GB | 45 GB | 40 GB |")
    if "sparse_s" in ours["extrapolated"]:
        rows.append(f"| whole clip, {ours['steps']} steps, {ours['dense_steps']} dense, extrapolated | "
                    f"{ours['extrapolated']['sparse_s']:,.0f} s | 585 s | 515 s |")
    return rows


def kernel_rows(measured: dict) -> list[str]:
    rows = ["| kernel | ms | GB/s | of a copy's |", "|---|---|---|---|"]
    for row in measured["rows"]:
        rate = f"{row['GB_per_s']:,.0f} | {row['of_copy']:.2f}" if "GB_per_s" in row else "|"
        rows.append(f"| {row['name']} | {row['ms']:.3f} | {rate} |")
    return rows


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("full_video", type=pathlib.Path)
    parser.add_argument("peers", type=pathlib.Path)
    parser.add_argument("elementwise", type=pathlib.Path, nargs="?")
    arguments = parser.parse_args()
    ours = read(arguments.full_video)
    peers = {row["mode"]: row for row in read(arguments.peers)["rows"]}
    print(f"# A whole clip: {ours['double_blocks']} double and {ours['single_blocks']} single blocks, "
          f"{ours['image_tokens']:,} + {ours['text_tokens']} tokens\n")
    print(f"Written by tools/full_video_table.py. Random weights, bf16 (VAE fp16); {ours['measured_steps']} step(s) of each "
          f"kind measured, {ours['steps']} extrapolated.\n")
    sections = {"Against the goals": goal_rows(ours, peers), "Steps": step_rows(ours, peers),
                "Stages": stage_rows(ours)}
    if arguments.elementwise:
        sections["Element-wise kernels"] = kernel_rows(read(arguments.elementwise))
    print("\n\n".join(f"## {title}\n\n" + "\n".join(rows) for title, rows in sections.items()))


if __name__ == "__main__":
    main()

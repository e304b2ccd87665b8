"""Speed-up over cuDNN's dense attention against length and against density, from attention_bench's JSON.

    tools/plot_attention.py sweep.json issue.json docs/images/attention_speed      # writes .svg and .png

Left: the whole call (score, select, attend) on the mixture at tau .9, stride 8 by stride 8, over the length.
Right: the whole call over the density, one line a length.
"""

import json
import pathlib
import sys

import matplotlib

matplotlib.use("Agg")
import matplotlib.pyplot as plt  # noqa: E402


def lines_of(rows: list[dict], key: str, x: str) -> dict[object, list[tuple[float, float]]]:
    """One line for each value of `key`, by rising x; of several rows at one x the fastest."""
    best: dict[object, dict[float, float]] = {}
    for row in rows:
        line = best.setdefault(row[key], {})
        line[row[x]] = max(row["speed_up"], line.get(row[x], 0.0))
    return {name: sorted(line.items()) for name, line in sorted(best.items())}


def draw(axes, lines: dict, label) -> None:
    for name, points in lines.items():
        axes.plot(*zip(*points), marker="o", markersize=3, linewidth=1.2, label=label(name))
    axes.axhline(1.0, color="grey", linewidth=0.8, linestyle=":")
    axes.set_yscale("log", base=2)
    axes.yaxis.set_major_formatter("{x:g}x")
    axes.grid(alpha=0.3)
    axes.legend(fontsize=7)


def main() -> None:
    if len(sys.argv) < 3:
        raise SystemExit(__doc__)
    *inputs, output = sys.argv[1:]
    reports = [json.loads(pathlib.Path(path).read_text()) for path in inputs]
    rows = [row for report in reports for row in report["rows"] if row.get("speed_up")]
    sparse = [row for row in rows if row["method"] == "xattention" and row["head_dim"] == 128]
    if not sparse:
        raise SystemExit("plot_attention: no scored rows with a speed-up in these files")

    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4), constrained_layout=True)
    at_tau = [
        {**row, "name": f"S = {row['stride']}, {row['scoring']}" + (", causal" if row["causal"] else "")}
        for row in sparse if row["tau"] == 0.9
    ]
    draw(left, lines_of(at_tau, "name", "length"), str)
    left.set_yscale("linear")  # within a factor of 2, where a log scale has no ticks
    left.yaxis.set_major_formatter("{x:g}x")
    left.set_xscale("log", base=2)
    left.xaxis.set_major_formatter(lambda tokens, _: f"{tokens / 1024:g}k")
    left.legend(fontsize=7, loc="lower right")
    left.set_xlabel("tokens")
    left.set_title("whole call at tau .9", fontsize=9)
    by_density = [row for row in sparse if not row["causal"] and row["stride"] == 8 and row["scoring"] == "bf16"]
    draw(right, lines_of(by_density, "length", "density"), lambda length: f"{length:,} tokens")
    right.set_xlabel("density")
    right.set_title("whole call, stride 8, bf16 scoring", fontsize=9)
    left.set_ylabel("speed-up over cuDNN dense")
    machine = reports[0].get("machine", {})
    figure.suptitle(f"{machine.get('gpu', '')}, driver {machine.get('driver', '?')}, {machine.get('date', '')}", fontsize=8)
    for suffix in (".svg", ".png"):
        figure.savefig(output + suffix, dpi=140)


if __name__ == "__main__":
    main()

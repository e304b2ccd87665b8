"""Markdown tables of attention_bench's and attention_peers.py's JSON, with the figures that were set as goals.

    tools/attention_tables.py issue.json sweep.json peers.json > benchmarks/results/h200_attention.md
"""

import json
import pathlib
import sys


class Rows:
    """Rows of all files, and what they say about the machine."""

    def __init__(self, paths: list[str]):
        self.rows, self.left_out, self.machines = [], [], []
        for path in paths:
            report = json.loads(pathlib.Path(path).read_text())
            self.rows += report["rows"]
            self.left_out += report.get("left_out", [])
            machine = dict(report.get("machine", {}))
            if report.get("commit"):
                machine["commit"] = report["commit"]
            self.machines.append((report["benchmark"], machine))

    def find(self, **wanted) -> list[dict]:
        return [row for row in self.rows if all(row.get(key) == value for key, value in wanted.items())]

    def nearest(self, density: float, **wanted) -> dict | None:
        """The row of that density, within .01."""
        near = [row for row in self.find(**wanted) if abs(row["density"] - density) <= 0.01]
        return min(near, key=lambda row: abs(row["density"] - density), default=None)


def table(head: list[str], lines: list[list[str]]) -> str:
    marks = ["---"] * len(head)
    return "\n".join("| " + " | ".join(cells) + " |" for cells in [head, marks, *lines]) + "\n"


def verdict(value: float, required: float | None, aim: float | None, least: bool) -> str:
    """Met, or missed by which share of the goal; `least`: more is better."""

    def words(goal: float) -> str:
        missed = (goal - value) / goal if least else (value - goal) / goal
        return "met" if missed <= 0 else f"missed by {100 * missed:.1f} %"

    parts = [f"required {words(required)}"] if required is not None else []
    parts += [f"aim {words(aim)}"] if aim is not None else []
    return ", ".join(parts)


def goals(rows: Rows) -> str:
    lines = []

    def add(what: str, value: float | None, unit: str, required, aim, least=True, digits=2) -> None:
        scale = 100 if unit == "%" else 1
        show = lambda x: "" if x is None else f"{x * scale:.{digits}f} {unit}".strip()
        if value is None:
            lines.append([what, "not measured", show(required), show(aim), ""])
        else:
            lines.append([what, f"**{show(value)}**", show(required), show(aim), verdict(value, required, aim, least)])

    full = {"group": "full", "length": 119_056}
    for scoring, required, aim in (("bf16", 18.0, 16.5), ("e4m3", None, 9.5), ("e4m3_apart", None, 9.5)):
        row = next(iter(rows.find(**full, scoring=scoring, tau=0.9)), None)
        value = row["score_ms"] + row["select_ms"] if row else None
        add(f"score + select, S = 8, {scoring}", value, "ms", required, aim, least=False)
    for density, required in ((0.344, 0.9), (0.1, 0.8)):
        row = rows.nearest(density, **full, method="xattention", scoring="bf16")
        add(
            f"sparse forward at density {density}, rate / cuDNN's at 118,784",
            row and row.get("share_of_unragged_rate"), "%", required, 1.0, digits=1,
        )
    for density, required, aims in ((0.344, 2.45, (2.75, 2.9)), (0.455, 1.9, (2.15, 2.2))):
        for scoring, aim in zip(("bf16", "e4m3", "e4m3_apart"), (aims[0], aims[1], aims[1])):
            row = rows.nearest(density, **full, method="xattention", scoring=scoring)
            add(f"whole call at {density}, {scoring} scoring, against cuDNN dense", row and row["speed_up"], "x", required, aim)
    for scoring, aim in (("bf16", None), ("e4m3", 0.09), ("e4m3_apart", 0.09)):
        row = rows.nearest(0.344, **full, method="xattention", scoring=scoring)
        add(f"score + select, share of the call at .344, {scoring}", row and row["overhead_share"], "%", 0.15, aim, least=False, digits=1)
    row = next((row for row in rows.find(**full, method="dense") if row["kernel"] != "cudnn"), None)
    add("dense through our kernel at 119,056 against cuDNN", row and row["speed_up"], "x", 1.0, 1.08)
    narrow = [row for row in rows.find(group="head_dim_64", method="dense") if row["kernel"] != "cudnn"]
    for row in narrow or [None]:
        name = f" ({row['kernel']})" if row else ""
        add(f"D = 64 dense against cuDNN's{name}", row and row["share_of_dense_rate"], "%", 0.75, 0.95, digits=1)
    return table(["figure", "measured", "required", "aim", "verdict"], lines)


def measured(chosen: list[dict]) -> str:
    def cell(row: dict, key: str, digits: int, scale: float = 1) -> str:
        return f"{row[key] * scale:.{digits}f}" if row.get(key) is not None else ""

    lines = []
    for row in chosen:
        how = row["kernel"] + (" dense" if row["method"] == "dense" else "")
        if row.get("scoring"):
            how += f", {row['scoring']} S={row['stride']} tau {row['tau']:.3f}"
        lines.append([
            f"{row['length']:,}", str(row["heads"]), str(row["head_dim"]),
            row["inputs"] + (", causal" if row["causal"] else ""), how, f"{row['density']:.4f}",
            cell(row, "score_ms", 2), cell(row, "select_ms", 2), cell(row, "attend_ms", 2), cell(row, "total_ms", 2),
            cell(row, "overhead_share", 1, 100), cell(row, "tflops", 0), cell(row, "share_of_dense_rate", 1, 100),
            cell(row, "speed_up", 2), cell(row, "recall", 4),
        ])
    head = [
        "S", "A", "D", "inputs", "kernel", "density", "score ms", "select ms", "attend ms", "call ms", "overhead %",
        "TFLOP/s", "% of cuDNN's rate", "speed-up", "true recall",
    ]
    return table(head, lines)


TITLES = {
    "full": "Full length", "head_dim_64": "Head dim 64", "causal": "Causal prefill", "sweep": "Sweep",
    "peers": "Peers on the same GPU", "single": "Single cases",
}


def main() -> None:
    if len(sys.argv) < 2:
        raise SystemExit(__doc__)
    rows = Rows(sys.argv[1:])
    print("# Attention on a GPU\n\nWritten by `tools/attention_tables.py` from the benchmarks' own output.\n")
    for name, machine in rows.machines:
        print(f"- {name}: " + ", ".join(f"{key} {value}" for key, value in machine.items()))
    print(
        "\nMedians of CUDA-event times after one run that does not count. `% of cuDNN's rate` compares work per second"
        "\nof the blocks that are attended to; `speed-up` the whole call, score and select included, with cuDNN's dense"
        "\nattention of the same inputs in the same process.\n"
    )
    if rows.find(group="full"):
        print("## Goals\n\n" + goals(rows))
    for group, title in TITLES.items():
        chosen = rows.find(group=group)
        if chosen:
            print(f"## {title}\n\n" + measured(chosen))
    if rows.left_out:
        print("## Left out\n")
        for item in rows.left_out:
            print(f"- {item['case']}: {item['why']}")


if __name__ == "__main__":
    main()

"""Two sides that run the same work by turns, and the ratio of their times.

Whatever else the machine does hits both sides alike, so the median of the pairs' ratios is what counts.
"""

import argparse
import json
import pathlib
import statistics
import subprocess
from collections.abc import Callable

BINARIES = pathlib.Path(__file__).resolve().parents[2] / "build/release/bin"


class PacedProgram:
    """A benchmark of this project, warm, that runs once for every call and returns its milliseconds."""

    def __init__(self, binary: pathlib.Path, flags: dict[str, object]):
        command = [str(binary), "--paced"]
        for name, value in flags.items():
            if isinstance(value, bool):
                command += [f"--{name}"] if value else []
            else:
                command += [f"--{name}", str(value)]
        self.process = subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)
        if self.process.stdout.readline() != "ready\n":
            raise SystemExit(f"{binary.name} did not become ready")

    def __call__(self) -> float:
        self.process.stdin.write("\n")
        self.process.stdin.flush()
        return float(self.process.stdout.readline())

    def close(self) -> None:
        self.process.stdin.close()
        self.process.wait()


def run_by_turns(ours: Callable[[], float], peer: Callable[[], float], pairs: int) -> list[tuple[float, float]]:
    """Milliseconds of both sides. Who goes first changes, so that a slow moment does not always hit the same side."""
    times = []
    for i in range(pairs):
        if i % 2 == 0:
            ours_ms = ours()
            peer_ms = peer()
        else:
            peer_ms = peer()
            ours_ms = ours()
        times.append((ours_ms, peer_ms))
    return times


def report(benchmark: str, peer: str, settings: dict[str, object], times: list[tuple[float, float]], as_json: bool):
    ratios = [ours / other for ours, other in times]
    result = {
        "format": 1, "benchmark": benchmark, "peer": peer, **settings, "pairs": len(times),
        "median_ratio": round(statistics.median(ratios), 3), "worst_ratio": round(max(ratios), 3),
        "median_ms": round(statistics.median(ours for ours, _ in times), 1),
        "peer_median_ms": round(statistics.median(other for _, other in times), 1),
    }
    print(json.dumps(result) if as_json else "\n".join(f"{key}: {value}" for key, value in result.items()))


def add_common_flags(parser: argparse.ArgumentParser, program: str, frames: int) -> None:
    parser.add_argument("--program", type=pathlib.Path, default=BINARIES / program)
    parser.add_argument("--pairs", type=int, default=9)
    parser.add_argument("--width", type=int, default=256)
    parser.add_argument("--height", type=int, default=256)
    parser.add_argument("--frames", type=int, default=frames)
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--json", action="store_true", help="print one JSON object")


def settings_of(arguments: argparse.Namespace, *names: str) -> dict[str, object]:
    return {name: getattr(arguments, name) for name in ("width", "height", "frames", "threads", *names)}

"""One denoising step with XAttention and the same step dense, both ours, by turns, and the ratio of their times.

    .deps/venv/bin/python benchmarks/peers/sparse_step.py [--density 0.25] [--frames 65] [--pairs 9] [--json]

The speed model's sizes with drawn weights. Scoring and selection run and count; the blocks that are attended to
come from a plan of the given density, because drawn weights have no attention pattern to find.
"""

import argparse

from turns import PacedProgram, add_common_flags, report, run_by_turns, settings_of


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    add_common_flags(parser, "dit_step", frames=65)
    parser.add_argument("--density", type=float, default=0.25)
    arguments = parser.parse_args()

    sizes = settings_of(arguments)
    sparse = PacedProgram(arguments.program, {**sizes, "density": arguments.density})
    dense = PacedProgram(arguments.program, sizes)
    times = run_by_turns(sparse, dense, arguments.pairs)
    sparse.close()
    dense.close()
    report("sparse_step", "dense", settings_of(arguments, "density"), times, arguments.json)


if __name__ == "__main__":
    main()

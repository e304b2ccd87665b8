#!/usr/bin/env python3
"""Checks who includes whom: the layers of docs/DESIGN.md, as a table.

    tools/check_includes.py              checks itself, then every C++ and CUDA file
    tools/check_includes.py --self-test  only shows that each rule finds what it forbids
"""

import pathlib
import re
import subprocess
import sys
import tempfile

# Folder -> folders of ours that it may include beside itself.
EVERYTHING = {
    "app", "attention", "batch", "core", "dit", "eval", "media", "pipeline", "report", "schedulers", "text_encoder", "vae", "vbench", "weights",
}
MAY_USE = {
    "core": set(),
    "weights": {"core"},
    "schedulers": {"core"},
    "attention": {"core"},
    "text_encoder": {"core", "weights", "attention"},
    "vae": {"core", "weights", "attention"},
    "dit": {"core", "weights", "attention"},
    "media": {"core"},
    "pipeline": {"core", "weights", "text_encoder", "dit", "attention", "schedulers", "vae", "media"},
    "eval": {"core", "media", "pipeline", "weights"},
    "report": {"core", "eval"},
    "batch": {"core", "weights", "text_encoder", "media", "pipeline"},
    "vbench": {"core", "media"},
    "app": EVERYTHING,
    "benchmarks": EVERYTHING | {"tests"},
    "examples": {"core", "media", "pipeline"},
    "tests": EVERYTHING | {"benchmarks"},  # whose synthetic inputs are tested too
    "cmake": set(),
}

# Library -> how its headers begin, and the folders that may include them (none given: all).
LIBRARIES = {
    "LibTorch": (r"(ATen|c10|torch|caffe2)/", None),
    "nlohmann/json": (r"nlohmann/", None),
    "spdlog and fmt": (r"(spdlog|fmt)/", None),
    "OpenSSL": (r"openssl/", {"core"}),
    "FFmpeg": (r"lib(av\w+|sw\w+|postproc)/", {"media"}),
    "OpenCV": (r"opencv2/", {"media", "eval"}),
    "PCRE2": (r"pcre2", {"text_encoder"}),
    "utf8proc": (r"utf8proc", {"text_encoder"}),
    "CLI11": (r"CLI/", {"app"}),
    "GoogleTest": (r"(gtest|gmock)/", {"tests"}),
    "Google Benchmark": (r"benchmark/", {"benchmarks"}),
}

# Too slow to read for a header that many sources include (design: 7 to 18 s each).
SLOW_HEADERS = {"ATen/ATen.h", "ATen/Functions.h", "torch/torch.h", "torch/types.h", "torch/extension.h", "torch/all.h"}

# Code below a kernels/ folder compiles with nvcc alone: it sees CUDA and the standard library.
KERNEL_MAY_INCLUDE = re.compile(r"cuda|cooperative_groups|cub/|thrust/|vector_types|nv/|mma\.h|crt/")

# What users of the library include; it and what it includes is installed.
INTERFACE = "pipeline/text_to_video.h"

SOURCE = re.compile(r"\.(h|cpp|cu|cuh)$")
HEADER = re.compile(r"\.(h|cuh)$")
INCLUDE = re.compile(r'^\s*#\s*include\s+([<"])([^>"]+)[>"]')


def problem(path: str, quoted: bool, target: str) -> str | None:
    """What is wrong with the file `path` including `target`, or None."""
    folder = path.split("/")[0]
    in_kernels = "kernels" in path.split("/")[:-1] and folder not in ("tests", "benchmarks")
    if folder not in MAY_USE:
        return f"folder {folder}/ is not in the table of tools/check_includes.py"
    if HEADER.search(path) and target in SLOW_HEADERS:
        return f"a header includes {target}: want <ATen/core/Tensor.h>"
    if quoted:
        other = target.split("/")[0]
        if "/" not in target:
            return f'"{target}" is not written from the top folder'
        if in_kernels and "kernels" not in target.split("/"):
            return f"kernels see no {other}/: want CUDA and the standard library only"
        if other != folder and other not in MAY_USE[folder]:
            allowed = ", ".join(sorted(MAY_USE[folder])) or "no other folder"
            return f"{folder}/ may not use {other}/: want {allowed}"
        return None
    for library, (beginning, folders) in LIBRARIES.items():
        if not re.match(beginning, target):
            continue
        if in_kernels:
            return f"kernels see no {library}: want CUDA and the standard library only"
        # Tests and benchmarks may look at everything, as the code that they try does.
        if folders is not None and folder not in folders | {"tests", "benchmarks"}:
            return f"{folder}/ may not use {library}: only {', '.join(sorted(folders))}"
        return None
    if in_kernels and "/" in target and not KERNEL_MAY_INCLUDE.match(target):
        return f"kernels see no <{target}>: want CUDA and the standard library only"
    if re.match(r"cuda|cub/|cute/|cutlass/", target) and HEADER.search(path) and not in_kernels:
        return f"a header outside kernels/ includes CUDA's {target}: want it in sources only"
    return None


def check(root: pathlib.Path, paths: list[str]) -> tuple[list[str], int]:
    """All problems of `paths` below `root`, one line each, and the number of includes looked at."""
    problems = []
    num_includes = 0
    for path in paths:
        for number, line in enumerate((root / path).read_text(encoding="utf-8").splitlines(), start=1):
            found = INCLUDE.match(line)
            if not found:
                continue
            num_includes += 1
            wrong = problem(path, found.group(1) == '"', found.group(2))
            if wrong:
                problems.append(f"{path}:{number}: {wrong}")
            elif found.group(1) == '"' and not (root / found.group(2)).is_file():
                problems.append(f'{path}:{number}: "{found.group(2)}" does not exist')
    return problems, num_includes


def check_public(root: pathlib.Path) -> list[str]:
    """What is wrong with the headers that cmake/ReelInstall.cmake installs: want exactly those that
    the library's interface includes, and of other libraries' only LibTorch's tensor."""
    text = (root / "cmake/ReelInstall.cmake").read_text(encoding="utf-8")
    listed = re.search(r"set\(public_headers([^)]*)\)", text)
    installed = set(listed.group(1).split()) if listed else set()
    needed, to_read, problems = set(), [INTERFACE], []
    while to_read:
        path = to_read.pop()
        if path in needed:
            continue
        needed.add(path)
        for line in (root / path).read_text(encoding="utf-8").splitlines():
            found = INCLUDE.match(line)
            if found and found.group(1) == '"':
                to_read.append(found.group(2))
            elif found and re.search(r"[/.]", found.group(2)) and found.group(2) != "ATen/core/Tensor.h":
                problems.append(f"{path}: a public header includes <{found.group(2)}>: want <ATen/core/Tensor.h> alone")
    if installed != needed:
        wrong = ", ".join(sorted(installed ^ needed))
        problems.append(f"cmake/ReelInstall.cmake: public headers are not those that {INTERFACE} includes: {wrong}")
    return problems


SELF_TEST = [  # file, line, the words that its problem must hold (None: no problem)
    ("core/a.cpp", '#include "core/a.h"', None),
    ("core/a.cpp", '#include "weights/a.h"', "core/ may not use weights/"),
    ("dit/a.cpp", '#include "weights/a.h"', None),
    ("dit/a.cpp", '#include "vae/a.h"', "dit/ may not use vae/: want attention, core, weights"),
    ("dit/a.cpp", '  #  include "media/a.h"', "dit/ may not use media/"),
    ("vae/a.cpp", '#include "pipeline/a.h"', "vae/ may not use pipeline/"),
    ("pipeline/a.cpp", '#include "media/a.h"', None),
    ("pipeline/a.cpp", '#include "app/a.h"', "pipeline/ may not use app/"),
    ("app/a.cpp", '#include "eval/a.h"', None),
    ("weights/a.cpp", '#include "tests/a.h"', "weights/ may not use tests/"),
    ("tests/a.cpp", '#include "vae/a.h"', None),
    ("tests/a.cpp", '#include "benchmarks/a.h"', None),
    ("dit/a.cpp", '#include "benchmarks/a.h"', "dit/ may not use benchmarks/"),
    ("examples/a.cpp", '#include "pipeline/a.h"', None),
    ("examples/a.cpp", '#include "dit/a.h"', "examples/ may not use dit/"),
    ("core/a.cpp", '#include "a.h"', "not written from the top folder"),
    ("core/a.cpp", '#include "core/absent.h"', "does not exist"),
    ("core/a.cpp", "#include <ATen/ATen.h>", None),
    ("core/a.h", "#include <ATen/core/Tensor.h>", None),
    ("core/a.h", "#include <ATen/ATen.h>", "a header includes ATen/ATen.h"),
    ("tests/a.h", "#include <torch/torch.h>", "a header includes torch/torch.h"),
    ("media/a.h", "#include <libavcodec/avcodec.h>", None),
    ("vae/a.cpp", "#include <libavcodec/avcodec.h>", "vae/ may not use FFmpeg: only media"),
    ("pipeline/a.cpp", "#include <libswscale/swscale.h>", "pipeline/ may not use FFmpeg"),
    ("dit/a.cpp", "#include <opencv2/core.hpp>", "dit/ may not use OpenCV: only eval, media"),
    ("pipeline/a.cpp", "#include <CLI/CLI.hpp>", "pipeline/ may not use CLI11: only app"),
    ("weights/a.cpp", "#include <pcre2.h>", "weights/ may not use PCRE2"),
    ("vae/a.cpp", "#include <gtest/gtest.h>", "vae/ may not use GoogleTest"),
    ("core/a.cpp", "#include <sys/stat.h>", None),
    ("attention/kernels/a.cu", "#include <cuda_bf16.h>", None),
    ("attention/kernels/a.cu", '#include "attention/kernels/a.h"', None),
    ("attention/kernels/a.cu", "#include <ATen/core/Tensor.h>", "kernels see no LibTorch"),
    ("attention/kernels/a.cu", '#include "core/a.h"', "kernels see no core/"),
    ("attention/kernels/a.h", "#include <spdlog/spdlog.h>", "kernels see no spdlog"),
    ("attention/a.h", "#include <cuda_runtime.h>", "a header outside kernels/ includes CUDA's"),
    ("attention/a.cpp", "#include <cuda_runtime.h>", None),
    ("misc/a.cpp", "#include <vector>", "folder misc/ is not in the table"),
]


def self_test_public() -> int:
    with tempfile.TemporaryDirectory() as name:
        root = pathlib.Path(name)
        for folder in ("cmake", "pipeline", "core"):
            (root / folder).mkdir()
        (root / "cmake/ReelInstall.cmake").write_text("set(public_headers\n  core/b.h\n  pipeline/text_to_video.h)\n")
        (root / INTERFACE).write_text('#include <vector>\n#include "core/a.h"\n')
        (root / "core/a.h").write_text("#include <fmt/format.h>\n")
        got = check_public(root)
    good = len(got) == 2 and "<fmt/format.h>" in got[0] and got[1].endswith(": core/a.h, core/b.h")
    if not good:
        print(f"self-test: public headers: got {got}")
    return 0 if good else 1


def self_test() -> int:
    failures = 0
    for path, line, want in SELF_TEST:
        with tempfile.TemporaryDirectory() as name:
            root = pathlib.Path(name)
            for folder in sorted(EVERYTHING | {"benchmarks", "tests", "attention/kernels"}):
                (root / folder).mkdir(parents=True, exist_ok=True)
                (root / folder / "a.h").write_text("")
            (root / path).parent.mkdir(exist_ok=True)
            (root / path).write_text(line + "\n")
            got, _ = check(root, [path])
        good = not got if want is None else len(got) == 1 and want in got[0]
        if not good:
            failures += 1
            print(f"self-test: {path}: {line}: got {got}, want {want}")
    failures += self_test_public()
    print(f"check_includes: self-test: {len(SELF_TEST) + 1 - failures} of {len(SELF_TEST) + 1} cases pass")
    return 1 if failures else 0


def main() -> int:
    if sys.argv[1:] == ["--self-test"]:
        return self_test()
    if sys.argv[1:]:
        print(__doc__)
        return 2
    if self_test() != 0:
        return 1
    root = pathlib.Path(__file__).resolve().parents[1]
    command = ["git", "ls-files", "-z", "--cached", "--others", "--exclude-standard", "--deduplicate"]
    listed = subprocess.run(command, cwd=root, check=True, capture_output=True, text=True).stdout
    paths = [path for path in listed.split("\0") if SOURCE.search(path) and (root / path).is_file()]
    problems, num_includes = check(root, paths)
    problems += check_public(root)
    for line in problems:
        print(line)
    if problems:
        print(f"check_includes: {len(problems)} problems")
        return 1
    print(f"check_includes: {num_includes} includes of {len(paths)} files keep to the layers")
    return 0


if __name__ == "__main__":
    sys.exit(main())

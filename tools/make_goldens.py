"""Makes tests/data anew from the public Python implementation.

    scripts/setup --python
    .deps/venv/bin/python tools/make_goldens.py [FOLDER ...]

Each module of tools/goldens with a function make() writes the folder of its own name. Afterwards
tests/data/MANIFEST.json lists every file with its sum, and the versions that made it.
"""

import importlib
import importlib.metadata
import json
import pathlib
import platform
import sys

TOOLS = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(TOOLS))

from goldens import common  # noqa: E402

PACKAGES = ("torch", "diffusers", "transformers", "tokenizers", "safetensors", "numpy", "scikit-image", "lpips", "torchvision")


def modules() -> list[str]:
    """The golden modules, tokenizers first because the text encoders' goldens use them."""
    names = sorted(path.stem for path in (TOOLS / "goldens").glob("*.py") if path.stem not in ("common", "__init__"))
    return sorted(names, key=lambda name: name != "tokenizers")


def write_manifest() -> None:
    files = sorted(path for path in common.DATA.rglob("*") if path.is_file() and path.name != "MANIFEST.json")
    manifest = {
        "command": ".deps/venv/bin/python tools/make_goldens.py",
        "python": platform.python_version(),
        "versions": {name: importlib.metadata.version(name) for name in PACKAGES},
        "files": {
            str(path.relative_to(common.DATA)): {"bytes": path.stat().st_size, "sha256": common.sha256(path)}
            for path in files
        },
    }
    text = json.dumps(manifest, indent=1, sort_keys=True) + "\n"
    (common.DATA / "MANIFEST.json").write_text(text)
    total = sum(path.stat().st_size for path in files)
    print(f"{len(files)} files, {total / 1e6:.2f} MB")


def main() -> None:
    wanted = sys.argv[1:] or modules()
    unknown = sorted(set(wanted) - set(modules()))
    if unknown:
        sys.exit(f"make_goldens: unknown: got {' '.join(unknown)}, want some of {' '.join(modules())}")
    for name in wanted:
        print(f"goldens: {name}", flush=True)
        module = importlib.import_module(f"goldens.{name}")
        if hasattr(module, "make"):
            module.make()
    write_manifest()


if __name__ == "__main__":
    main()

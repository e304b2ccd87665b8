#!/usr/bin/env python3
"""Writes the seeds of the fuzz targets, tests/fuzz/corpus/NAME/, from tests/data and from this file.

    tools/fuzz_corpus.py     needs nothing but Python and Debian's ffmpeg
"""

import hashlib
import json
import pathlib
import shutil
import struct
import subprocess
import zipfile

ROOT = pathlib.Path(__file__).resolve().parents[1]
DATA = ROOT / "tests/data"
CORPUS = ROOT / "tests/fuzz/corpus"

ATTENTION = {
    "mode": "xattn", "tau": 0.9, "stride": 8, "block": 128, "dense_steps": 1, "dense_tail": 0, "dense_layers": "",
    "protect": "text,self", "select": "antidiagonal", "rule": "tau", "schedule_hash": "00",
    "rules": [{"steps": "0", "layers": "0-2", "heads": "0-3", "mode": "dense"},
              {"steps": "1", "layers": "0-2", "heads": "0-3", "mode": "xattn", "tau": 0.9, "stride": 8, "block": 128}],
}
METADATA = {
    "format": 1,
    "program": {"name": "sparsereel", "version": "0.1.0", "commit": "0"},
    "request": {
        "prompt": "A red ball.", "negative_prompt": "", "template": "video", "seed": 42, "width": 64, "height": 64,
        "frames": 5, "steps": 2, "guidance": 6.0, "cfg_scale": 1.0, "flow_shift": 7.0, "fps": 16,
        "vae_tiling": "auto", "noise": "cpu-fp32"},
    "attention": ATTENTION,
    "density": {"mean": 1.0, "mean_sparse": 1.0, "by_step": [1.0, 1.0]},
    "device": {"name": "cpu", "dtype": "fp32", "threads": 2, "vae_dtype": "fp32"},
    "encoder": {"codec": "h264", "encoder": "libx264", "crf": 17.0, "preset": "slow", "pix_fmt": "yuv420p",
                "lossless": False},
    "model": {"name": "demo", "layout": "diffusers",
              "files": [{"name": "a.safetensors", "bytes": 8, "header_sha256": "0123"}]},
    "noise_sha256": "00", "latents_sha256": "00", "request_hash": "00",
    "timing_ms": {"denoise": 12.5, "decode": 3.5, "steps": [8.0, 4.5], "total": 20.0},
}


def compact(value) -> bytes:
    return json.dumps(value, separators=(",", ":"), ensure_ascii=False).encode()


def put(target: str, name: str, content: bytes) -> None:
    folder = CORPUS / target
    folder.mkdir(parents=True, exist_ok=True)
    (folder / name).write_bytes(content)


def copy(target: str, *names: str) -> None:
    for name in names:
        put(target, name.replace("/", "_"), (DATA / name).read_bytes())


def safetensors(header: dict, data: bytes) -> bytes:
    text = compact(header)
    return struct.pack("<Q", len(text)) + text + data


def official_transformer() -> bytes:
    """What tells the config of an official transformer; empty tensors beside one norm."""
    shapes = {"img_in.proj.weight": [128, 1, 1, 1, 1], "double_blocks.0.img_attn_q_norm.weight": [128],
              "double_blocks.0.img_mlp.fc1.weight": [4, 0], "single_blocks.0.q_norm.weight": [128],
              "txt_in.input_embedder.weight": [0, 8], "vector_in.in_layer.weight": [0, 4],
              "txt_in.individual_token_refiner.blocks.0.norm1.weight": [0],
              "guidance_in.mlp.0.weight": [0, 256], "final_layer.linear.weight": [1, 0]}
    header, end = {}, 0
    for name, shape in shapes.items():
        begin, size = end, 1
        for length in shape:
            size *= length
        end += size
        header[name] = {"dtype": "U8", "shape": shape, "data_offsets": [begin, end]}
    return safetensors(header, bytes(end))


def weights() -> None:
    copy("safetensors", "weights/all.safetensors", "weights/a-00001-of-00002.safetensors")
    put("safetensors", "empty", safetensors({}, b""))
    put("safetensors", "metadata", safetensors(
        {"__metadata__": {"a": "b"}, "x": {"dtype": "BF16", "shape": [0, 3], "data_offsets": [0, 0]},
         "y": {"dtype": "BOOL", "shape": [2], "data_offsets": [0, 2]}}, b"\0\1"))
    put("safetensors", "official_names", official_transformer())
    copy("sharded_safetensors", "weights/a.safetensors.index.json")
    archives = ["state_dict", "module", "bare", "fp8", "foreign_global", "protocol_4", "before_1_6"]
    for name in archives:
        copy("torch_archive", f"weights/{name}.pt")
        if name == "before_1_6":
            continue
        with zipfile.ZipFile(DATA / f"weights/{name}.pt") as archive:
            pickled = next(entry for entry in archive.namelist() if entry.endswith("/data.pkl"))
            put("pickle", f"{name}.pkl", archive.read(pickled))


def texts() -> None:
    put("strict_json", "values", b'{"a": [1, -2.5e3, "\\u00e9\\n", true, null], "b": {"c": []}, "d": 18446744073709551615}')
    put("strict_json", "twice", b'{"a": 1, "a": 2}')
    put("strict_json", "deep", b"[" * 110 + b"]" * 110)
    for part in ["transformer", "vae", "text_encoder", "text_encoder_2"]:
        copy("configs", f"tiny_model/{part}/config.json")
    copy("configs", "tiny_model/model_index.json", "tiny_model/scheduler/scheduler_config.json", "vae/config.json")
    defaults = {"format": 1, "width": 256, "height": 256, "frames": 33, "steps": 20, "fps": "24000/1001",
                "guidance": 6.0, "cfg_scale": 1, "flow_shift": 7, "attn": "xattn", "tau": 0.9, "stride": 8,
                "block": 128, "dense_steps": "10%"}
    put("configs", "sparsereel.json", compact(defaults))

    llama = DATA / "text_encoder/tokenizer"
    tokenizer = compact(json.loads((llama / "tokenizer.json").read_text()))
    settings = compact(json.loads((llama / "tokenizer_config.json").read_text()))
    put("llama_tokenizer", "tiny", b"\0".join([tokenizer, settings, "a cat’s 12 paws".encode()]))
    clip = DATA / "text_encoder/tokenizer_2"
    vocabulary = compact(json.loads((clip / "vocab.json").read_text()))
    special = compact(json.loads((clip / "special_tokens_map.json").read_text()))
    put("clip_tokenizer", "tiny",
        b"\0".join([vocabulary, (clip / "merges.txt").read_bytes(), special, "a cat’s 12 paws".encode()]))

    put("schedule_file", "rules", compact({"format": 1, "rules": ATTENTION["rules"]}))
    put("schedule_file", "head_tau", compact({"format": 1, "tau": [[0.9, 0.95], [0.8, 0.9], [1, 0.5]]}))
    put("schedule_file", "flags", b"\0".join([b"50%", b"0-1,2", b"text,self,sink=2", b"random", b"top-k=3"]))

    put("job_list", "lines.jsonl",
        b'{"prompt": "a cat", "seeds": [1, 2], "tau": 0.9, "tags": {"a": [1]}}\n# note\n'
        b'{"prompt": "a dog", "id": "dog", "fps": "24000/1001", "dense_steps": "10%", "output": "{id}.mp4"}\n')
    put("job_list", "table.csv",
        b'prompt,seeds,width,guidance,tags\n"a cat, ""big""",1 2 3,256,6.5,"{""a"": 1}"\na dog,,128,,\n')
    put("job_list", "events.jsonl",
        b'{"format":1,"event":"done","time":"2026-01-01T00:00:00Z","process":"h:1","id":"0001"}\n')
    copy("vbench_files", "vbench/info.json")
    info = json.loads((DATA / "vbench/info.json").read_text())
    put("vbench_files", "long", compact(info[:2]) + b"\0one long prompt\nanother\n")
    put("vbench_files", "results", compact({"subject_consistency": [0.96, [1]], "imaging quality": [67.5, []],
                                            "color": True}))


def runs() -> None:
    put("run_metadata", "sidecar", compact(METADATA))
    reference = json.loads(json.dumps(METADATA))
    reference["attention"]["mode"] = reference["attention"]["rules"][1]["mode"] = "reference"
    put("run_metadata", "reference", compact(reference))
    put("run_metadata", "density", compact(
        {"format": 1, "mean": 0.5, "mean_sparse": 0.25, "by_step": [1, 0.25], "density": [[[1, 1]], [[0.25, 0.25]]]}))
    put("run_metadata", "recall", compact(
        {"format": 1, "samples": 8, "mean": 0.9, "mean_dense_steps": 0.9, "dense": [[True]], "recall": [[[0.9]]],
         "density": [[[0.5]]]}))

    latents = struct.pack("<16f", *[i / 8 for i in range(16)])
    record = {"format": 1, "hash": "00", "num_steps": 2, "steps": [{"ms": 1.5, "dense": True, "density": 1.0}],
              "density": [[[1.0]]], "stages": [{"name": "denoise", "ms": 1.5}], "text_tokens": 5,
              "clip": {"latents_sha256": hashlib.sha256(latents).hexdigest(), "request": METADATA["request"]}}
    entry = {"dtype": "F32", "shape": [1, 4, 1, 2, 2], "data_offsets": [0, 64]}
    put("run_state", "state", safetensors(
        {"__metadata__": {"sparsereel": compact(record).decode()}, "unfinished_latents": entry}, latents))
    record["steps"] *= 2
    put("run_state", "latents", safetensors(
        {"__metadata__": {"sparsereel": compact(record).decode()}, "latents": entry}, latents))
    put("run_state", "bare", safetensors({"latents": entry}, latents))


def videos() -> None:
    def video(name: str, *arguments: str) -> None:
        folder = CORPUS / "video_facts"
        folder.mkdir(parents=True, exist_ok=True)
        command = ["ffmpeg", "-v", "error", "-y", "-f", "lavfi", "-i", "testsrc=size=32x32:rate=8", "-frames:v", "2",
                   "-fflags", "+bitexact", "-flags:v", "+bitexact", *arguments, str(folder / name)]
        subprocess.run(command, check=True)

    comment = ["-metadata", "comment=" + compact(METADATA).decode()]
    video("h264.mp4", "-c:v", "libx264", "-pix_fmt", "yuv420p", *comment, "-movflags", "+faststart")
    video("index_behind.mp4", "-c:v", "mpeg4", *comment)
    video("fragments.mp4", "-c:v", "mpeg4", "-movflags", "+frag_keyframe+empty_moov")
    video("vp9.webm", "-c:v", "libvpx-vp9", "-color_primaries", "bt709", "-color_trc", "bt709", "-colorspace", "bt709")
    video("still.png", "-frames:v", "1")


def main() -> None:
    shutil.rmtree(CORPUS, ignore_errors=True)
    weights()
    texts()
    runs()
    videos()
    files = [path for path in CORPUS.rglob("*") if path.is_file()]
    print(f"{len(files)} seeds, {sum(path.stat().st_size for path in files)} bytes")


if __name__ == "__main__":
    main()

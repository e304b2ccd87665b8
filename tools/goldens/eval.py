"""PSNR and SSIM of pairs of frames by scikit-image, LPIPS by the package lpips."""

import export_lpips
import lpips
import numpy as np
import torch
from skimage.metrics import peak_signal_noise_ratio, structural_similarity

from . import common

SIZES = {"even": (48, 64), "odd": (37, 53), "least": (11, 11), "narrow": (12, 90)}


def frame(generator: np.random.Generator, height: int, width: int) -> np.ndarray:
    """A smooth picture with some texture, as frames have."""
    y, x = np.mgrid[0:height, 0:width]
    waves = [np.sin(x / (5 + 3 * k) + k) + np.cos(y / (4 + 2 * k)) for k in range(3)]
    picture = 110 + 45 * np.stack(waves, -1) + generator.normal(0, 8, (height, width, 3))
    return picture.clip(0, 255).astype(np.uint8)


def make_lpips() -> None:
    """Networks with drawn weights: the C++ side draws the same under the same names."""
    generator = np.random.default_rng(8)
    reference = np.stack([frame(generator, 40, 56) for _ in range(2)])
    frames = (reference + generator.normal(0, 20, reference.shape)).clip(0, 255).astype(np.uint8)
    tensors = {"reference": torch.from_numpy(reference), "frames": torch.from_numpy(frames)}
    for net in export_lpips.NETS:
        model = lpips.LPIPS(net=net, version="0.1", pretrained=False, pnet_rand=True, verbose=False).eval()
        common.draw_tensors(export_lpips.parameters_of(model), seed=21)
        pixels = [tensors[name].permute(0, 3, 1, 2).float() / 127.5 - 1 for name in ("reference", "frames")]
        with torch.no_grad():
            tensors[net] = model(*pixels).flatten()
    common.save("eval/lpips", tensors)


def make() -> None:
    make_lpips()
    generator = np.random.default_rng(7)
    tensors, facts = {}, {}
    for name, (height, width) in SIZES.items():
        a = frame(generator, height, width)
        tensors[name] = torch.from_numpy(a)
        for kind, b in (
            ("noisy", (a + generator.normal(0, 12, a.shape)).clip(0, 255).astype(np.uint8)),
            ("moved", np.roll(a, 2, axis=1)),
            ("dark", (a * 0.6).astype(np.uint8)),
            ("one", np.where(np.arange(a.size).reshape(a.shape) == 5, a ^ 1, a)),
        ):
            case = f"{name}_{kind}"
            tensors[case] = torch.from_numpy(b)
            facts[f"{case}_psnr"] = peak_signal_noise_ratio(a, b, data_range=255)
            facts[f"{case}_ssim"] = structural_similarity(
                a, b, channel_axis=-1, data_range=255, gaussian_weights=True, sigma=1.5, use_sample_covariance=False)
    common.save("eval/frames", tensors, facts)

"""The VAE in training: a faster replicate padding, reconstruction error, and latent statistics."""

import math

import torch
import torch.nn.functional as F
from diffusers import AutoencoderKLHunyuanVideo
from diffusers.models.autoencoders.autoencoder_kl_hunyuan_video import HunyuanVideoCausalConv3d


class _CausalPad(torch.autograd.Function):
    """Replicate padding by 1 in H and W and by 2 in front of T; its gradient is slices and sums,
    where the stock one scatters with atomic additions."""

    @staticmethod
    def forward(context, x):
        return F.pad(x, (1, 1, 1, 1, 2, 0), mode="replicate")

    @staticmethod
    def backward(context, gradient):
        inner = gradient[:, :, 2:].clone()
        inner[:, :, 0] += gradient[:, :, 0] + gradient[:, :, 1]
        rows = inner[:, :, :, 1:-1]
        rows[:, :, :, 0] += inner[:, :, :, 0]
        rows[:, :, :, -1] += inner[:, :, :, -1]
        columns = rows[..., 1:-1]
        columns[..., 0] += rows[..., 0]
        columns[..., -1] += rows[..., -1]
        return columns.contiguous()


def quicken(vae: AutoencoderKLHunyuanVideo) -> AutoencoderKLHunyuanVideo:
    """Replaces the padding of all 3x3x3 convolutions; the computed function stays the same."""
    for module in vae.modules():
        if isinstance(module, HunyuanVideoCausalConv3d) and module.conv.kernel_size == (3, 3, 3):
            conv = module.conv
            module.forward = lambda x, conv=conv: conv(_CausalPad.apply(x))
    return vae


def initialise(vae: AutoencoderKLHunyuanVideo) -> None:
    """Residual branches start small; the posterior starts at a standard deviation of e^-2.5."""
    with torch.no_grad():
        for name, parameter in vae.named_parameters():
            if name.endswith("conv2.conv.weight") or name.endswith("to_out.0.weight"):
                parameter.mul_(0.2)
        half = vae.quant_conv.weight.shape[0] // 2
        vae.quant_conv.weight[half:].mul_(0.1)
        vae.quant_conv.bias[half:].fill_(-5.0)


def encode(vae: AutoencoderKLHunyuanVideo,
           clips: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor]:
    """Posterior mean and log variance of whole clips (no tiles)."""
    moments = vae.quant_conv(vae.encoder(clips))
    mean, log_variance = moments.chunk(2, dim=1)
    return mean, log_variance.clamp(-30.0, 20.0)


def decode(vae: AutoencoderKLHunyuanVideo, latents: torch.Tensor) -> torch.Tensor:
    """Whole clips (no tiles) in about [-1, 1]."""
    return vae.decoder(vae.post_quant_conv(latents))


def psnr(first: torch.Tensor, second: torch.Tensor) -> list[float]:
    """Per clip, of values in [-1, 1] compared as colours in [0, 1]."""
    error = ((first.clamp(-1, 1) - second.clamp(-1, 1)).float() * 0.5).square()
    return [-10.0 * math.log10(max(float(value), 1e-12)) for value in error.flatten(1).mean(1)]


@torch.no_grad()
def fold_statistics(vae: AutoencoderKLHunyuanVideo, means: torch.Tensor, deviation: float) -> None:
    """Moves the latent means [16] into the 1x1x1 convolutions, exactly, so that latents have zero
    mean; sets scaling_factor so that scaled latents have unit deviation over all channels."""
    channels = len(means)
    means = means.to(vae.quant_conv.bias)
    vae.quant_conv.bias[:channels] -= means
    weight = vae.post_quant_conv.weight[:, :, 0, 0, 0]
    vae.post_quant_conv.bias += weight @ means
    vae.register_to_config(scaling_factor=round(1.0 / deviation, 6))

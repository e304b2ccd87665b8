"""Goldens of the sigma schedule, from diffusers' flow-match scheduler called as HunyuanVideoPipeline calls it."""

import numpy
from diffusers import FlowMatchEulerDiscreteScheduler

from . import common

# number of steps, shift
SCHEDULES = [(50, 7.0), (6, 17.0), (30, 5.0), (4, 7.0), (1, 7.0), (33, 1.0), (20, 12.5)]


def make() -> None:
    schedules = []
    for num_steps, shift in SCHEDULES:
        scheduler = FlowMatchEulerDiscreteScheduler(shift=shift)
        scheduler.set_timesteps(sigmas=numpy.linspace(1.0, 0.0, num_steps + 1)[:-1])
        schedules.append({
            "num_steps": num_steps, "shift": shift,
            "sigmas": scheduler.sigmas.tolist(), "timesteps": scheduler.timesteps.tolist(),
        })
    common.save_json("schedulers/schedules", {"schedules": schedules})

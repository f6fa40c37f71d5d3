"""Memory of each of several training processes of the largest network here, with a copy of the model or a share of it.

    torchrun --standalone --nproc_per_node 2 training_memory.py
    ACCELERATE_USE_FSDP=true FSDP_VERSION=2 torchrun --standalone --nproc_per_node 2 training_memory.py

Prints, for the first process, what its weights, gradients and moments take, and the peak of its resident memory in 3
steps on patches of 32 pixels, above what it had with PyTorch loaded and nothing made. With
MALLOC_MMAP_THRESHOLD_=65536 and MALLOC_TRIM_THRESHOLD_=65536 the C library gives back what is free. Linux only.
"""

from __future__ import annotations

from pathlib import Path

import torch
from torch import Tensor

from undegrade.batch import Batch
from undegrade.networks import PIPNAFNet, UniversalRestorer
from undegrade.objectives import Restoration
from undegrade.training.loop import fit, make_optimizer
from undegrade.training.processes import join
from undegrade.training.recipe import Stage
from undegrade.training.sharding import shard, sharding_wanted

STATUS = Path("/proc/self/status")


def resident(field: str) -> float:
    """MB; "VmRSS" is now, "VmHWM" the peak."""
    line = next(line for line in STATUS.read_text().splitlines() if line.startswith(field))
    return int(line.split()[1]) * 1024 / 1e6


def held(tensors: list[Tensor]) -> float:
    """MB of this process."""
    own = [getattr(t, "to_local", lambda t=t: t)() for t in tensors]
    return sum(t.numel() * t.element_size() for t in own) / 1e6


def main() -> None:
    accelerator = join()
    torch.manual_seed(0)
    before = resident("VmRSS")
    objective = Restoration(Restoration.Config(), UniversalRestorer(PIPNAFNet(PIPNAFNet.Config()), None, ()))
    stage = Stage(objective=Restoration.Config(), steps=3, batch=2, crop=32, lr=1e-4, warmup=0, bf16=False)
    shared = sharding_wanted(accelerator)
    if shared:
        shard(accelerator, objective)
    optimizer = make_optimizer(objective, stage)
    pictures = torch.rand(1, 3, 32, 32)
    batch = Batch(degraded=pictures, clean=pictures.clone(), label=torch.tensor([4]))
    Path("/proc/self/clear_refs").write_text("5")  # the peak begins here
    fit(objective, [batch] * stage.steps, stage, optimizer=optimizer)
    weights = held(list(objective.parameters()))
    moments = held([value for state in optimizer.state.values() for value in state.values() if value.ndim])
    if accelerator.is_main_process:
        kind = "shares" if shared else "copies"
        kept, peak = 2 * weights + moments, resident("VmHWM") - before
        print(
            f"{kind} of {accelerator.num_processes}: weights {weights:.0f} MB, with gradients and moments {kept:.0f} MB"
        )
        print(f"peak of resident memory: {peak:.0f} MB above the {before:.0f} MB of an idle process")


if __name__ == "__main__":
    main()

"""The configuration files for accelerate are what its own loader takes; test_many_processes.py starts one."""

from pathlib import Path

import pytest
from accelerate.commands.config.config_args import load_config_from_file

FILES = Path(__file__).parents[2] / "deploy" / "accelerate"


def test_each_file_is_tested_here() -> None:
    assert {path.name for path in FILES.iterdir()} == {"ddp.yaml", "fsdp2.yaml"}


@pytest.mark.parametrize(("name", "kind"), [("ddp", "MULTI_GPU"), ("fsdp2", "FSDP")])
def test_a_file_says_how_the_processes_share_the_work(name: str, kind: str) -> None:
    config = load_config_from_file(str(FILES / f"{name}.yaml"))
    assert config.distributed_type == kind
    assert (config.num_processes, config.num_machines, config.machine_rank) == (4, 1, 0)
    assert config.mixed_precision == "no"  # undegrade's own autocast goes by the recipe
    assert config.fsdp_config == ({"fsdp_version": 2} if kind == "FSDP" else {})

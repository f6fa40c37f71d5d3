import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

import undegrade

NAMES = [
    "Degraded",
    "Diagnosis",
    "Record",
    "Restorer",
    "Result",
    "UndegradeError",
    "__version__",
    "degrade",
    "diagnose",
    "load",
    "replay",
    "restore",
]
HEAVY = {"numpy", "openvino", "pyvips", "rich", "torch", "typer"}


def test_the_public_names_are_these() -> None:
    assert sorted(undegrade.__all__) == NAMES
    assert len(undegrade.__all__) <= 15
    assert all(getattr(undegrade, name) is not None for name in NAMES)
    assert set(NAMES) <= set(dir(undegrade))


def test_an_unknown_name_is_an_attribute_error() -> None:
    with pytest.raises(AttributeError, match="no attribute 'nonsense'"):
        undegrade.nonsense  # noqa: B018


def test_the_version_is_the_package_s() -> None:
    project = Path(__file__).parent.parent / "pyproject.toml"
    assert tomllib.loads(project.read_text())["project"]["version"] == undegrade.__version__


def loaded_after(code: str) -> set[str]:
    """The top-level modules that `code` loads in a fresh interpreter."""
    script = f"import sys\n{code}\nprint(*{{name.partition('.')[0] for name in sys.modules}}, file=sys.stderr)"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    return set(done.stderr.split())


def test_importing_is_light() -> None:
    assert not loaded_after("import undegrade") & HEAVY


def test_help_is_light() -> None:
    loaded = loaded_after("from undegrade.cli import main\nassert main(['--help']) == 0")
    assert loaded & HEAVY == {"typer"}


def test_the_base_rooms_need_no_torch() -> None:
    loaded = loaded_after("import undegrade.api, undegrade.inference.batch\nundegrade.restore")
    assert not loaded & {"torch", "safetensors", "skimage"}
    assert "openvino" not in loaded

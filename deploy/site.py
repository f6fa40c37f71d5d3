"""What MkDocs is told while it builds the documentation site: the files outside docs/, the gallery, the reference.

The pages are written for the repository, where their links lead to files; here these links are led to pages.
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import Any

import numpy as np
import pyvips
import torch
from mkdocs.config.defaults import MkDocsConfig
from mkdocs.structure.files import File, Files
from mkdocs.structure.pages import Page
from mkdocs.utils import get_relative_url

import undegrade
from undegrade.degradations import DEGRADATIONS
from undegrade.degradations.base import FAMILIES, Degradation
from undegrade.evaluation.run import centre_crop, quantise
from undegrade.images import read_picture

ROOT = Path(__file__).resolve().parents[1]
# Files outside docs/ that are shown or linked; the README is the first page.
BESIDE = (
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "LICENSE",
    "SECURITY.md",
    "benchmarks/README.md",
    "src/undegrade/weights/default.md",
    "src/undegrade/weights/quality.md",
    "src/undegrade/weights/universal-small.md",
    "src/undegrade/weights/universal-small.photos.csv",
)
# A link or a picture of Markdown, or the source of a picture in HTML: what stands before the address, and the address.
ADDRESS = re.compile(r"(\]\(|\bsrc=\")([^)\"#\s]+)")
FAR_WORKER = "https://unpkg.com/iframe-worker/shim"
PHOTO = "examples/cat-well.png"  # that the gallery spoils
SIDE, GAP = 224, 6  # pixels
LEVELS = (0.15, 0.5, 0.9)  # of each range


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """Fill the navigation of the reference, a page for each part of the package."""
    pages = [{"Python calls": "reference/index.md"}, *({name: f"reference/{name}.md"} for name in parts())]
    for entry in config.nav or []:
        if entry.get("Reference") == "reference":
            entry["Reference"] = pages
    return config


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Add what does not lie in docs/, or is made of the package itself."""
    files.append(File.generated(config, "index.md", abs_src_path=str(ROOT / "README.md")))
    results = [str(path.relative_to(ROOT)) for path in sorted((ROOT / "benchmarks/results").glob("*.json"))]
    for name in (*BESIDE, *results):
        files.append(File.generated(config, name, abs_src_path=str(ROOT / name)))
    generated: dict[str, str | bytes] = {"gallery.md": gallery(), "reference/index.md": calls(), **dict(strips())}
    generated |= {f"reference/{name}.md": reference(name, modules) for name, modules in parts().items()}
    for name, content in generated.items():
        files.append(File.generated(config, name, content=content))
    return files


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lead links between files of the repository to the pages of the site."""
    here = page.file.src_uri
    return ADDRESS.sub(lambda found: found[1] + address_on_site(found[2], here), markdown)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """The theme takes the stand-in for a Worker from a host far away; the site brings its own."""
    return output.replace(FAR_WORKER, get_relative_url("worker-from-disk.js", page.url))


def on_post_template(output_content: str, template_name: str, config: MkDocsConfig) -> str:
    """The same for the page of a missing address, which stands beside the first one."""
    return output_content.replace(FAR_WORKER, "worker-from-disk.js")


def address_on_site(address: str, page: str) -> str:
    """Where an address that is right in the repository leads on the site, seen from the page."""
    if ":" in address or page == "gallery.md" or page.startswith("reference/"):
        return address
    outside = page == "index.md" or page in BESIDE
    folder = posixpath.dirname(page) if outside else "docs"
    target = posixpath.normpath(posixpath.join(folder, address)).removeprefix("docs/")
    target = "index.md" if target == "README.md" else target
    return posixpath.relpath(target, posixpath.dirname(page) or ".")


def parts() -> dict[str, list[str]]:
    """The parts of the package, and the modules of each that have something public to say."""
    package = ROOT / "src/undegrade"
    found: dict[str, list[str]] = {}
    for path in sorted(package.glob("*/**/*.py")):
        if path.name != "__init__.py":
            found.setdefault(path.parent.name, []).append(
                ".".join(path.relative_to(package.parent).with_suffix("").parts)
            )
    del found["cli"]  # its verbs are told by --help
    return found


def reference(name: str, modules: list[str]) -> str:
    """A page of the reference."""
    return "\n\n".join([f"# undegrade.{name}", *(f"::: {module}" for module in modules)]) + "\n"


def calls() -> str:
    """The page of the public names."""
    homes: dict[str, str] = undegrade._HOMES | {"UndegradeError": "undegrade.errors"}
    named = [f"::: {homes[name]}.{name}" for name in undegrade.__all__ if name in homes]
    return "\n\n".join(["# Python calls", "All of these are names of `undegrade` itself.", *named]) + "\n"


def gallery() -> str:
    """The page of all degradations: a strip from mild to strong, the equation, the ranges."""
    lines = [
        "# Degradations",
        f"All {len(DEGRADATIONS)} of them: a clean photo, and spoiled at 15, 50 and 90 % of the ranges. Any may be "
        "given to `undegrade degrade --as`, to the mixture of a recipe, and to the page's tab that spoils.",
    ]
    for family in FAMILIES:
        lines.append(f"## {family.capitalize()}")
        for name, kind in DEGRADATIONS.items():
            if kind.family == family:
                lines += [f"### {name}", f"![{name}, from mild to strong](gallery/{name}.jpg)", *words(kind)]
    return "\n\n".join(lines) + "\n"


def words(kind: type[Degradation]) -> list[str]:
    """The docstring, and the table of the fields."""
    paragraphs = (kind.__doc__ or "").strip().split("\n\n")
    rows = []
    for name, unit in kind.units().items():
        low, high = getattr(kind(), name)
        rows.append(f"| `{name}` | {low:g} to {high:g} | {unit.limits[0]:g} to {unit.limits[1]:g} | {unit.text} |")
    table = ["| field | drawn from | permitted | unit |\n|---|---|---|---|\n" + "\n".join(rows)] if rows else []
    # Intervals are no links, and comparisons no tags.
    said = [re.sub(r"([\[<])", r"\\\1", " ".join(part.split())) for part in paragraphs]
    return [*said, *table]


def strips() -> list[tuple[str, Any]]:
    """The pictures of the gallery, as JPEG."""
    clean = torch.from_numpy(centre_crop(read_picture(ROOT / PHOTO).pixels, SIDE)).float()
    torch.set_num_threads(1)  # the pictures are small
    made = []
    for name, kind in DEGRADATIONS.items():
        tiles = [picture(clean)]
        for level in LEVELS:
            rng = torch.Generator().manual_seed(1)
            tiles.append(picture(kind().degrade(clean, rng, kind().at_level(level))))
        strip = pyvips.Image.arrayjoin(tiles, across=len(tiles), shim=GAP, background=255)
        made.append((f"gallery/{name}.jpg", strip.jpegsave_buffer(Q=88)))
    return made


def picture(pixels: torch.Tensor) -> pyvips.Image:
    """(3, H, W) in [0, 1] -> 8 bits."""
    samples = np.ascontiguousarray(np.moveaxis(quantise(pixels.numpy()) * 255, 0, 2).round().astype(np.uint8))
    return pyvips.Image.new_from_array(samples).copy(interpretation="srgb")

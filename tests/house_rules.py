"""The house rules that a machine can check, over the syntax trees of `src/undegrade`; standard library only.

Each rule is a function from sources to violations. What has to break a rule stands in EXCEPTIONS with its reason, and
an exception that nothing needs any more fails too. The tests below the rules show that each rule can fail.
"""

from __future__ import annotations

import ast
import sys
from collections.abc import Callable, Iterable, Iterator
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path, PurePosixPath

import pytest

SRC = Path(__file__).parents[1] / "src" / "undegrade"

# Rooms from the bottom up: a room imports from lower layers only. "__init__" stands for `undegrade/__init__.py`.
LAYERS = (
    ("errors",),
    ("atomic",),
    ("images", "batch", "transform"),
    ("networks", "degradations", "metrics", "text", "deblurring", "denoising", "deblocking"),
    ("objectives", "data", "diagnosis", "inference"),
    ("training", "evaluation"),
    ("recipes", "api", "reports"),
    # An archive goes through the whole of restoring, as the service does: by what a program calls, and by its reports.
    ("web", "archive"),
    ("cli", "__init__"),
    ("__main__",),
)
# In these rooms each file is a member of a catalogue. Of its own room a member imports only these files.
SHARED = {
    "degradations": {
        "base",
        "colour_filter",
        "convolution",
        "depth",
        "kernels",
        "lettering",
        "light",
        "roughness",
        "sweep",
        "veil",
    },
    "networks": {"base", "blocks", "guided_conv", "levels", "light", "transformer", "statistics", "shared_norm"},
}
# Members of these rooms import nothing else at all but the standard library and this.
ALONE_WITH = {"networks": {"torch"}}
# Importing these files must not pull in what the base install has not, or what is slow to import.
LIGHT = (
    "__init__",
    "api",
    "cli",
    "inference",
    "diagnosis",
    "images",
    "transform",
    "deblurring",
    "denoising",
    "deblocking",
)
HEAVY = {
    "torch",
    "openvino",
    "accelerate",
    "safetensors",
    "tensorboard",
    "skimage",
    "scipy",
    "ray",
    "pyarrow",
    "fsspec",
}

FILE_NAMES = {"utils", "util", "misc", "helpers", "helper", "common", "core", "manager"}
IDENTIFIERS = {"lq", "gt", "opt", "net_g"}
FILE_LINES, FUNCTION_LINES = 400, 50

# "rule: subject" -> why it has to be.
EXCEPTIONS = {
    "layers: cli -> __init__": "--version prints the number that the package states",
    "layers: archive -> __init__": "a manifest says which version made it",
    "layers: web -> __init__": "the service says which version it is",
    "members: degradations/compounds.py -> chain": "is made of chains of members, which it names by text",
    "members: networks/adair.py -> restormer": "is Restormer but for what it adds, and keeps no copy of it",
    "members: networks/guided_cascade.py -> guided_unet": "has one for its first network",
    "members: networks/universal.py -> classifier": "joins a network with the head that names what it sees",
    "members: networks/base.py -> errors": "has what all configs refuse with",
    "members: networks/checkpoint.py -> __init__": "looks the stored name up in the catalogue",
    "members: networks/checkpoint.py -> classifier": "builds the model that a file describes",
    "members: networks/checkpoint.py -> universal": "builds the model that a file describes",
    "members: networks/checkpoint.py -> atomic": "is about files, which may be cut short",
    "members: networks/checkpoint.py -> errors": "is about files, which can be wrong",
    "members: networks/checkpoint.py -> safetensors": "is about files of that format",
    "members: networks/layouts.py -> readings": "says which of them reads a layout",
    "members: networks/pip.py -> nafnet": "is NAFNet with prompts, and keeps no copy of it",
    "members: networks/pip.py -> restormer": "is Restormer with prompts, and keeps no copy of it",
    "members: networks/readings.py -> __init__": "reads a Config of each network off the shapes in a file",
    "members: networks/published.py -> __init__": "builds the network that a file turns out to hold",
    "members: networks/published.py -> checkpoint": "says in the same words what does not fit",
    "members: networks/published.py -> layouts": "recognises a file by them",
    "members: networks/published.py -> errors": "is about files, which can be wrong",
    "members: networks/published.py -> safetensors": "is about files, some of that format",
}


@dataclass(frozen=True, kw_only=True)
class Violation:
    """One breach: `rule: subject` is what an exception names; the place is for the reader."""

    rule: str
    subject: str
    place: str

    @property
    def key(self) -> str:
        return f"{self.rule}: {self.subject}"


@dataclass(frozen=True, kw_only=True)
class Import:
    """One imported module: `a.b` and, where it came from `from a.b import c`, also the name `c`."""

    module: str
    name: str
    line: int
    on_import: bool  # carried out when the file is imported: not in a function, not for the type checker only


@dataclass(frozen=True)
class Source:
    """One file: its path below `src/undegrade`, with slashes, and its text."""

    path: str
    text: str

    @cached_property
    def tree(self) -> ast.Module:
        return ast.parse(self.text)

    @property
    def parts(self) -> tuple[str, ...]:
        return PurePosixPath(self.path).with_suffix("").parts

    @property
    def room(self) -> str:
        return self.parts[0]

    @property
    def module(self) -> str:
        parts = self.parts[:-1] if self.parts[-1] == "__init__" else self.parts
        return ".".join(("undegrade", *parts))

    @cached_property
    def imports(self) -> list[Import]:
        return list(self._imports(self.tree, on_import=True))

    def _imports(self, node: ast.AST, *, on_import: bool) -> Iterator[Import]:
        for child in ast.iter_child_nodes(node):
            if isinstance(child, ast.Import):
                for alias in child.names:
                    yield Import(module=alias.name, name="", line=child.lineno, on_import=on_import)
            elif isinstance(child, ast.ImportFrom):
                module = self._absolute(child)
                for alias in child.names:
                    yield Import(module=module, name=alias.name, line=child.lineno, on_import=on_import)
            elif isinstance(child, ast.If) and "TYPE_CHECKING" in ast.unparse(child.test):
                for part in child.body:
                    yield from self._imports(ast.Module([part], []), on_import=False)
                for part in child.orelse:
                    yield from self._imports(ast.Module([part], []), on_import=on_import)
            else:
                inside = isinstance(child, ast.FunctionDef | ast.AsyncFunctionDef | ast.Lambda)
                yield from self._imports(child, on_import=on_import and not inside)

    def _absolute(self, node: ast.ImportFrom) -> str:
        if not node.level:
            return node.module or ""
        package = ["undegrade", *self.parts[:-1]]
        return ".".join([*package[: len(package) - node.level + 1], *([node.module] if node.module else [])])


Rule = Callable[[list[Source]], Iterator[Violation]]


def targets(source: Source, modules: Iterable[str]) -> Iterator[tuple[str, Import]]:
    """The modules of the house that a file imports: `from a import b` means a.b where that is one, else a."""
    for found in source.imports:
        if found.module.split(".")[0] == "undegrade":
            inner = f"{found.module}.{found.name}"
            yield (inner if inner in modules else found.module), found


def room_of(module: str) -> str:
    """`undegrade.images.files` -> images; `undegrade` -> __init__."""
    return module.split(".")[1] if "." in module else "__init__"


def layers(sources: list[Source]) -> Iterator[Violation]:
    """Imports go downwards; rooms of one layer never import each other; every room has a layer."""
    height = {room: number for number, rooms in enumerate(LAYERS) for room in rooms}
    modules = {source.module for source in sources}
    for source in sources:
        if source.room not in height:
            yield Violation(rule="layers", subject=f"{source.room} has no layer", place=source.path)
            continue
        for module, found in targets(source, modules):
            room = room_of(module)
            if room != source.room and height.get(room, len(LAYERS)) >= height[source.room]:
                subject = f"{source.room} -> {room}"
                yield Violation(rule="layers", subject=subject, place=f"{source.path}:{found.line}")


def members(sources: list[Source]) -> Iterator[Violation]:
    """A member of a catalogue leaves the other members alone."""
    modules = {source.module for source in sources}
    for source in sources:
        if source.room not in SHARED or len(source.parts) < 2 or source.parts[-1] == "__init__":
            continue
        wrong = []
        for module, found in targets(source, modules):
            own, name = room_of(module) == source.room, [*module.split("."), "__init__", "__init__"][2]
            if own and name not in SHARED[source.room]:
                wrong.append((name, found))
            elif not own and source.room in ALONE_WITH:
                wrong.append((room_of(module), found))
        allowed = ALONE_WITH.get(source.room)
        for found in source.imports:
            top = found.module.split(".")[0]
            if allowed is not None and top not in allowed | sys.stdlib_module_names | {"undegrade"}:
                wrong.append((top, found))
        for name, found in wrong:
            yield Violation(rule="members", subject=f"{source.path} -> {name}", place=f"line {found.line}")


def cycles(sources: list[Source]) -> Iterator[Violation]:
    """No file imports itself by way of others, not even inside a function or for the type checker."""
    modules = {source.module for source in sources}
    edges = {source.module: {m for m, _ in targets(source, modules) if m != source.module} for source in sources}
    done: set[str] = set()

    def walk(module: str, path: tuple[str, ...]) -> Iterator[Violation]:
        if module in path:
            ring = " -> ".join([*path[path.index(module) :], module])
            yield Violation(rule="cycles", subject=ring.replace("undegrade.", ""), place=module)
        elif module not in done:
            for after in sorted(edges.get(module, ())):
                yield from walk(after, (*path, module))
            done.add(module)

    for start in sorted(edges):
        yield from walk(start, ())


def kwargs(sources: list[Source]) -> Iterator[Violation]:
    """No function passes unnamed options through."""
    for source in sources:
        for node in ast.walk(source.tree):
            if isinstance(node, ast.arguments) and node.kwarg:
                subject = f"{source.path} **{node.kwarg.arg}"
                yield Violation(rule="kwargs", subject=subject, place=f"line {node.kwarg.lineno}")


def file_names(sources: list[Source]) -> Iterator[Violation]:
    """Files and folders are nouns of the field."""
    for source in sources:
        for part in source.parts:
            if part.strip("_") in FILE_NAMES:
                yield Violation(rule="file_names", subject=source.path, place=part)


def sizes(sources: list[Source]) -> Iterator[Violation]:
    """A file fits into a short reading, a function onto a screen."""
    for source in sources:
        count = len(source.text.splitlines())
        if count > FILE_LINES:
            yield Violation(rule="sizes", subject=source.path, place=f"{count} lines of {FILE_LINES}")
        for node in ast.walk(source.tree):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                length = (node.end_lineno or node.lineno) - node.lineno + 1
                if length > FUNCTION_LINES:
                    place = f"line {node.lineno}: {length} lines of {FUNCTION_LINES}"
                    yield Violation(rule="sizes", subject=f"{source.path} {node.name}", place=place)


def identifiers(sources: list[Source]) -> Iterator[Violation]:
    """Names are words: degraded, clean, config, network."""
    for source in sources:
        for node in ast.walk(source.tree):
            name = ""
            if isinstance(node, ast.Name | ast.Attribute) and isinstance(node.ctx, ast.Store):
                name = node.id if isinstance(node, ast.Name) else node.attr
            elif isinstance(node, ast.arg):
                name = node.arg
            elif isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
                name = node.name
            elif isinstance(node, ast.alias):
                name = node.asname or ""
            if name.strip("_") in IDENTIFIERS:
                line = getattr(node, "lineno", 0)
                yield Violation(rule="identifiers", subject=f"{source.path} {name}", place=f"line {line}")


def docstrings(sources: list[Source]) -> Iterator[Violation]:
    """Modules, and public classes, functions and methods, say what they are."""
    kinds = ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef

    def missing(node: ast.AST, name: str) -> Iterator[str]:
        if isinstance(node, ast.Module | kinds) and not ast.get_docstring(node):
            yield name
        if isinstance(node, ast.Module | ast.ClassDef):  # what is defined inside a function is its own business
            for child in ast.iter_child_nodes(node):
                if isinstance(child, kinds) and not child.name.startswith("_"):
                    yield from missing(child, f"{name} {child.name}")

    for source in sources:
        for name in missing(source.tree, source.path):
            yield Violation(rule="docstrings", subject=name, place="has none")


def light(sources: list[Source]) -> Iterator[Violation]:
    """Importing the parts that the base install needs loads nothing heavy, whatever they import in turn."""
    known = {source.module: source for source in sources}

    def loads(module: str, path: tuple[str, ...]) -> Iterator[tuple[str, ...]]:
        """Ways from a module to a heavy one, each file once."""
        source = known[module]
        for found in source.imports:
            if found.on_import and found.module.split(".")[0] in HEAVY:
                yield (*path, module, found.module.split(".")[0])
        if module in seen:
            return
        seen.add(module)
        for after, found in targets(source, known):
            # Importing a.b.c carries out a and a.b first.
            steps = after.split(".")
            for i in range(1, len(steps) + 1) if found.on_import else ():
                step = ".".join(steps[:i])
                if step in known and step not in seen:
                    yield from loads(step, (*path, module))

    for source in sources:
        if source.room in LIGHT:
            seen: set[str] = set()
            for way in loads(source.module, ()):
                subject = f"{source.path} loads {way[-1]}"
                yield Violation(rule="light", subject=subject, place=" -> ".join(way))


RULES: dict[str, Rule] = {
    "layers": layers,
    "members": members,
    "cycles": cycles,
    "kwargs": kwargs,
    "file_names": file_names,
    "sizes": sizes,
    "identifiers": identifiers,
    "docstrings": docstrings,
    "light": light,
}


@pytest.fixture(scope="module")
def house() -> list[Source]:
    """Every file of the project."""
    paths = sorted(SRC.rglob("*.py"))
    return [Source(path.relative_to(SRC).as_posix(), path.read_text(encoding="utf-8")) for path in paths]


@pytest.mark.parametrize("name", RULES)
def test_the_house_keeps_the_rule(name: str, house: list[Source]) -> None:
    assert len(house) > 50
    broken = {f"{v.key} ({v.place})" for v in RULES[name](house) if v.key not in EXCEPTIONS}
    assert not broken, "\n".join(sorted(broken))


def test_every_exception_is_needed_and_has_a_reason(house: list[Source]) -> None:
    needed = {violation.key for rule in RULES.values() for violation in rule(house)}
    assert set(EXCEPTIONS) <= needed
    assert all(EXCEPTIONS.values())


DOC = '"""What it is."""\n'
# rule, files, and the violations that they have to give; files that keep the rules stand beside those that do not.
CASES: list[tuple[str, dict[str, str], list[str]]] = [
    ("layers", {"networks/a.py": "import undegrade.images", "images/__init__.py": ""}, []),
    ("layers", {"images/a.py": "from undegrade.networks import NETWORKS"}, ["images -> networks"]),
    ("layers", {"images/a.py": "def f():\n    import undegrade.training.loop"}, ["images -> training"]),
    ("layers", {"data/a.py": "if TYPE_CHECKING:\n    from undegrade.objectives import X"}, ["data -> objectives"]),
    ("layers", {"training/a.py": "from undegrade import data", "data/__init__.py": ""}, []),
    ("layers", {"data/a.py": "from undegrade import training", "training/__init__.py": ""}, ["data -> training"]),
    ("layers", {"data/a.py": "from ..api import load"}, ["data -> api"]),
    ("layers", {"data/a.py": "from . import b\nfrom .b import c", "data/b.py": ""}, []),
    ("layers", {"cli/a.py": "from undegrade.api import load", "api.py": ""}, []),
    ("layers", {"api.py": "from undegrade.cli import main"}, ["api -> cli"]),
    ("layers", {"cli/a.py": "from undegrade import restore"}, ["cli -> __init__"]),
    ("layers", {"attic/a.py": ""}, ["attic has no layer"]),
    ("layers", {"cli/a.py": "import undegrade.attic"}, ["cli -> attic"]),
    ("members", {"degradations/rain.py": "from undegrade.degradations.base import X\nimport numpy"}, []),
    ("members", {"degradations/rain.py": "from undegrade.images import x"}, []),
    ("members", {"networks/a.py": "from undegrade.networks import b", "networks/b.py": ""}, ["networks/a.py -> b"]),
    ("members", {"degradations/rain.py": "from undegrade.degradations import X"}, ["degradations/rain.py -> __init__"]),
    ("members", {"degradations/__init__.py": "from undegrade.degradations.rain import X"}, []),
    ("members", {"networks/a.py": "import math, torch.nn\nfrom undegrade.networks.blocks import X"}, []),
    ("members", {"networks/a.py": "import einops"}, ["networks/a.py -> einops"]),
    ("members", {"networks/a.py": "from undegrade.batch import Batch"}, ["networks/a.py -> batch"]),
    ("cycles", {"a.py": "import undegrade.b", "b.py": "import undegrade.c", "c.py": ""}, []),
    ("cycles", {"a.py": "import undegrade.b", "b.py": "def f():\n    import undegrade.a"}, ["a -> b -> a"]),
    ("kwargs", {"a.py": "def f(*args, key=1): f(**{})"}, []),
    ("kwargs", {"a.py": "def f(**options): pass\ng = lambda **kw: kw"}, ["a.py **options", "a.py **kw"]),
    ("file_names", {"images/files.py": "", "common_sense.py": ""}, []),
    ("file_names", {"data/utils.py": "", "core/a.py": "", "_misc.py": ""}, ["data/utils.py", "core/a.py", "_misc.py"]),
    ("sizes", {"a.py": "x = 1\n" * 400, "b.py": "def f():\n" + "    x = 1\n" * 49}, []),
    ("sizes", {"a.py": "x = 1\n" * 401, "b.py": "def f():\n" + "    x = 1\n" * 50}, ["a.py", "b.py f"]),
    ("identifiers", {"a.py": "optimum = torch.gt(a, b)\nlength = options.opt"}, []),
    ("identifiers", {"a.py": "lq = 1\ndef f(gt): pass"}, ["a.py lq", "a.py gt"]),
    ("identifiers", {"a.py": "self.opt = 1\nimport x as net_g"}, ["a.py opt", "a.py net_g"]),
    ("docstrings", {"a.py": DOC + "def _f(): pass\ndef g():\n    'Doc.'\n    def h(): pass"}, []),
    ("docstrings", {"a.py": "", "b.py": DOC + "class C:\n    'Doc.'\n    def f(self): pass"}, ["a.py", "b.py C f"]),
    ("docstrings", {"a.py": DOC + "class C: pass\nasync def f(): pass"}, ["a.py C", "a.py f"]),
    ("light", {"cli/a.py": "def f():\n    import torch\nif TYPE_CHECKING:\n    from torch import Tensor"}, []),
    ("light", {"networks/a.py": "import torch"}, []),
    ("light", {"api.py": "try:\n    from openvino import x\nexcept ImportError: pass"}, ["api.py loads openvino"]),
    (
        "light",
        {"api.py": "import undegrade.b.c", "b/__init__.py": "import torch", "b/c.py": ""},
        ["api.py loads torch"],
    ),
    ("light", {"cli/a.py": "from undegrade.data import b", "data/b.py": "import torch.nn"}, ["cli/a.py loads torch"]),
]


@pytest.mark.parametrize(("rule", "files", "expected"), CASES)
def test_the_rule_finds_what_it_should(rule: str, files: dict[str, str], expected: list[str]) -> None:
    violations = list(RULES[rule]([Source(path, text) for path, text in files.items()]))
    assert sorted(violation.subject for violation in violations) == sorted(expected)
    assert {violation.rule for violation in violations} <= {rule}


@pytest.mark.parametrize("name", RULES)
def test_every_rule_is_shown_to_fail_and_to_pass(name: str) -> None:
    outcomes = {bool(expected) for rule, _, expected in CASES if rule == name}
    assert outcomes == {True, False}

"""A tiny model and small pictures that every test may ask for."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from numpy.typing import NDArray
from torch.distributed.device_mesh import DeviceMesh, init_device_mesh

from undegrade.images import Picture, write_picture
from undegrade.inference.export import export
from undegrade.networks import UniversalRestorer
from undegrade.networks.checkpoint import save_checkpoint
from undegrade.recipes import RECIPES
from undegrade.training.run import build

if TYPE_CHECKING:
    from playwright.sync_api import Browser


@pytest.fixture(autouse=True)
def compiled_models(tmp_path_factory: pytest.TempPathFactory, monkeypatch: pytest.MonkeyPatch) -> None:
    """Compiled models are kept among the files of the tests, not in the home folder."""
    monkeypatch.setenv("UNDEGRADE_CACHE", str(tmp_path_factory.getbasetemp() / "compiled"))


def tiny_network(answer: str) -> UniversalRestorer:
    """Width 8, untrained, changes every picture a little, and always gives the same `answer`."""
    with torch.random.fork_rng():
        torch.manual_seed(0)  # not what the tests before have left
        model = build(RECIPES["universal-small-debug"]())
    rng = torch.Generator().manual_seed(1)
    with torch.no_grad():
        for name, weight in model.network.named_parameters():
            if name.endswith(("beta", "gamma")):
                weight.copy_(torch.randn(weight.shape, generator=rng) * 0.2)
            elif "ending" in name:
                weight.copy_(torch.randn(weight.shape, generator=rng) * 0.02)
        model.classifier.fc.weight.mul_(0.1)
        model.classifier.fc.bias.zero_()
        model.classifier.fc.bias[model.labels.index(answer)] = 6
    return model.eval()


@pytest.fixture(scope="session")
def checkpoint(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A checkpoint that finds rain in everything."""
    path = tmp_path_factory.mktemp("checkpoint") / "tiny.safetensors"
    save_checkpoint(tiny_network("rain"), path)
    return path


@pytest.fixture(scope="session")
def model(checkpoint: Path) -> Path:
    """`checkpoint`, exported."""
    path = checkpoint.with_suffix(".xml")
    export(checkpoint, path)
    return path


@pytest.fixture(scope="session")
def contented_model(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """An exported model that finds nothing wrong with anything."""
    path = tmp_path_factory.mktemp("contented") / "contented.xml"
    save_checkpoint(tiny_network("clean"), path.with_suffix(".safetensors"))
    export(path.with_suffix(".safetensors"), path)
    return path


@pytest.fixture(scope="module")
def browser() -> Iterator["Browser"]:
    """Chromium of the system; without it, or without Playwright, the tests that need it are skipped."""
    playwright = pytest.importorskip("playwright.sync_api", reason="no Playwright: pip install playwright")
    program = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")
    if program is None:
        pytest.skip("no Chromium: apt-get install chromium")
    with playwright.sync_playwright() as started:
        one = started.chromium.launch(executable_path=program, args=["--no-sandbox"])
        yield one
        one.close()


@pytest.fixture
def screenshots(pytestconfig: pytest.Config) -> Path:
    """The folder where pictures of pages are kept to be looked at."""
    folder = pytestconfig.rootpath / "build" / "screenshots"
    folder.mkdir(parents=True, exist_ok=True)
    return folder


@pytest.fixture(scope="session")
def scene() -> Callable[[int, int], NDArray[np.float32]]:
    """Makes (3, height, width) in [0.1, 0.9] on 8-bit levels: gradients with an edge and some grain."""

    def make(height: int, width: int) -> NDArray[np.float32]:
        down, across = np.mgrid[0:height, 0:width].astype(np.float32)
        planes = np.stack([down / height, across / width, (down + across) / (height + width)])
        planes[:, height // 4 : height // 2] *= 0.5
        planes += np.random.default_rng(0).normal(0, 0.02, planes.shape)
        return np.float32(np.round((0.1 + 0.8 * planes).clip(0.1, 0.9) * 255) / 255)

    return make


@pytest.fixture
def photo_file(tmp_path: Path, scene: Callable[[int, int], NDArray[np.float32]]) -> Path:
    """A PNG of 45 x 70 pixels, alone in its folder."""
    path = tmp_path / "in" / "photo.png"
    path.parent.mkdir()
    write_picture(Picture(pixels=scene(45, 70)), path)
    return path


@pytest.fixture(scope="session")
def film() -> Callable[..., Path]:
    """Makes clips: `write_film`."""
    return write_film


def write_film(
    path: Path,
    *,
    frames: int = 12,
    size: tuple[int, int] = (64, 48),
    codec: str = "libx264",
    form: str = "yuv420p",
    times: Sequence[int] | None = None,
    time_base: Fraction = Fraction(1, 25),
    tags: tuple[int, int, int, int] = (0, 2, 2, 2),
    sounds: int = 0,
    subtitles: str | None = None,
    turn: int = 0,
    shots: Sequence[int] = (0,),
    level: Callable[[int], float] = lambda number: 0.4,
    options: dict[str, str] | None = None,
) -> Path:
    """A clip of gradients that move, made with PyAV: range, matrix, primaries and transfer as in `tags`."""
    import av

    clock = list(times if times is not None else range(frames))
    with av.open(str(path), "w") as out:
        out.metadata["title"] = "A film"
        video = out.add_stream(codec, rate=25, options={"crf": "10"} if options is None else options)
        video.width, video.height, video.pix_fmt = *size, form
        video.time_base = video.codec_context.time_base = time_base
        context = video.codec_context
        context.color_range, context.colorspace, context.color_primaries, context.color_trc = tags
        if turn:
            video.set_display_rotation(turn)
        tones = [out.add_stream("aac", rate=48000) for _ in range(sounds)]
        words = out.add_mux_stream(subtitles, time_base=Fraction(1, 1000)) if subtitles else None
        for tone in tones:
            tone.metadata["language"] = "deu"
        if sounds:
            out.set_chapters(
                [{"id": 1, "start": 0, "end": 200, "time_base": Fraction(1, 1000), "metadata": {"title": "One"}}]
            )
        for number, time in enumerate(clock):
            frame = av.VideoFrame(*size, form)
            for place, plane in enumerate(frame.planes):
                wide = plane.line_size // (2 if "10" in form else 1)
                down, across = np.mgrid[0 : plane.height, 0:wide]
                shade = level(number) + 0.1 * np.sin(
                    (across + down + 2 * number + 9 * sum(n <= number for n in shots)) / 9
                )
                samples = (shade if place == 0 else 0.5 + (shade - 0.4) * (-1) ** place) * (
                    1023 if "10" in form else 255
                )
                plane.update(samples.astype(np.uint16 if "10" in form else np.uint8).tobytes())
            frame.pts, frame.time_base = time, time_base
            frame.color_range, frame.colorspace, frame.color_primaries, frame.color_trc = tags
            out.mux(video.encode(frame))
        out.mux(video.encode(None))
        for stream_number, tone in enumerate(tones):
            for start in range(0, 24 * 1024, 1024):
                wave = np.sin(np.arange(start, start + 1024) * (stream_number + 1) / 30).astype(np.float32)
                sound = av.AudioFrame.from_ndarray(wave[None].repeat(2, 0), format="fltp", layout="stereo")
                sound.sample_rate, sound.pts = 48000, start
                out.mux(tone.encode(sound))
            out.mux(tone.encode(None))
        for start in (100, 250) if words else ():
            line = av.Packet(b"words" if subtitles != "mov_text" else b"\x00\x05words")
            line.stream, line.time_base = words, Fraction(1, 1000)
            line.pts = line.dts = start
            line.duration = 100
            out.mux(line)
    return path


@pytest.fixture
def mesh(tmp_path: Path) -> Iterator[DeviceMesh]:
    """A process alone in a group of FSDP2: all is gathered and shared out as among several."""
    torch.distributed.init_process_group("gloo", init_method=(tmp_path / "group").as_uri(), rank=0, world_size=1)
    yield init_device_mesh("cpu", (1,))
    torch.distributed.destroy_process_group()

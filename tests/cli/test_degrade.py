import json
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

import undegrade
from undegrade.cli import main
from undegrade.images import read_picture

Capture = pytest.CaptureFixture[str]


def test_it_uses_the_same_objects_as_the_library(photo_file: Path, capsys: Capture) -> None:
    out = photo_file.with_name("bad.png")
    specs = ["noise(sigma=25)", "jpeg(quality=30)"]
    arguments = ["degrade", str(photo_file), "--as", specs[0], "--as", specs[1], "-o", str(out), "--seed", "5"]
    assert main(arguments) == 0
    assert "noise(sigma=25), jpeg(quality=30, chroma=2)" in capsys.readouterr().out
    expected = undegrade.degrade(photo_file, *specs, seed=5).image
    written = np.round(np.moveaxis(read_picture(out).pixels, 0, 2) * 255)
    assert np.array_equal(written, expected)


def test_several_pictures_take_one_seed_each(photo_file: Path, tmp_path: Path, capsys: Capture) -> None:
    (photo_file.parent / "twin.png").write_bytes(photo_file.read_bytes())
    out = tmp_path / "out"
    assert main(["degrade", str(photo_file.parent), "--as", "rain", "-o", str(out), "--json"]) == 0
    first, second = json.loads(capsys.readouterr().out)
    assert [first["seed"], second["seed"]] == [0, 1]
    assert first["records"][0]["degradation"] == "rain"
    assert set(first["records"][0]["severities"]) == {"density", "length", "angle"}
    assert not np.array_equal(read_picture(out / "photo.png").pixels, read_picture(out / "twin.png").pixels)


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("noize(sigma=25)", "unknown degradation 'noize'; did you mean 'noise'?"),
        ("noise(sigmma=25)", "noise: unknown field 'sigmma'; its fields are sigma"),
        ("noise(sigma=900)", "noise: sigma is 900; expected a number"),
        ("noise(sigma=30..10)", "noise: sigma is 30..10; expected a number, or a range of a low and a high one"),
        ("scratch", "unknown degradation 'scratch'; did you mean 'inpainting'?"),
        ("with", "unknown degradation 'with'; known are noise, "),
        ("second_ordr", "unknown degradation 'second_ordr'; did you mean 'second_order'?"),
        ("second_order(sigma=3)", "second_order: a mixture has no fields; write its name alone"),
        ("noise(sigma=much)", "noise: sigma is 'much'; expected a number"),
        ("noise(", "cannot read degradation 'noise('"),
    ],
)
def test_a_mistake_in_a_spec_is_code_2(spec: str, message: str, photo_file: Path, capsys: Capture) -> None:
    assert main(["degrade", str(photo_file), "--as", spec, "-o", str(photo_file.with_name("x.png"))]) == 2
    captured = capsys.readouterr()
    assert captured.err.startswith(f"error: {message}")
    assert captured.err.count("\n") == 1
    assert list(photo_file.parent.iterdir()) == [photo_file]


def test_the_original_is_never_overwritten(photo_file: Path, capsys: Capture) -> None:
    before = photo_file.read_bytes()
    assert main(["degrade", str(photo_file), "--as", "haze", "-o", str(photo_file)]) == 2
    assert "originals are never overwritten" in capsys.readouterr().err
    assert photo_file.read_bytes() == before


def test_a_bad_picture_is_code_1(tmp_path: Path, capsys: Capture) -> None:
    (tmp_path / "x.png").write_bytes(b"GIF89a?")
    assert main(["degrade", str(tmp_path / "x.png"), "--as", "haze", "-o", str(tmp_path / "y.png")]) == 1
    assert capsys.readouterr().err.startswith(f"error: {tmp_path / 'x.png'}: ")
    assert not (tmp_path / "y.png").exists()


@pytest.mark.parametrize("ending", [".png", ".jpg"])
def test_a_recorded_picture_says_how_to_make_it_again(ending: str, photo_file: Path, capsys: Capture) -> None:
    bad, again = (photo_file.with_name(f"{name}{ending}") for name in ("bad", "again"))
    specs = ["--as", "haze", "--as", "noise", "--record"]
    assert main(["degrade", str(photo_file), *specs, "-o", str(bad), "--seed", "11"]) == 0
    assert main(["degrade", str(photo_file), "--replay", str(bad), "-o", str(again)]) == 0
    assert np.array_equal(read_picture(bad).pixels, read_picture(again).pixels)
    assert not any(text.startswith("undegrade: ") for _, text in read_picture(again).metadata.comments)
    assert capsys.readouterr().err == ""


def test_what_cannot_hold_a_record_is_not_written(photo_file: Path, capsys: Capture) -> None:
    out = photo_file.with_name("bad.webp")
    assert main(["degrade", str(photo_file), "--as", "haze", "--record", "-o", str(out)]) == 1
    assert "bad.webp: cannot hold a record; expected .png or .jpg or .jpeg" in capsys.readouterr().err
    assert not out.exists()


def test_specs_in_a_list_are_refused_with_what_is_expected() -> None:
    with pytest.raises(undegrade.UndegradeError, match=r"\['rain', 'jpeg'\] is no text; expected such as"):
        undegrade.degrade(np.zeros((20, 20, 3), np.uint8), ["rain", "jpeg"])  # type: ignore[arg-type]


def test_a_file_without_a_record_is_named(photo_file: Path, capsys: Capture) -> None:
    assert (
        main(["degrade", str(photo_file), "--replay", str(photo_file), "-o", str(photo_file.with_name("x.png"))]) == 2
    )
    assert "photo.png: carries no record; expected a file written by" in capsys.readouterr().err


@pytest.mark.parametrize("extra", [[], ["--as", "rain", "--replay", "y.png"]])
def test_either_specs_or_a_record_is_needed(extra: list[str], photo_file: Path, capsys: Capture) -> None:
    assert main(["degrade", str(photo_file), "-o", "x.png", *extra]) == 2
    assert "expected either --as SPEC or --replay FILE" in capsys.readouterr().err


def test_a_depth_map_says_where_the_haze_is_thick(photo_file: Path, tmp_path: Path, capsys: Capture) -> None:
    clean = read_picture(photo_file).pixels
    scene = np.zeros(clean.shape[1:], np.uint8)
    scene[:, clean.shape[2] // 2 :] = 255
    Image.fromarray(scene).save(tmp_path / "depth.png")
    out = photo_file.with_name("hazy.png")
    arguments = ["degrade", str(photo_file), "--as", "haze(density=2, relief=1)", "-o", str(out)]
    assert main([*arguments, "--depth", str(tmp_path / "depth.png")]) == 0
    changed = np.abs(read_picture(out).pixels - clean)
    middle = clean.shape[2] // 2
    assert changed[..., :middle].max() < 1 / 255  # at the camera there is no haze
    assert changed[..., middle:].mean() > 0.05
    Image.fromarray(scene[:-3]).save(tmp_path / "cut.png")
    capsys.readouterr()
    assert main([*arguments[:-1], str(tmp_path / "x.png"), "--depth", str(tmp_path / "cut.png")]) == 1
    assert "depth: " in capsys.readouterr().err

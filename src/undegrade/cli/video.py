"""`undegrade video`: repair a video."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from undegrade.cli.output import Report, progress
from undegrade.inference.models import DEFAULT_MODEL
from undegrade.reports import told, treatment_data

if TYPE_CHECKING:
    from undegrade.diagnosis import Diagnosis
    from undegrade.inference.video.restoration import RestoredVideo


def video(
    context: typer.Context,
    source: Annotated[Path, typer.Argument(metavar="INPUT", help="A video file.")],
    out: Annotated[
        Path | None,
        typer.Option(
            "--out", "-o", metavar="PATH", help="File to write, .mp4, .mov, .mkv or .webm; else NAME.restored."
        ),
    ] = None,
    model: Annotated[
        str, typer.Option(metavar="NAME|PATH", help="A shipped model, a file or folder of one, or hf:OWNER/NAME.")
    ] = DEFAULT_MODEL,
    codec: Annotated[
        str | None, typer.Option(help="h264, hevc, av1, vp9 or ffv1; else that of the input where possible.")
    ] = None,
    crf: Annotated[int | None, typer.Option(help="Constant rate factor, 0 the best; else 16 to 18.")] = None,
    overwrite: Annotated[bool, typer.Option("--overwrite", help="Replace an output that exists.")] = False,
    as_json: Annotated[bool, typer.Option("--json", help="Print JSON instead of a table.")] = False,
) -> None:
    """Repair a video, shot by shot; sound, subtitles and times are kept. A run that was killed goes on."""
    from undegrade.api import load
    from undegrade.inference.models import identity_of
    from undegrade.inference.video.clip import expected_frames, read_clip
    from undegrade.inference.video.restoration import Wish, check_target, count_steps, default_target, restore_video

    target = default_target(source) if out is None else out
    wish = Wish(codec=codec, crf=crf, overwrite=overwrite)
    check_target(source, target, wish)
    restorer, identity = load(model), " ".join(identity_of(model))
    with progress(expected_frames(source)) as advance:
        clip = read_clip(source, advance)
    with progress(count_steps(clip)) as advance:
        done = restore_video(restorer, clip, target, wish, model=identity, on_step=advance)
    report = Report(debug=context.obj, as_json=as_json)
    report.add(*_describe(target, done))
    report.finish(("video", "found", "done", "result", "frames", "seconds"))


def _describe(target: Path, done: RestoredVideo[Diagnosis]) -> tuple[dict[str, Any], tuple[str, ...]]:
    """The record and the row of a clip."""
    frames = len(done.clip.times)
    finished, segments = done.segments[1], done.segments[0]
    unwell = [shot for shot in done.shots if not shot.untouched]
    record = {
        "input": str(done.clip.path),
        "output": str(target),
        "changed": bool(unwell),
        "codec": done.codec,
        "frames": frames,
        "duration": round(done.clip.seconds(0, frames), 3),
        "segments": segments,
        "segments_of_an_earlier_run": finished,
        "frames_restored_in_this_run": done.restored,
        "seconds": round(done.seconds, 3),
        "fps": round(done.restored / done.seconds, 3),
        "shots": [
            {
                "first_frame": shot.shot.first,
                "frames": shot.shot.count,
                "start": round(shot.start, 3),
                "duration": round(shot.seconds, 3),
                **treatment_data(shot.treatment),
            }
            for shot in done.shots
        ],
        "notes": list(done.notes),
    }
    found = "; ".join(dict.fromkeys(told(shot.treatment) for shot in done.shots))
    what = f"restored, {len(unwell)} of {len(done.shots)} shots" if unwell else "left alone"
    return record, (str(done.clip.path), found, what, str(target), str(frames), f"{done.seconds:.1f}")

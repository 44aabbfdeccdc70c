"""A created scene as people and programs read it: the JSON contract and the terminal's report."""

from __future__ import annotations

from dataclasses import asdict
from typing import TYPE_CHECKING, Any

from rich.console import Console
from rich.table import Table
from rich.text import Text

from .brief import SceneBrief

if TYPE_CHECKING:
    from .pipeline import CreatedScene

_COLOURS = {"good": "green", "usable": "yellow", "poor": "red"}


def as_json_object(scene: CreatedScene, link: str) -> dict[str, Any]:
    """Return the stable object that `create --json` prints; `README.md` documents its fields."""
    record, brief = scene.record, scene.brief
    return {
        "id": record.id,
        "link": link,
        "title": record.title,
        "splat_count": record.splat_count,
        "byte_length": record.byte_length,
        "cpu_seconds": round(scene.cpu_seconds, 2),
        "wall_seconds": round(scene.wall_seconds, 2),
        "peak_memory_bytes": scene.peak_memory_bytes,
        "stages": [{"name": s.name, "cpu_seconds": round(s.cpu_seconds, 2)} for s in scene.stages],
        "quality": None if record.quality is None else asdict(record.quality),
        "walkability": None if record.walkability is None else asdict(record.walkability),
        "brief": {
            "understood": list(brief.understood) if brief else [],
            "guessed": [*(brief.guessed if brief else ()), *scene.notes],
            "left_out": list(brief.left_out) if brief else [],
        },
    }


def show_brief(console: Console, brief: SceneBrief) -> None:
    """Print what became of the prompt, above all the words that nothing answers."""
    left = f"{', '.join(brief.left_out)} (nothing in the scene answers these words)" if brief.left_out else ""
    for label, colour, text in (
        ("understood", "dim", "; ".join(brief.understood)),
        ("guessed", "dim", "; ".join(brief.guessed)),
        ("left out", "yellow", left),
    ):
        if text:
            # A prompt may hold "[red]"; its words are printed, never obeyed.
            line = Text.assemble((f"{label:<12}", colour), text)
            console.print(line, highlight=False, soft_wrap=True)


def show_elements(console: Console, brief: SceneBrief) -> None:
    """Print the scene that a brief asks for: the place, its light, and each thing on a line of its own."""
    place = f"{brief.setting}, {brief.size}, {brief.season} {brief.time}, {brief.weather}"
    words = place.replace("_", " ") + "".join(f", {style}" for style in brief.style)
    console.print(Text.assemble((f"{'place':<12}", "dim"), words), highlight=False, soft_wrap=True)
    for element in brief.elements:
        count = "as suits" if element.count is None else "none" if element.count == 0 else str(element.count)
        relation = element.relation
        parts = [element.kind, *element.attributes]
        parts += [] if relation is None else [relation.kind, relation.to]
        text = " ".join(parts).replace("_", " ")
        console.print(Text.assemble((f"{count:>10}  ", "dim"), text), highlight=False, soft_wrap=True)


def show_report(console: Console, scene: CreatedScene) -> None:
    """Print what was guessed or lost, both verdicts with their reasons, and what the scene took."""
    record = scene.record
    for note in scene.notes:
        console.print(Text(note, "dim"), highlight=False, soft_wrap=True)
    table = Table(box=None, show_header=False, pad_edge=False, padding=(0, 2, 0, 0))
    if record.quality is not None:
        q = record.quality
        figures = f"{q.psnr_db:.1f} dB PSNR, SSIM {q.ssim:.3f} on {q.held_out_frames} views it never saw"
        table.add_row("Quality", _verdict(q.verdict), figures)
        for reason in q.reasons:
            table.add_row("", "", f"[dim]{reason}[/]")
    if record.walkability is not None:
        w = record.walkability
        figures = (
            f"{w.reachable_m2:.0f} m² reachable, {w.fall_count} falls, {w.stuck_share * 100:.1f} % stuck, "
            f"{w.open_ray_share * 100:.1f} % open rays"
        )
        table.add_row("Walkable", _verdict(w.verdict), figures)
        for reason in w.reasons:
            table.add_row("", "", f"[dim]{reason}[/]")
    size = f"{record.splat_count:,} splats, {record.byte_length / 1e6:.1f} MB"
    took = (
        f"{scene.cpu_seconds:.0f} CPU-s, {scene.wall_seconds:.0f} s, {scene.peak_memory_bytes / 1e9:.1f} GB"
    )
    table.add_row("Size", "", size)
    table.add_row("Took", "", took)
    console.print(table)


def _verdict(verdict: str) -> str:
    return f"[bold {_COLOURS[verdict]}]{verdict}[/]"

"""Commands on scenes that exist: list, rename, delete, export, inspect; and the doctor."""

from __future__ import annotations

import json
import sys
import time
from dataclasses import asdict
from pathlib import Path
from typing import TYPE_CHECKING

import typer
from rich.console import Console
from rich.markup import escape
from rich.table import Table

from .catalog import Catalog, SceneRecord
from .home import home_folder
from .progress import Terminal
from .request import spoken_bytes

if TYPE_CHECKING:
    from streaming.asset import SplatAsset
    from streaming.scene_summary import SceneSummary
    from streaming.validate import FileReport

_OUT = Console(highlight=False, emoji=False)
_ERR = Console(stderr=True, highlight=False, emoji=False)


def list_scenes(*, as_json: bool) -> None:
    """Print all scenes, newest first."""
    records = Catalog(home_folder()).list()
    if as_json:
        sys.stdout.write(json.dumps([record.as_dict() for record in records], ensure_ascii=False) + "\n")
        return
    if not records:
        _ERR.print('No scenes yet. Make one: immersive create "a cabin by a lake"')
        return
    table = Table("id", "title", "splats", "MB", "quality", "walkable", "made", box=None, pad_edge=False)
    for record in records:
        table.add_row(record.id, record.title, *_figures(record))
    _OUT.print(table)


def _figures(record: SceneRecord) -> tuple[str, ...]:
    made = time.strftime("%Y-%m-%d %H:%M", time.localtime(record.created_at))
    quality = record.quality.verdict if record.quality else "-"
    walkable = record.walkability.verdict if record.walkability else "-"
    return f"{record.splat_count:,}", f"{record.byte_length / 1e6:.1f}", quality, walkable, made


def rename_scene(scene: str, title: str) -> None:
    """Give a scene another title."""
    record = Catalog(home_folder()).rename(scene, title)
    _ERR.print(f"{record.id} is now called {record.title!r}", markup=False)


def delete_scene(scene: str, *, ask: bool) -> None:
    """Delete a scene after asking."""
    catalog = Catalog(home_folder())
    record = catalog.get(scene)
    if ask:
        typer.confirm(f"Delete {record.title!r} ({record.id}) and its links?", abort=True, err=True)
    catalog.delete(record.id)
    _ERR.print(f"deleted {record.id}")


def export_scene(
    scene: str,
    to: Path,
    *,
    licence: str | None = None,
    credit: str | None = None,
    sign: bool = False,
    max_bytes: str | None = None,
    min_psnr: float | None = None,
    device: str | None = None,
    as_json: bool = False,
) -> None:
    """Write a scene as one file: with terms of its own, made to fit, signed, where that is asked for."""
    from .exporting import export_asset, export_fitted, keeps_terms, limits_from
    from .licensing import with_terms

    limits = limits_from(max_bytes, min_psnr, device)
    if sign:
        from .signing import check_signable

        check_signable(to)
    asset = with_terms(Catalog(home_folder()).asset(scene), licence=licence, credit=credit)
    if limits is None:
        export_asset(asset, to)
        size, loss = to.stat().st_size, None
    else:
        with Terminal() as progress:
            size, loss = export_fitted(asset, to, limits, progress)
    _tell_of_signature(to, asset, sign=sign)
    manifest = asset.manifest
    if (manifest.licence or manifest.credit) and not keeps_terms(to):
        _ERR.print("note: this format has no room for a licence or credit; .glb has")
    if as_json:
        found = {"file": str(to), "bytes": size, "loss": None if loss is None else asdict(loss)}
        sys.stdout.write(json.dumps(found, ensure_ascii=False) + "\n")
        return
    _ERR.print(f"wrote {to} ({spoken_bytes(size)})", markup=False)
    if loss is not None:
        _OUT.print(
            f"{loss.psnr_db:.1f} dB against the whole scene in the median of {loss.views} views, worst"
            f" {loss.worst_psnr_db:.1f} dB; {loss.splats:,} of {loss.of_splats:,} splats,"
            f" SH degree {loss.sh_degree}, {size:,} bytes",
            soft_wrap=True,
        )


def _tell_of_signature(written: Path, asset: SplatAsset, *, sign: bool) -> None:
    from .provenance import side_car_of

    if sign:
        from .signing import sign_file

        side_car = sign_file(written, asset.manifest, home_folder())
        _ERR.print(f"signed with the key of this machine: {side_car}", markup=False)
    elif side_car_of(written).exists():
        name = side_car_of(written).name
        _ERR.print(
            f"note: {name} is of an earlier file: sign this one with --sign or delete it", markup=False
        )


def inspect_file(file: Path, *, as_json: bool) -> None:
    """Print what a splat file is; exit status 1 if it breaks a rule."""
    from streaming.validate import inspect

    report = inspect(file)
    if as_json:
        sys.stdout.write(json.dumps(asdict(report), ensure_ascii=False) + "\n")
    else:
        for name, value in _facts(report):
            _OUT.print(f"[dim]{name:<12}[/]{escape(value)}", soft_wrap=True)
        for dialect in report.dialects:
            _OUT.print(f"[yellow]dialect[/]     {escape(dialect)}", soft_wrap=True)
        for note in report.notes:
            _OUT.print(f"[dim]note        [/]{escape(note)}", soft_wrap=True)
        for problem in report.problems:
            _OUT.print(f"[red]problem[/]     {escape(problem)}", soft_wrap=True)
    if report.problems:
        raise typer.Exit(1)


def _facts(report: FileReport) -> list[tuple[str, str]]:
    low, high = (", ".join(f"{v:.2f}" for v in corner) for corner in (report.bounds_min, report.bounds_max))
    return [
        ("file", report.name),
        ("format", f"{report.format} {report.version}".strip()),
        ("size", f"{report.byte_length:,} bytes"),
        ("splats", f"{report.splat_count:,}, SH degree {report.sh_degree}"),
        ("bounds", f"({low}) to ({high}) m"),
        ("up", report.up if report.up == "unclear" else f"{report.up}, as its ground lies"),
        ("collider", _collider(report)),
        ("AI label", "says it is generated" if report.is_labelled_generated else "none"),
        *([] if report.scene is None else _scene_facts(report.scene)),
    ]


def _collider(report: FileReport) -> str:
    triangles = report.scene.collider_triangles if report.scene else 0
    return f"{triangles:,} triangles" if triangles else "yes" if report.has_collider else "no"


def _scene_facts(scene: SceneSummary) -> list[tuple[str, str]]:
    """Return what a glTF file holds besides splats, those lines of it that say something."""
    found = [("title", scene.title), ("licence", scene.licence), ("credit", scene.credit)]
    if scene.start is not None:
        place = ", ".join(f"{v:.2f}" for v in scene.start)
        found.append(
            ("start", f"({place}) m, heading {scene.heading_deg:.0f} deg, eyes {scene.eye_height_m:.2f} m up")
        )
    prompt = (scene.recipe or {}).get("prompt")
    found += [
        ("sounds", ", ".join(scene.sounds)),
        ("doorways", ", ".join(scene.doorways)),
        ("made from", repr(prompt) if isinstance(prompt, str) else ""),
        ("quality", scene.quality),
        ("walkable", scene.walkability),
    ]
    return [(name, value) for name, value in found if value]


def show_findings(*, as_json: bool) -> None:
    """Print the doctor's findings; exit status 1 if something that is required is missing."""
    from .doctor import examine

    findings = examine(home_folder())
    if as_json:
        sys.stdout.write(json.dumps([asdict(finding) for finding in findings]) + "\n")
    else:
        for finding in findings:
            mark = (
                "[green]ok  [/]"
                if finding.ok
                else ("[red]gap [/]" if finding.is_required else "[dim]none[/]")
            )
            hint = f"\n      [dim]{escape(finding.hint)}[/]" if finding.hint else ""
            _OUT.print(f"{mark}  {finding.name:<22}{escape(finding.detail)}{hint}", soft_wrap=True)
    if any(finding.is_required and not finding.ok for finding in findings):
        raise typer.Exit(1)

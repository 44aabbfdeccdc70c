"""The house rules of DESIGN as tests: arrows, light imports, rooms for sockets and torch, file sizes."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PACKAGES = ("reconstruction", "streaming", "immersive")
MAY_IMPORT = {
    "reconstruction": {"reconstruction"},
    "streaming": {"streaming", "reconstruction"},
    "immersive": {"immersive", "streaming", "reconstruction"},
}
TORCH_ROOMS = (
    "reconstruction/optimize.py",
    "reconstruction/rasterizers/",
    "reconstruction/learned/",
    "immersive/generation/diffusion/",
)
LISTENING_ROOMS = ("immersive/server/",)
# A module longer than this is a refusal; 500 is a question in review.
LONGEST_MODULE = 800


def _modules(package: str) -> list[Path]:
    return [path for path in (ROOT / package).rglob("*.py") if "_viewer" not in path.parts]


def _imports(path: Path) -> set[str]:
    """Every module named in an import statement of a file, wherever it stands."""
    found: set[str] = set()
    package = path.relative_to(ROOT).with_suffix("").parts[:-1]
    for node in ast.walk(ast.parse(path.read_text("utf-8"))):
        if isinstance(node, ast.Import):
            found.update(alias.name for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            base = ".".join(package[: len(package) - node.level + 1]) + "." if node.level else ""
            found.add(base + (node.module or ""))
    return found


@pytest.mark.parametrize("package", PACKAGES)
def test_imports_point_down(package: str) -> None:
    for path in _modules(package):
        ours = {name.split(".")[0] for name in _imports(path)} & set(PACKAGES)
        upward = ours - MAY_IMPORT[package]
        assert not upward, f"{path.relative_to(ROOT)} imports {sorted(upward)} from a higher layer"


def test_the_checker_sees_an_upward_import(tmp_path: Path) -> None:
    offender = ROOT / "reconstruction" / "cameras.py"
    text = offender.read_text("utf-8") + "\nfrom streaming.asset import SplatAsset\n"
    tree = ast.parse(text)

    names = {node.module for node in ast.walk(tree) if isinstance(node, ast.ImportFrom)}

    assert "streaming.asset" in names  # the walk in `_imports` rests on this node type


def test_torch_stays_in_its_rooms() -> None:
    for package in PACKAGES:
        for path in _modules(package):
            place = path.relative_to(ROOT).as_posix()
            if place.startswith(TORCH_ROOMS):
                continue
            roots = {name.split(".")[0] for name in _imports(path)}
            assert "torch" not in roots, f"{place} imports torch"


def test_listening_sockets_live_in_the_server() -> None:
    for package in PACKAGES:
        for path in _modules(package):
            place = path.relative_to(ROOT).as_posix()
            if place.startswith(LISTENING_ROOMS):
                continue
            assert "uvicorn" not in _imports(path), f"{place} starts a server"


@pytest.mark.parametrize(
    "statement",
    [
        "import streaming.asset",
        "import immersive",
        "import immersive.cli",
        "from immersive.prompt_brief import brief_of; brief_of('a hut by a lake')",  # `create --explain`
    ],
)
def test_light_imports_load_no_heavy_package(statement: str) -> None:
    heavy = ("torch", "open3d", "pycolmap", "numba", "embreex", "av", "scipy")
    code = f"import sys; {statement}; print([m for m in {heavy!r} if m in sys.modules])"

    answer = subprocess.run(
        [sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True, check=True
    )

    assert answer.stdout.strip() == "[]"


def test_modules_stay_small() -> None:
    lengths = {
        path.relative_to(ROOT).as_posix(): len(path.read_text("utf-8").splitlines())
        for package in PACKAGES
        for path in _modules(package)
    }
    long = sorted(name for name, length in lengths.items() if length > 400)

    assert not [name for name, length in lengths.items() if length > LONGEST_MODULE]
    assert len(long) <= len(lengths) // 10, f"more than a tenth of the modules exceed 400 lines: {long}"


def test_no_module_is_named_for_leftovers() -> None:
    names = {path.stem for package in PACKAGES for path in _modules(package)}

    assert not names & {"utils", "util", "helpers", "common", "misc"}


def test_the_root_holds_only_what_was_agreed() -> None:
    agreed = {
        "pyproject.toml", "README.md", "immersive", "reconstruction", "streaming", "viewer", "tests",
        "samples", "Makefile", "LICENSE", ".gitignore", ".ci",
    }  # fmt: skip
    tracked = subprocess.run(["git", "ls-files"], cwd=ROOT, capture_output=True, text=True, check=True).stdout

    assert {line.split("/")[0] for line in tracked.splitlines()} <= agreed


def test_every_package_opens_with_a_readme() -> None:
    for folder in (*PACKAGES, "viewer"):
        text = (ROOT / folder / "README.md").read_text("utf-8")
        assert len(text.split()) > 60, f"{folder}/README.md says too little"


def test_what_make_runs_beside_the_tests_still_finds_all_that_it_imports() -> None:
    folders = ("bench", "fuzz", "faults")
    names = [
        f"tests.{folder}.{path.stem}"
        for folder in folders
        for path in sorted((ROOT / "tests" / folder).glob("*.py"))
        if not path.stem.startswith("__")
    ]
    assert len(names) > 20

    code = "import importlib, sys\nfor name in sys.argv[1:]: importlib.import_module(name)"
    done = subprocess.run([sys.executable, "-c", code, *names], cwd=ROOT, capture_output=True, text=True)

    assert done.returncode == 0, done.stderr[-2000:]

from __future__ import annotations

import subprocess
from pathlib import Path
from typing import Any

import pytest

from immersive import doctor, preflight


def test_a_missing_library_is_one_line_with_its_command(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(preflight.sys, "argv", ["preflight.py"])
    monkeypatch.setattr(preflight.ctypes.util, "find_library", lambda name: None if name == "GL" else name)

    status = preflight.main()

    assert status == 1
    assert capsys.readouterr().err.splitlines() == [
        "missing: libGL, which open3d links; install it with: apt-get install libgl1"
    ]


def test_an_old_node_is_told_with_what_was_found(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight, "node_version", lambda: (18, 20))

    assert any("20.19 or newer (found 18.20)" in what for what, _ in preflight.missing())


def test_install_asks_apt_for_exactly_the_missing_packages(monkeypatch: pytest.MonkeyPatch) -> None:
    calls: list[list[str]] = []

    def run(command: list[str], **_: Any) -> subprocess.CompletedProcess[str]:
        calls.append(command)
        return subprocess.CompletedProcess(command, 0, stdout="v20.20.1\n")

    monkeypatch.setattr(preflight.sys, "argv", ["preflight.py", "--install"])
    monkeypatch.setattr(preflight.ctypes.util, "find_library", lambda name: None if name == "EGL" else name)
    monkeypatch.setattr(preflight.shutil, "which", lambda name: f"/bin/{name}")
    monkeypatch.setattr(preflight.os, "geteuid", lambda: 0)
    monkeypatch.setattr(preflight, "find_chromium", lambda: None)
    monkeypatch.setattr(preflight.subprocess, "run", run)

    preflight.main()

    installs = [call for call in calls if call[:2] == ["apt-get", "install"]]
    assert [call[-2:] for call in installs] == [["libegl1", "chromium"]]


def test_nothing_is_installed_by_a_user_who_may_not(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(preflight.os, "geteuid", lambda: 1000)
    monkeypatch.setattr(preflight.subprocess, "run", lambda *_, **__: pytest.fail("apt-get was called"))

    assert preflight.install(["libgl1"]) is False


def test_the_doctor_finds_this_machine_fit(tmp_path: Path) -> None:
    findings = {finding.name: finding for finding in doctor.examine(tmp_path / "home")}

    assert all(finding.ok for finding in findings.values() if finding.is_required)
    assert findings["splat kernels"].detail.startswith(("avx512", "avx2", "baseline"))
    assert not (tmp_path / "home").exists()

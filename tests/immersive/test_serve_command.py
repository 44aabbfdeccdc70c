"""How a link and its server are told to people."""

from __future__ import annotations

import pytest

from immersive.serve_command import show_link
from immersive.server.run import ServerInfo


def _info(**changes: object) -> ServerInfo:
    fields = {
        "url": "https://192.0.2.7:8765", "port": 8765, "is_secure": True, "is_lan": True,
        "fingerprint": "0A:CD:12:ON:AB", "ca_path": None, "owner_token": None,
    }  # fmt: skip
    return ServerInfo(**{**fields, **changes})


def test_a_fingerprint_is_printed_letter_by_letter(capsys: pytest.CaptureFixture[str]) -> None:
    # rich would turn ":CD:" into a picture of a disc.
    show_link("https://192.0.2.7:8765/v/a#b", _info())

    printed = capsys.readouterr()
    assert "0A:CD:12:ON:AB" in printed.err
    assert printed.out == "https://192.0.2.7:8765/v/a#b\n"
    assert printed.err.count("█") > 100  # the QR code


def test_no_dead_code_is_printed_for_a_link_that_only_this_machine_opens(
    capsys: pytest.CaptureFixture[str],
) -> None:
    show_link(
        "http://127.0.0.1:8765/v/a#b", _info(url="http://127.0.0.1:8765", is_lan=False, fingerprint=None)
    )

    printed = capsys.readouterr().err
    assert "█" not in printed and "--lan" in printed and "adb reverse tcp:8765" in printed

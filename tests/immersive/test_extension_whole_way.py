"""A hosted clip, filmed further by the same service: twice structure from motion, minutes."""

from __future__ import annotations

from pathlib import Path

import pytest

from immersive.pipeline import create_scene
from immersive.request import CreateRequest
from tests.data import shared
from tests.immersive.fake_clip_services import Call, FakeService, running


class TwoHalves(FakeService):
    """The first order is answered with the first half of a walk, every later one with the second."""

    halves: tuple[bytes, bytes]

    def answer(self, call: Call):  # type: ignore[no-untyped-def]
        self.clip = self.halves[len(self.orders) > 1]
        return super().answer(call)


def halves_of(path: Path, folder: Path) -> tuple[bytes, bytes]:
    """Cut a clip in two that share one picture."""
    import av

    with av.open(str(path)) as container:
        frames = [frame.to_ndarray(format="rgb24") for frame in container.decode(video=0)]
    middle = len(frames) // 2
    parts = []
    for name, part in (("a", frames[: middle + 1]), ("b", frames[middle:])):
        with av.open(str(folder / f"{name}.mp4"), "w") as out:
            stream = out.add_stream("libx264", rate=25, options={"crf": "14"})
            stream.height, stream.width, _ = part[0].shape
            stream.pix_fmt = "yuv420p"
            for image in part:
                out.mux(stream.encode(av.VideoFrame.from_ndarray(image, format="rgb24")))
            out.mux(stream.encode(None))
        parts.append((folder / f"{name}.mp4").read_bytes())
    return parts[0], parts[1]


@pytest.mark.slow
def test_a_hosted_place_grows_and_is_paid_for_once(tmp_path: Path, monkeypatch) -> None:
    clip = shared("generated/matrixgame2_forest.mp4")
    service = TwoHalves(b"", polls_until_done=1)
    service.halves = halves_of(clip, tmp_path)
    with running(service):
        monkeypatch.setenv("IMMERSIVE_VIDEOS_URL", f"{service.url}/v1")
        monkeypatch.setenv("IMMERSIVE_VIDEOS_USD_PER_S", "0.1")
        request = CreateRequest(
            "a mossy forest", backend="videos", budget_s=15, splats=30_000, extend=1, most_cost_usd=1.7
        )
        scene = create_scene(request, home=tmp_path / "home")
        again = create_scene(request, home=tmp_path / "home")

    assert len(service.orders) == 2 and again.record.id == scene.record.id
    assert b"goes on from this picture" in service.orders[1].body
    assert b"input_reference" in service.orders[1].body and b"input_reference" not in service.orders[0].body
    assert any("filmed 1 clip further" in note and "became" in note for note in scene.notes)

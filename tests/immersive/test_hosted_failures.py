"""Every way in which a hosted model fails, for every family and at every step of an order: one sentence each,
nothing half-written, and no charge repeated when the same call goes on."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Literal

import httpx
import pytest

from immersive.brief import SceneBrief
from immersive.errors import DiskFullError, HostedError
from immersive.generation.backend import BackendSettings
from immersive.generation.hosted.generator import create
from immersive.pipeline import create_scene
from immersive.request import CreateRequest
from reconstruction.errors import CancelledError, ImmersiveError
from tests.immersive.fake_clip_services import KEY, Call, FakeService, running
from tests.immersive.test_hosted import VARIABLES, environment
from tests.reconstruction.clips import sliding, write_clip

BRIEF = SceneBrief(prompt="A cabin by a lake.", seed=11)
NAMES = sorted(VARIABLES)
Moment = Literal["order", "look", "fetch"]


@dataclass
class FailingService(FakeService):
    """Answers with `status` at one moment, until told otherwise."""

    moment: Moment | None = None
    status: int = 500
    refused: list[Call] = field(default_factory=list)

    def answer(self, call: Call) -> tuple[int, dict[str, str], Any]:
        if self.moment is not None and self._moment_of(call) == self.moment:
            self.refused.append(call)
            return self.status, {}, {"error": {"message": "words\nof theirs"}}
        return super().answer(call)

    def _moment_of(self, call: Call) -> Moment:
        if call.method == "POST" and ":fetchPredict" not in call.path:
            return "order"
        looks = sum(c.method == "GET" or ":fetchPredict" in c.path for c in self.calls)
        return "look" if looks < self.polls_until_done else "fetch"


@pytest.fixture(scope="module")
def clip(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    return write_clip(tmp_path_factory.mktemp("clip") / "walk.mp4", sliding(14)).read_bytes()


@pytest.fixture
def service(clip: bytes) -> Iterator[FailingService]:
    with running(FailingService(clip)) as served:
        yield served  # type: ignore[misc]


def film(name: str, service: FakeService, folder: Path, progress: Any = None) -> tuple[str, ...]:
    made = create(name, BackendSettings(journal=folder), environment(name, service), [].append)
    made.generate(BRIEF, progress or (lambda share, phrase: None))
    return made.notes


def check_told(error: ImmersiveError) -> None:
    """One sentence: lower case or a name, no line break, no full stop, no key; and what to do."""
    text = str(error)
    assert "\n" not in text and not text.endswith(".") and KEY not in text + (error.hint or "")
    assert error.hint


def check_left(folder: Path, *, ordered: bool) -> None:
    left = sorted(path.suffix for path in folder.iterdir()) if folder.exists() else []
    assert left == ([".json"] if ordered else [])


@pytest.mark.parametrize("moment", ["order", "look", "fetch"])
@pytest.mark.parametrize(
    ("status", "sentence"),
    [(401, "does not take the key"), (429, "is busy"), (500, "failed with status 500")],
)
@pytest.mark.parametrize("name", NAMES)
def test_a_status_is_one_sentence_whenever_it_comes(
    name: str, status: int, sentence: str, moment: Moment, service: FailingService, tmp_path: Path
) -> None:
    service.moment, service.status = moment, status
    with pytest.raises(HostedError, match=f"^{name} {sentence}: words of theirs") as caught:
        film(name, service, tmp_path / "paid")
    check_told(caught.value)
    check_left(tmp_path / "paid", ordered=moment != "order")
    # After a broken server nobody knows whether an order was taken, so it is not sent again.
    if moment == "order":
        assert len(service.refused) == (6 if status == 429 else 1)
    service.moment = None

    notes = film(name, service, tmp_path / "paid")

    assert len(service.orders) == 1
    assert any("none was ordered anew" in note for note in notes) == (moment != "order")


@pytest.mark.parametrize("name", NAMES)
def test_a_clip_that_is_cut_short_is_fetched_again_and_not_ordered_again(
    name: str, service: FailingService, tmp_path: Path
) -> None:
    whole, service.clip = service.clip, service.clip[: len(service.clip) // 2]  # and nothing says so
    with pytest.raises(HostedError, match=f"^what {name} sent is no clip that can be read") as caught:
        film(name, service, tmp_path / "paid")
    check_told(caught.value)
    check_left(tmp_path / "paid", ordered=True)
    service.clip = whole

    film(name, service, tmp_path / "paid")

    assert len(service.orders) == 1


@pytest.mark.parametrize("name", ["luma", "runway", "videos"])
def test_a_download_that_breaks_off_leaves_nothing(
    name: str, service: FailingService, tmp_path: Path
) -> None:
    service.truncate = True
    with pytest.raises(HostedError, match=f"^the clip of {name} did not come whole$") as caught:
        film(name, service, tmp_path / "paid")
    check_told(caught.value)
    check_left(tmp_path / "paid", ordered=True)
    service.truncate = False

    film(name, service, tmp_path / "paid")

    assert len(service.orders) == 1


@pytest.mark.parametrize("phrase", ["ordering", "running", "fetching"])
@pytest.mark.parametrize("name", NAMES)
def test_stopping_leaves_the_job_to_the_next_call(
    name: str, phrase: str, service: FailingService, tmp_path: Path
) -> None:
    def stop(share: float, told: str) -> None:
        if phrase in told:
            raise CancelledError("stopped")

    with pytest.raises(CancelledError):
        film(name, service, tmp_path / "paid", progress=stop)
    check_left(tmp_path / "paid", ordered=phrase != "ordering")
    assert len(service.orders) == (phrase != "ordering")

    film(name, service, tmp_path / "paid")

    assert len(service.orders) == 1


@pytest.mark.parametrize("name", NAMES)
def test_an_order_that_is_not_answered_is_not_sent_again(name: str, tmp_path: Path) -> None:
    sent: list[httpx.Request] = []

    def silent(request: httpx.Request) -> httpx.Response:
        sent.append(request)
        raise httpx.ReadTimeout("no answer", request=request)

    made = create(
        name,
        BackendSettings(journal=tmp_path / "paid"),
        environment(name, FakeService(b"", url="https://x.org")),
    )
    transport = made._provider.transport  # type: ignore[attr-defined]
    transport._client, transport.sleep = httpx.Client(transport=httpx.MockTransport(silent)), [].append

    with pytest.raises(HostedError, match=f"^{name} took too long or broke off$") as caught:
        made.generate(BRIEF, lambda share, phrase: None)

    check_told(caught.value)
    assert len(sent) == 1 and "may have been taken" in (caught.value.hint or "")
    assert not (tmp_path / "paid").exists()


@pytest.mark.parametrize("name", NAMES)
def test_a_job_whose_looks_are_not_answered_is_kept(
    name: str, service: FailingService, tmp_path: Path
) -> None:
    sent: list[str] = []

    def one_order(request: httpx.Request) -> httpx.Response:
        is_order = request.method == "POST" and b":fetchPredict" not in request.url.raw_path
        sent.append("order" if is_order else "look")
        if is_order:
            return httpx.Response(200, json={"id": "job-1", "name": "p/operations/job-1"})
        raise httpx.ReadTimeout("no answer", request=request)

    made = create(name, BackendSettings(journal=tmp_path / "paid"), environment(name, service), [].append)
    transport = made._provider.transport  # type: ignore[attr-defined]
    transport._client = httpx.Client(transport=httpx.MockTransport(one_order))
    with pytest.raises(HostedError, match=f"^{name} took too long or broke off$") as caught:
        made.generate(BRIEF, lambda share, phrase: None)
    check_told(caught.value)
    check_left(tmp_path / "paid", ordered=True)
    assert sent == ["order"] + 6 * ["look"]  # a look costs nothing, so it is repeated

    film(name, service, tmp_path / "paid")

    assert service.orders == []


@pytest.mark.parametrize("name", ["veo", "videos"])
def test_a_full_disk_is_told_and_the_clip_fetched_again(
    name: str, service: FailingService, tmp_path: Path, monkeypatch
) -> None:
    def full(self: Path, target: Path) -> None:
        if self.suffix == ".part":
            raise OSError(28, "No space left on device")
        original(self, target)

    original = Path.replace
    with monkeypatch.context() as patch:
        patch.setattr(Path, "replace", full)
        with pytest.raises(DiskFullError, match="no room on the disk for the clip") as caught:
            film(name, service, tmp_path / "paid")
    check_told(caught.value)
    check_left(tmp_path / "paid", ordered=True)

    film(name, service, tmp_path / "paid")

    assert len(service.orders) == 1


@pytest.mark.parametrize("name", NAMES)
def test_a_creation_that_fails_leaves_nothing_but_the_note(
    name: str, service: FailingService, tmp_path: Path, monkeypatch
) -> None:
    for variable, value in environment(name, service).items():
        monkeypatch.setenv(variable, value)
    service.moment, service.status = "look", 401

    for _ in range(2):
        with pytest.raises(HostedError, match="does not take the key"):
            create_scene(CreateRequest("a cabin by a lake", backend=name), home=tmp_path)

    assert len(service.orders) == 1
    check_left(tmp_path / "paid", ordered=True)
    assert not list((tmp_path / "stages").glob("*/images.npy")) and not list(tmp_path.rglob("pack.bin"))

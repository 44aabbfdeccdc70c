"""What is painted into a sound walk is found, said and not learned; a sound walk is left alone."""

from __future__ import annotations

import numpy as np
import pytest

from reconstruction.consistency import ConsistencyReport, Region
from reconstruction.frames import FrameSequence
from reconstruction.lifting import lift_points
from reconstruction.metrics import psnr
from reconstruction.optimize import FitResult, FitSettings, fit
from reconstruction.rasterizers.draw import draw
from tests.reconstruction.painted import room_walk, with_flicker, with_walker, with_wrong_frame

STEPS, SPLATS = 400, 6000


@pytest.fixture(scope="module")
def walk():
    return room_walk()


def fitted(frames: FrameSequence, walk, **settings: bool) -> FitResult:
    _, points, colors = walk
    first = lift_points(points, colors, frames.subset(frames.train).cameras)
    return fit(frames, first, FitSettings(iterations=STEPS, max_splats=SPLATS, **settings), rasterizer="cpu")


def held_out_psnr(result: FitResult, clean: FrameSequence) -> float:
    hidden = list(clean.held_out)
    images = draw(result.cloud, clean.cameras.subset(hidden)).images
    if result.exposures is not None:
        gain, bias = (result.exposures[hidden, k, None, None] for k in (0, 1))
        images = images * gain + bias
    truth = clean.images[hidden].astype(np.float32) / 255
    return float(np.mean([psnr(a.clip(0, 1), b) for a, b in zip(images, truth, strict=True)]))


def boxes(report: ConsistencyReport) -> np.ndarray:
    """The regions of a report as masks [F, H, W]."""
    masks = np.zeros((report.frame_count, report.height, report.width), bool)
    for region in report.regions:
        masks[region.frame, region.top : region.bottom, region.left : region.right] = True
    return masks


def test_a_sound_walk_is_left_alone(walk):
    clean = walk[0]

    plain, gated = fitted(clean, walk), fitted(clean, walk, consistency=True)

    assert gated.consistency.masked_share < 0.01 and gated.consistency.dropped == ()
    assert gated.consistency.sentences == ()
    assert held_out_psnr(gated, clean) > held_out_psnr(plain, clean) - 0.25
    assert plain.consistency is None


def test_a_walker_is_found_and_not_learned(walk):
    clean = walk[0]
    painted, truth = with_walker(clean, 4, 20)

    plain, gated = fitted(painted, walk), fitted(painted, walk, consistency=True)

    found = boxes(gated.consistency)
    assert (found & truth).sum() > 0.8 * truth.sum()
    assert (found & truth).sum() > 0.5 * found.sum()
    assert gated.consistency.dropped == ()
    assert held_out_psnr(gated, clean) > held_out_psnr(plain, clean) + 1
    assert any("of the picture disagrees" in sentence for sentence in gated.consistency.sentences)
    shares = np.array(gated.consistency.shares)
    assert (shares[[5, 8, 12, 18]] > 0.03).all() and (shares[list(clean.held_out)] == 0).all()


def test_a_wrong_frame_is_left_out_and_named(walk):
    painted, _ = with_wrong_frame(walk[0], 8, 20)

    report = fitted(painted, walk, consistency=True).consistency

    assert report.dropped == (8,) and report.shares[8] == 1
    assert report.sentences == ("frame 9: nothing agrees with the rest, left out",)


def test_flicker_is_exposure_and_no_disagreement(walk):
    flickering = (6, 7, 19)
    changed = with_flicker(walk[0], flickering, 1.25)

    told = fitted(changed, walk, consistency=True, exposure=True)
    untold = fitted(changed, walk, consistency=True)

    assert told.consistency.dropped == () and told.consistency.masked_share < 0.02
    steady = [i for i in range(24) if i not in flickering]
    gains = told.exposures[:, 0].mean(1)
    assert (gains[list(flickering)] / np.median(gains[steady]) > 1.12).all()
    assert set(untold.consistency.dropped) == set(flickering)


def test_held_out_pixels_do_not_reach_the_report(walk):
    painted, _ = with_walker(walk[0], 4, 20)
    images = painted.images.copy()
    images[list(painted.held_out)] = 255 - images[list(painted.held_out)]
    other = FrameSequence(images, painted.provenance, painted.cameras, held_out=painted.held_out)

    a, b = (fitted(frames, walk, consistency=True, exposure=True) for frames in (painted, other))

    assert a.consistency == b.consistency
    np.testing.assert_array_equal(a.exposures, b.exposures)


def report_of(shares: dict[int, float], dropped: tuple[int, ...] = ()) -> ConsistencyReport:
    regions = tuple(Region(frame, 20, 10, 60, 50, share) for frame, share in shares.items())
    values = [1.0 if i in dropped else shares.get(i, 0.0) for i in range(30)]
    return ConsistencyReport(30, 100, 60, tuple(values), regions, dropped, float(np.mean(values)))


def test_sentences_name_runs_shares_and_places():
    report = report_of({11: 0.05, 12: 0.06, 13: 0.07, 15: 0.06, 22: 0.001, 25: 0.03}, dropped=(2, 3, 28))

    assert report.sentences == (
        "frames 3 to 4: nothing agrees with the rest, left out",
        "frame 29: nothing agrees with the rest, left out",
        "frames 12 to 16: 6% of the picture disagrees with the other frames, left of the middle",
        "frame 26: 3% of the picture disagrees with the other frames, left of the middle",
    )
    assert report_of({}).sentences == ()


def test_where_nothing_disagrees_a_fit_is_the_same_with_and_without(walk) -> None:
    frames = walk[0]

    plain, gated = fitted(frames, walk), fitted(frames, walk, consistency=True)

    assert gated.consistency.masked_share == 0
    np.testing.assert_array_equal(plain.cloud.means, gated.cloud.means)

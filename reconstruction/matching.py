"""Features of pictures, and which pictures show the same ones (pycolmap, in its database)."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

from PIL import Image

from .colmap import SEED, THREADS, load_pycolmap
from .frames import FrameSequence
from .retrieval import similar_pairs

Progress = Callable[[float, str], None]

SIFT_PX = 1000  # more pixels find more points and cost in proportion; poses do not get better
# Up to here every pair is matched: 60 pictures make 1,770 pairs, some three minutes. Longer rows are matched
# along their order, each with its next ten and then in doubling steps, and each with the pictures that look
# like it, which closes loops. Clips get every pair, too: one of 40 frames, matched along its order only, came
# out with its first five turned by 20 degrees against the rest.
EXHAUSTIVE_UP_TO = 60
SEQUENTIAL_OVERLAP = 10
LOOK_ALIKES = 8


def match_pictures(frames: FrameSequence, scratch: Path, tell: Progress, camera_mode: Any = None) -> Path:
    """Find and match features; returns the database. Pictures lie beside it in `images`.

    All pictures share a camera unless `camera_mode` says otherwise.
    """
    pycolmap = load_pycolmap()
    pictures = scratch / "images"
    pictures.mkdir()
    tell(0.0, "finding features")
    for index, image in enumerate(frames.images):
        Image.fromarray(image).save(pictures / picture_name(index), compress_level=1)
    database = scratch / "matches.db"
    pycolmap.set_random_seed(SEED)
    extraction = pycolmap.FeatureExtractionOptions()
    extraction.use_gpu, extraction.num_threads, extraction.max_image_size = False, THREADS, SIFT_PX
    reader = pycolmap.ImageReaderOptions()
    reader.camera_model = "SIMPLE_RADIAL"
    pycolmap.extract_features(
        database,
        pictures,
        camera_mode=pycolmap.CameraMode.SINGLE if camera_mode is None else camera_mode,
        reader_options=reader,
        extraction_options=extraction,
    )
    tell(0.4, "matching pictures")
    matching = pycolmap.FeatureMatchingOptions()
    matching.use_gpu, matching.num_threads = False, THREADS
    matching.skip_geometric_verification = True  # depends on the lens, see `mapping`
    if len(frames) > EXHAUSTIVE_UP_TO:
        listed = scratch / "pairs.txt"
        listed.write_text(
            "\n".join(f"{picture_name(i)} {picture_name(j)}" for i, j in _likely_pairs(database)), "utf-8"
        )
        pairing = pycolmap.ImportedPairingOptions()
        pairing.match_list_path = listed
        pycolmap.match_image_pairs(database, matching_options=matching, pairing_options=pairing)
    else:
        pycolmap.match_exhaustive(database, matching_options=matching)
    return database


def _likely_pairs(database: Path) -> list[tuple[int, int]]:
    """Return which frames to match, neighbours in time first."""
    pycolmap = load_pycolmap()
    with pycolmap.Database.open(database) as opened:
        images = sorted(opened.read_all_images(), key=lambda image: image.name)
        features = [opened.read_descriptors(image.image_id).data for image in images]
    count = len(features)
    steps = [*range(1, SEQUENTIAL_OVERLAP + 1)]
    while steps[-1] * 2 < count:
        steps.append(steps[-1] * 2)
    along = [(i, i + step) for step in steps for i in range(count - step)]
    alike = similar_pairs(features, LOOK_ALIKES, SEQUENTIAL_OVERLAP)
    return [*along, *sorted(set(alike) - set(along))]


def verify_pairs(database: Path) -> None:
    """Keep of every pair the matches that the lenses in the database explain.

    With a known lens a pair has five unknowns instead of seven and more pairs pass: 15 instead of 2 of 29
    photos of one test set register.
    """
    pycolmap = load_pycolmap()
    verifier = pycolmap.GeometricVerifierOptions()
    verifier.num_threads = THREADS
    geometry = pycolmap.TwoViewGeometryOptions()
    geometry.ransac.random_seed = SEED
    pycolmap.set_random_seed(SEED)
    pycolmap.geometric_verification(database, verifier, two_view_geometry_options=geometry)


def picture_name(index: int) -> str:
    """Return the file name of a frame; names sort as frames do."""
    return f"{index:05d}.png"


def frame_index(name: str) -> int:
    """Return the frame that `picture_name` named."""
    return int(Path(name).stem)

"""What is drawn for devices that cannot draw: the walk, the newest pose, the picture, whose turn it is."""

from __future__ import annotations

import asyncio
import io
import math
from dataclasses import replace
from functools import cache

import numpy as np
import pytest
from PIL import Image

from immersive.serve_command import sample_folder
from immersive.thin.asked import Asked, asked_in
from immersive.thin.drawing import Drawing
from immersive.thin.footing import Footing
from immersive.thin.scene import DrawnScene
from immersive.thin.studio import Studio
from immersive.thin.visitor import MOST_ON_THE_WAY, Visitor, Wanted
from reconstruction.cameras import Cameras, intrinsics
from reconstruction.conventions import look_at_viewmat
from reconstruction.fusion import Collider, Mesh
from reconstruction.rasterizers.draw import draw
from streaming.assemble import collider_mesh, finest_cloud
from streaming.asset import SplatAsset
from streaming.errors import AssetFormatError, ProtocolError
from streaming.messages import BatchDone, Credit, Picture, Ping, Pong, Pose, decode_from_server, encode
from streaming.pack import read_asset
from streaming.session import StreamedScene
from tests.streaming.opaque_asset import opaque_asset

EYE_M = 1.6
START = Pose(0, (0.3, EYE_M, 0.2), (0.0, 0.0, -1.0), 70.0)


@cache
def sample() -> SplatAsset:
    return read_asset(sample_folder())


@cache
def streamed() -> StreamedScene:
    return StreamedScene.prepare(sample(), "abc", "v1")


@cache
def drawn() -> DrawnScene:
    return DrawnScene(streamed())


# --- walking ------------------------------------------------------------------------------------------


def _boxes(*corners: tuple[tuple[float, float, float], tuple[float, float, float]]) -> Footing:
    """Footing on boxes, each given by its lowest and its highest corner."""
    quads = [(0, 1, 3, 2), (4, 6, 7, 5), (0, 4, 5, 1), (2, 3, 7, 6), (0, 2, 6, 4), (1, 5, 7, 3)]
    vertices, faces = [], []
    for low, high in corners:
        first = len(vertices)
        vertices += [tuple((low, high)[bit >> axis & 1][axis] for axis in range(3)) for bit in range(8)]
        for a, b, c, d in quads:
            faces += [(first + a, first + b, first + c), (first + a, first + c, first + d)]
    return Footing(np.array(vertices, np.float32), np.array(faces, np.uint32))


FLOOR = ((-5.0, -1.0, -5.0), (5.0, 0.0, 5.0))


def test_a_wall_stops_a_visitor_a_body_before_it_and_is_slid_along() -> None:
    ground = _boxes(FLOOR, ((2.0, 0.0, -5.0), (2.2, 3.0, 5.0)))

    x, y, z = ground.walk((0.5, 0.0, 0.0), (2.9, 0.0, 0.0))
    assert 1.5 < x <= 1.75 and y == pytest.approx(0.0) and z == pytest.approx(0.0, abs=0.3)

    x, _, z = ground.walk((1.7, 0.0, 0.0), (2.7, 0.0, -2.0))
    assert x <= 1.76 and z < -0.5


def test_stairs_are_climbed_and_ledges_are_not_walked_off() -> None:
    stairs = [((1.0 + 0.3 * i, 0.0, -5.0), (5.0, 0.2 * (i + 1), 5.0)) for i in range(4)]
    ground = _boxes(FLOOR, *stairs)
    assert ground.walk((1.2, 0.2, 1.0), (2.6, 0.0, 1.0))[1] == pytest.approx(0.8, abs=1e-6)

    table = _boxes(FLOOR, ((1.0, 0.0, -5.0), (5.0, 1.0, 5.0)))
    x, y, _ = table.walk((2.0, 1.0, 1.0), (0.0, 0.0, 1.0))
    assert x >= 1.0 and y == 1.0
    assert table.walk((0.0, 0.0, 1.0), (2.0, 0.0, 1.0))[0] < 1.0  # nor climbed from below


def test_the_world_ends_where_the_ground_does() -> None:
    feet = (4.0, 0.0, 0.0)
    for _ in range(5):
        feet = _boxes(FLOOR).walk(feet, (feet[0] + 3.0, 0.0, 0.0))
    assert 4.5 < feet[0] < 5.01


def test_walks_through_the_sample_keep_to_the_ground_and_cross_no_wall() -> None:
    vertices, faces = collider_mesh(sample())  # type: ignore[misc]
    ground = Footing(vertices, faces)
    judge = Collider(Mesh(vertices.astype(np.float32), faces.astype(np.int32)))
    random = np.random.default_rng(8)
    start = ground.stand(sample().manifest.spawn.position)
    assert start is not None
    lengths = []
    for _ in range(6):
        places = [start]
        heading = random.uniform(0, 2 * math.pi)
        for _ in range(25):
            heading += random.normal(0, 0.5)
            x, y, z = places[-1]
            places.append(
                ground.walk(places[-1], (x + 0.5 * math.sin(heading), y, z + 0.5 * math.cos(heading)))
            )
        feet = np.array(places)
        heights, _ = judge.ground_below(feet + (0.0, 0.3, 0.0))
        assert np.abs(heights - feet[:, 1]).max() < 1e-3
        steps = np.diff(feet, axis=0)
        moved = np.linalg.norm(steps[:, [0, 2]], axis=1)
        assert np.abs(steps[:, 1]).max() < 1.2
        chest = feet[:-1] + (0.0, 1.2, 0.0)
        ways = steps * (1.0, 0.0, 1.0)
        distances, _ = judge.cast(chest[moved > 0.01], (ways[moved > 0.01].T / moved[moved > 0.01]).T)
        # Strides bend around what they slide along: the straight line may cut a corner by less than a body.
        assert (distances > moved[moved > 0.01] - 0.25).all()
        lengths.append(float(np.linalg.norm(feet - feet[0], axis=1).max()))
    assert max(lengths) > 3.0


# --- the newest pose ----------------------------------------------------------------------------------


def _visitor(footing: Footing | None = None) -> Visitor:
    return Visitor(START, Asked(), footing, EYE_M, 0.0)


def _say(visitor: Visitor, epoch: int, x: float, now_s: float, yaw_deg: float = 0.0) -> None:
    yaw = math.radians(yaw_deg)
    pose = Pose(epoch, (x, EYE_M, 0.2), (-math.sin(yaw), 0.0, -math.cos(yaw)), 70.0)
    visitor.receive(encode(pose), now_s)


def _next(visitor: Visitor) -> Wanted:
    wish = visitor.wish()
    assert wish is not None
    return visitor.follow(wish)


def _show(visitor: Visitor, now_s: float) -> Picture:
    message = decode_from_server(visitor.shown(_next(visitor), b"jpeg", now_s))
    assert isinstance(message, Picture)
    return message


def test_the_first_picture_needs_no_message_and_of_many_poses_the_newest_is_drawn() -> None:
    visitor = _visitor()
    assert _show(visitor, 0.02).epoch == 0
    assert visitor.wish() is None
    for epoch in range(1, 30):
        _say(visitor, epoch, 0.1 * epoch, 1.0)
    _say(visitor, 12, 9.0, 1.0)  # late
    found = _show(visitor, 1.05)
    assert found.epoch == 29 and found.position[0] == pytest.approx(2.9)
    assert found.took_ms == pytest.approx(50, abs=1)
    assert visitor.wish() is None


def test_a_pose_that_comes_while_one_is_drawn_is_drawn_next() -> None:
    visitor = _visitor()
    wanted = _next(visitor)
    _say(visitor, 1, 1.0, 0.01)
    visitor.shown(wanted, b"old", 0.03)
    assert _show(visitor, 0.06).epoch == 1


def test_no_more_pictures_leave_than_are_taken() -> None:
    visitor = _visitor()
    sent = 0
    for epoch in range(1, 20):
        _say(visitor, epoch, 0.0, float(epoch))
        if visitor.wish() is not None:
            _show(visitor, float(epoch))
            sent += 1
    assert sent == MOST_ON_THE_WAY and visitor.is_waiting
    visitor.receive(encode(Credit(0)), 30.0)
    assert visitor.wish() is None
    visitor.receive(encode(Credit(1000)), 30.0)
    assert _show(visitor, 30.0).epoch == 19
    assert not visitor.is_waiting


def test_what_is_drawn_is_ahead_by_the_time_that_pictures_take_and_what_is_told_is_not() -> None:
    visitor = _visitor()
    for epoch in range(1, 40):  # 1 m/s and 20 degrees/s, pictures taken 100 ms after their pose
        now_s = 0.1 * epoch
        _say(visitor, epoch, 0.1 * epoch, now_s, yaw_deg=2.0 * epoch)
        wanted = _next(visitor)
        visitor.shown(wanted, b"", now_s + 0.03)
        visitor.receive(encode(Credit(1)), now_s + 0.1)
    assert wanted.told.position[0] == pytest.approx(3.9, abs=1e-5)
    assert wanted.drawn.position[0] == pytest.approx(4.0, abs=0.01)
    forward = wanted.drawn.forward
    assert math.degrees(math.atan2(-forward[0], -forward[2])) == pytest.approx(80.0, abs=0.2)
    # Who stands still is shown where they are; who leaps is not followed past a short step.
    _say(visitor, 40, 3.9, 4.0, yaw_deg=78.0)
    wanted = _next(visitor)
    assert wanted.drawn.position == pytest.approx(wanted.told.position)
    _say(visitor, 41, 60.0, 4.1, yaw_deg=258.0)
    wanted = _next(visitor)
    assert math.dist(wanted.drawn.position, wanted.told.position) <= 0.3001


def test_a_visitor_is_told_where_walls_let_them_come() -> None:
    visitor = _visitor(_boxes(FLOOR, ((2.0, 0.0, -5.0), (2.2, 3.0, 5.0))))
    _say(visitor, 1, 2.9, 1.0)
    x, y, _ = _show(visitor, 1.0).position
    assert x <= 1.75 and y == pytest.approx(EYE_M)


def test_without_ground_eyes_stay_at_their_height() -> None:
    visitor = _visitor()
    visitor.receive(encode(Pose(1, (4.0, 90.0, 5.0), (0.0, 0.0, 1.0), 70.0)), 1.0)
    assert _show(visitor, 1.0).position == pytest.approx((4.0, EYE_M, 5.0))


def test_pings_are_answered_and_other_messages_ignored() -> None:
    visitor = _visitor()
    visitor.receive(encode(Ping(7.5)), 0.0)
    assert decode_from_server(visitor.reply() or b"") == Pong(7.5)
    assert visitor.reply() is None
    visitor.receive(b"\xfe what a newer page says", 0.0)
    with pytest.raises(ProtocolError):
        visitor.receive(encode(BatchDone(1, 2))[:1].replace(b"\x14", b"\x02") + b"x", 0.0)


# --- the picture --------------------------------------------------------------------------------------


def _pixels(data: bytes) -> np.ndarray:
    with Image.open(io.BytesIO(data)) as picture:
        return np.asarray(picture.convert("RGB"), np.float64)


def _psnr_db(a: np.ndarray, b: np.ndarray) -> float:
    return float(-10 * np.log10((((a - b) / 255) ** 2).mean()))


@pytest.mark.parametrize(("kind", "least_db"), [("jpeg", 36.0), ("webp", 33.0)])
def test_a_picture_is_what_the_rasteriser_draws_of_the_finest_level(kind: str, least_db: float) -> None:
    asked = Asked(320, 200, kind)  # type: ignore[arg-type]
    pose = replace(streamed().start_pose, fov_deg=80.0)
    cloud = finest_cloud(sample())
    eye, forward = np.array(pose.position), np.array(pose.forward)
    focal_px = math.hypot(320, 200) / 2 / math.tan(math.radians(40))
    camera = Cameras(
        look_at_viewmat(eye, eye + forward)[None], intrinsics(focal_px, 320, 200)[None], 320, 200
    )
    truth = draw(
        replace(cloud, sh=cloud.sh[:, :1].copy()), camera, background=sample().manifest.background
    ).images[0]

    data = Drawing(drawn(), asked).picture(pose)

    assert data[:3] == b"\xff\xd8\xff" if kind == "jpeg" else data[8:12] == b"WEBP"
    assert _psnr_db(_pixels(data), truth.clip(0, 1) * 255) > least_db


def test_two_eyes_see_near_things_apart_the_right_way_round() -> None:
    pose = replace(streamed().start_pose, fov_deg=80.0)
    one = _pixels(Drawing(drawn(), Asked(320, 200)).picture(pose))
    both = _pixels(Drawing(drawn(), Asked(640, 200, stereo=True)).picture(pose))
    left, right = both[:, :320], both[:, 320:]
    assert _psnr_db(left, right) < _psnr_db(left, one)

    def shift_px(a: np.ndarray, b: np.ndarray) -> int:
        """How far to the left the content of `b` lies of that of `a`."""
        rows = slice(120, 190)  # the ground in front
        found = {d: np.abs(a[rows, 20 + d : 300 + d] - b[rows, 20:300]).mean() for d in range(-12, 13)}
        return min(found, key=found.get)  # type: ignore[arg-type]

    assert shift_px(left, right) > 0


def test_on_displays_that_add_light_sky_is_black_and_the_rest_is_brighter() -> None:
    pose = replace(streamed().start_pose, fov_deg=80.0)
    up = replace(pose, forward=(pose.forward[0], 0.5, pose.forward[2]))
    down = replace(pose, forward=(pose.forward[0], -0.6, pose.forward[2]))
    plain, clear = Drawing(drawn(), Asked(200, 160)), Drawing(drawn(), Asked(200, 160, additive=True))
    sky, no_sky = _pixels(plain.picture(up))[:40], _pixels(clear.picture(up))[:40]
    assert np.median(sky) > 60 and np.median(no_sky) < 8
    before, after = _pixels(plain.picture(down)).mean(), _pixels(clear.picture(down)).mean()
    assert after > 1.15 * before
    # Straight up, where a camera does not know which way is up, is drawn too.
    assert _pixels(plain.picture(replace(pose, forward=(0.0, 1.0, 0.0)))).shape == (160, 200, 3)


def test_of_a_larger_scene_the_cut_of_the_tree_is_drawn() -> None:
    small = DrawnScene(streamed(), max_splats=50_000)
    pose = replace(streamed().start_pose, fov_deg=70.0)
    rows = small.rows(pose, additive=False)
    assert 35_000 < rows.count <= 50_000
    asked = Asked(320, 240)
    whole, cut = Drawing(drawn(), asked), Drawing(small, asked)
    coarse = DrawnScene(streamed(), max_splats=1)
    truth = _pixels(whole.picture(pose))
    assert _psnr_db(_pixels(cut.picture(pose)), truth) > 24
    assert (
        _psnr_db(_pixels(cut.picture(pose)), truth)
        > _psnr_db(_pixels(Drawing(coarse, asked).picture(pose)), truth) + 3
    )
    # Behind the visitor it is coarser, until they turn: the cut is made anew then.
    back = replace(pose, forward=tuple(-axis for axis in pose.forward))  # type: ignore[arg-type]
    assert _psnr_db(_pixels(cut.picture(back)), _pixels(whole.picture(back))) > 22
    assert cut.picture(back) == Drawing(small, asked).picture(back)
    assert small.byte_length > 0


def test_a_scene_whose_chunks_are_noise_is_refused_in_words() -> None:
    with pytest.raises(AssetFormatError):
        DrawnScene(StreamedScene.prepare(opaque_asset(), "x", "y"))


@pytest.mark.parametrize(
    "query",
    [
        {"size": "600"}, {"size": "600x"}, {"size": "-600x600"}, {"size": "10x10"}, {"size": "1280x1280"},
        {"size": "999999x1"}, {"size": "٦٠٠x600"}, {"kind": "png"}, {"kind": ""}, {"stereo": "yes"},
        {"stereo": "1", "size": "601x300"}, {"additive": "2"},
    ],
)  # fmt: skip
def test_what_cannot_be_drawn_is_refused(query: dict[str, str]) -> None:
    with pytest.raises(ProtocolError):
        asked_in(query)


def test_a_query_that_asks_for_nothing_gets_what_glasses_show() -> None:
    assert asked_in({}) == Asked(600, 600, "jpeg", stereo=False, additive=False)
    assert asked_in({"size": "1200x600", "stereo": "1", "kind": "webp"}).eye_width == 600


# --- whose turn it is ---------------------------------------------------------------------------------


def test_scenes_stay_in_memory_while_there_is_room() -> None:
    async def run() -> None:
        other = StreamedScene.prepare(sample(), "other", "v1")
        studio = Studio(at_once=1, memory_bytes=3 * drawn().byte_length)
        first = await studio.scene(streamed())
        assert await studio.scene(StreamedScene.prepare(sample(), "abc", "v1")) is first
        await studio.scene(other)
        assert await studio.scene(streamed()) is first
        tight = Studio(at_once=1, memory_bytes=1)
        first = await tight.scene(streamed())
        await tight.scene(other)
        assert await tight.scene(streamed()) is not first
        studio.close(), tight.close()

    asyncio.run(run())


def test_turns_go_round_and_no_more_draw_than_threads() -> None:
    async def run() -> None:
        studio = Studio(at_once=1)
        order: list[str] = []

        async def draws(name: str) -> None:
            for _ in range(3):
                async with studio.turn():
                    order.append(name)
                    await asyncio.sleep(0.001)

        await asyncio.gather(*(draws(name) for name in "abc"))
        assert "".join(order) == "abcabcabc"
        studio.close()

    asyncio.run(run())


def test_seats_are_counted_and_given_up() -> None:
    studio = Studio(at_once=1, most_visitors=2)
    assert studio.take_seat("a", 0.0, math.inf) and studio.take_seat("b", 0.0, 10.0)
    assert not studio.take_seat("c", 9.0, math.inf)
    assert studio.take_seat("b", 9.0, 19.0)
    assert studio.take_seat("c", 19.0, math.inf)
    studio.leave_seat("a")
    assert studio.take_seat("d", 19.0, math.inf) and not studio.take_seat("e", 19.0, math.inf)
    studio.close()

"""Power losses replayed from recorded system calls, some of them; `make faults` tries every one."""

from __future__ import annotations

import shutil
import sys
from pathlib import Path

import pytest

from tests.faults.power_loss import lost, recorded

pytestmark = pytest.mark.skipif(
    shutil.which("strace") is None, reason="needs strace (apt-get install strace)"
)

_WITHOUT = """
import os, sys
from pathlib import Path
from immersive import blobs, database
from tests.faults import workload
{without}
workload.work(Path(sys.argv[1]), int(sys.argv[2]), int(sys.argv[3]))
"""

# Killed between the rename and its flush; the next process publishes the same scene.
_KILLED_ONCE = """
import os, sys
from pathlib import Path
from immersive.blobs import Blobs
from immersive.catalog import Catalog
from tests.faults.workload import tell
from tests.streaming.opaque_asset import opaque_asset
home, run = Path(sys.argv[1]), int(sys.argv[2])
catalog = Catalog(home)
def flush(descriptor):
    if os.readlink(f"/proc/self/fd/{descriptor}").rpartition("/")[2] in ("scenes", version[:2]):
        os._exit(0)
    os.fsync(descriptor)
from immersive.catalog import version_of
version = version_of(opaque_asset())
if run == 0:
    catalog.blobs = Blobs(home / "scenes", flush=flush)
record = catalog.publish(opaque_asset())
tell(scene=record.id, version=record.version)
"""


def test_nothing_acknowledged_is_lost(tmp_path: Path) -> None:
    recording = recorded(tmp_path, runs=2, steps=3)
    stops = [*range(1, len(recording.steps), 29), len(recording.steps)]

    count, found = lost(recording, stops, tmp_path)

    assert found == [] and count == 4 * len(stops)


_NO_FLUSH = "blobs.Blobs._flush_path = lambda self, path: None"
_NO_SYNC = """
make = workload.Catalog.__init__
def quick(self, *arguments):
    make(self, *arguments)
    self.database.read("PRAGMA synchronous = OFF")
workload.Catalog.__init__ = quick
"""


@pytest.mark.parametrize(("without", "said"), [(_NO_FLUSH, "lost its pack"), (_NO_SYNC, "is lost")])
def test_a_store_that_does_not_flush_is_found_out(tmp_path: Path, without: str, said: str) -> None:
    recording = recorded(tmp_path, 1, 3, (sys.executable, "-c", _WITHOUT.format(without=without)))

    _, found = lost(recording, [len(recording.steps) - 3], tmp_path)

    assert any(said in sentence for sentence in found), found


def test_a_pack_that_a_killed_process_left_is_flushed_before_it_is_believed(tmp_path: Path) -> None:
    recording = recorded(tmp_path, 2, 1, (sys.executable, "-c", _KILLED_ONCE))

    _, found = lost(recording, [len(recording.steps)], tmp_path)

    assert found == []

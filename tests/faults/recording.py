"""What a program asked of the disk, recorded call by call, and every state that a power loss may leave.

The model is stricter than any journalling file system: bytes are certain after `fsync` of their file,
names after `fsync` of their folder, and of everything else any part may be there, sector by sector. Only a
rename is one step. Shared memory is not recorded; SQLite rebuilds it.
"""

from __future__ import annotations

import json
import random
import re
import subprocess
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from pathlib import Path

SECTOR = 512
_CALLS = (
    "openat,open,creat,close,dup,dup2,dup3,fcntl,write,pwrite64,writev,pwritev,pwritev2,sendfile,copy_file_range,"
    "rename,renameat,renameat2,link,linkat,symlink,symlinkat,unlink,unlinkat,mkdir,mkdirat,rmdir,"
    "truncate,ftruncate,fallocate,fsync,fdatasync,sync_file_range"
)
_IGNORED = frozenset(("fcntl", "sync_file_range"))
_LINE = re.compile(r"^(\w+)\((.*)\)\s+= (-?\d+)")
_STRING = re.compile(r'"((?:\\x[0-9a-f]{2})*)"')


@dataclass(frozen=True, slots=True)
class Written:
    """Bytes of a file."""

    inode: int
    offset: int
    data: bytes


@dataclass(frozen=True, slots=True)
class Cut:
    """A file's length."""

    inode: int
    length: int


@dataclass(frozen=True, slots=True)
class Named:
    """Names that appear or vanish in one step: folder, name, and what it now names."""

    entries: tuple[tuple[int, str, int | None], ...]


@dataclass(frozen=True, slots=True)
class Flushed:
    """Everything asked of this file or folder so far is certain."""

    inode: int


@dataclass(frozen=True, slots=True)
class Told:
    """The program acknowledged something."""

    text: str


Step = Written | Cut | Named | Flushed | Told


@dataclass(slots=True)
class Recording:
    """The steps of one or more programs on one folder that was empty before."""

    root: Path
    steps: list[Step] = field(default_factory=list)
    folders: dict[int, dict[str, int]] = field(default_factory=lambda: {0: {}})
    lengths: dict[int, int] = field(default_factory=dict)
    _next: int = 1

    def run(self, command: Sequence[str], log: Path, cwd: Path) -> None:
        """Run a single-threaded program under `strace` and add what it did."""
        subprocess.run(
            ["strace", "-o", str(log), "-xx", "-s", "8000000", "-e", "signal=none", "-e", f"trace={_CALLS}"]
            + list(command),
            cwd=cwd,
            stdout=subprocess.DEVNULL,
            check=True,
        )
        descriptors: dict[int, tuple[int, list[int]]] = {}  # number -> inode, position
        for line in log.read_text("ascii").splitlines():
            match = _LINE.match(line)
            if match is not None and int(match[3]) >= 0:
                self._add(match[1], match[2], int(match[3]), descriptors)

    def states(
        self, stop: int, chance: random.Random | None, *, keeps: float
    ) -> tuple[dict[str, bytes | None], list[dict]]:
        """Return what a power loss after `stop` steps may leave, and what was acknowledged by then.

        Args:
            stop: How many steps were asked for.
            chance: Decides over each sector that is not certain. None: all or none, as `keeps` is 1 or 0.
            keeps: Share of what is not certain that is there.

        Returns:
            Paths below the root with their bytes, None for folders; and the acknowledgements.
        """
        flushed: dict[int, int] = {}
        for index, step in enumerate(self.steps[:stop]):
            if isinstance(step, Flushed):
                flushed[step.inode] = index
        files: dict[int, bytearray] = {}
        folders: dict[int, dict[str, int]] = {0: {}}
        told: list[dict] = []

        def is_kept(index: int, inodes: set[int]) -> bool:
            if any(flushed.get(inode, -1) > index for inode in inodes):
                return True
            return keeps >= 1 if chance is None else chance.random() < keeps

        for index, step in enumerate(self.steps[:stop]):
            if isinstance(step, Told):
                told.append(json.loads(step.text))
            elif isinstance(step, Named):
                if is_kept(index, {folder for folder, _, _ in step.entries}):
                    for folder, name, inode in step.entries:
                        names = folders.setdefault(folder, {})
                        names.pop(name, None) if inode is None else names.update({name: inode})
            elif isinstance(step, Cut):
                if is_kept(index, {step.inode}):
                    held = files.setdefault(step.inode, bytearray())
                    del held[step.length :]
                    held.extend(bytes(step.length - len(held)))
            elif isinstance(step, Written):
                held = files.setdefault(step.inode, bytearray())
                for start in range(0, len(step.data), SECTOR):
                    if is_kept(index, {step.inode}):
                        part, at = step.data[start : start + SECTOR], step.offset + start
                        held.extend(bytes(max(0, at + len(part) - len(held))))
                        held[at : at + len(part)] = part
        found: dict[str, bytes | None] = {}
        self._walk(0, "", folders, files, found)
        return found, told

    def _walk(
        self,
        folder: int,
        prefix: str,
        folders: dict[int, dict[str, int]],
        files: dict[int, bytearray],
        found: dict[str, bytes | None],
    ) -> None:
        for name, inode in folders.get(folder, {}).items():
            path = prefix + name
            if inode in self.folders:
                found[path] = None
                self._walk(inode, path + "/", folders, files, found)
            else:
                found[path] = bytes(files.get(inode, b""))

    def _add(
        self, call: str, arguments: str, result: int, descriptors: dict[int, tuple[int, list[int]]]
    ) -> None:
        texts = [bytes.fromhex(text.replace("\\x", "")) for text in _STRING.findall(arguments)]
        number = int(arguments.split(",")[0]) if arguments[:1].isdigit() else -1
        known = descriptors.get(number)
        if call in ("openat", "open", "creat"):
            inode = self._opened(texts[0].decode(), arguments)
            if inode is not None:
                end = self.lengths.get(inode, 0) if "O_APPEND" in arguments else 0
                descriptors[result] = (inode, [end])
            else:
                descriptors.pop(result, None)
        elif call == "close":
            descriptors.pop(number, None)
        elif call in ("write", "pwrite64"):
            if number == 1:
                self.steps += [Told(line) for line in texts[0].decode().splitlines()]
            elif known is not None:
                position = known[1]
                at = int(arguments.rsplit(",", 1)[1]) if call == "pwrite64" else position[0]
                if call == "write":
                    position[0] += result
                self.steps.append(Written(known[0], at, texts[0][:result]))
                self.lengths[known[0]] = max(self.lengths.get(known[0], 0), at + result)
        elif call in ("fsync", "fdatasync"):
            if known is not None:
                self.steps.append(Flushed(known[0]))
        elif call in ("ftruncate", "fallocate"):
            if known is not None:
                length = int(arguments.rsplit(",", 1)[1])
                assert call == "ftruncate", "fallocate is not modelled"
                self._cut(known[0], length)
        elif call in ("mkdir", "mkdirat"):
            self._make(texts[0].decode(), is_folder=True)
        elif call in ("unlink", "unlinkat", "rmdir"):
            place = self._place(texts[0].decode(), arguments, descriptors)
            if place is not None:
                self._name(((*place, None),))
        elif call in ("rename", "renameat", "renameat2"):
            source, target = (self._place(text.decode(), "AT_FDCWD", descriptors) for text in texts)
            if source is not None and target is not None:
                inode = self.folders[source[0]][source[1]]
                self._name(((*source, None), (*target, inode)))
            assert (source is None) == (target is None), "a rename out of the folder is not modelled"
        elif call not in _IGNORED and (known is not None or any(self._is_inside(text) for text in texts)):
            raise AssertionError(f"{call} is not modelled")

    def _is_inside(self, text: bytes) -> bool:
        return text.startswith(str(self.root).encode())

    def _opened(self, path: str, arguments: str) -> int | None:
        place = self._place(path, "AT_FDCWD", {})
        if path.rstrip("/") == str(self.root):
            return 0
        if place is None:
            return None
        inode = self.folders[place[0]].get(place[1])
        if inode is None:
            assert "O_CREAT" in arguments, f"{path} was there before the recording"
            inode = self._make(path, is_folder=False)
        elif "O_TRUNC" in arguments:
            self._cut(inode, 0)
        return inode

    def _cut(self, inode: int, length: int) -> None:
        self.lengths[inode] = length
        self.steps.append(Cut(inode, length))

    def _make(self, path: str, *, is_folder: bool) -> int:
        place = self._place(path, "AT_FDCWD", {})
        if place is None:
            return -1
        inode, self._next = self._next, self._next + 1
        if is_folder:
            self.folders[inode] = {}
        self._name(((*place, inode),))
        return inode

    def _name(self, entries: tuple[tuple[int, str, int | None], ...]) -> None:
        for folder, name, inode in entries:
            if inode is None:
                self.folders[folder].pop(name, None)
            else:
                self.folders[folder][name] = inode
        self.steps.append(Named(entries))

    def _place(
        self, path: str, arguments: str, descriptors: dict[int, tuple[int, list[int]]]
    ) -> tuple[int, str] | None:
        """Return folder and name of a path inside the root."""
        if not path.startswith("/"):
            number = arguments.split(",")[0]
            if not number.isdigit() or int(number) not in descriptors:
                return None
            return descriptors[int(number)][0], path
        if not path.startswith(f"{self.root}/"):
            return None
        *parents, name = path.removeprefix(f"{self.root}/").split("/")
        folder = 0
        for parent in parents:
            folder = self.folders[folder][parent]
        return folder, name


def laid_out(state: dict[str, bytes | None], folder: Path) -> Path:
    """Write a state into a fresh folder and return it."""
    folder.mkdir(parents=True)
    for path, data in state.items():
        if data is None:
            (folder / path).mkdir()
        else:
            (folder / path).write_bytes(data)
    return folder


def power_losses(
    recording: Recording, stops: Sequence[int], chance: random.Random, judge: Callable[..., None]
) -> int:
    """Give `judge` what each power loss may leave: only what is certain, everything, and two mixtures."""
    count = 0
    for stop in stops:
        for who, keeps in ((None, 0.0), (None, 1.0), (chance, 0.5), (chance, 0.9)):
            judge(stop, keeps, *recording.states(stop, who, keeps=keeps))
            count += 1
    return count

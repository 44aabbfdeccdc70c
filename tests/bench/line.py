"""A slow line to the next namespace: two TUN devices and a process that delays, paces and loses packets.

The kernel's own TCP runs at both ends, so slow start, recovery and congestion control are what visitors meet;
`netem` would do the same and is not in every kernel. Needs root, `ip` and /dev/net/tun: `why_not` says so.
"""

from __future__ import annotations

import fcntl
import json
import os
import random
import selectors
import shutil
import struct
import subprocess
import sys
import time
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path

_TUNSETIFF, _IFF_TUN, _IFF_NO_PI = 0x400454CA, 0x1, 0x1000
_ROOT = Path(__file__).resolve().parents[2]
_BURST = 256  # packets read before the other direction has its turn


@dataclass(frozen=True, slots=True)
class Line:
    """What a line does to packets, the same in both directions."""

    mbit_s: float = 20.0
    rtt_ms: float = 40.0
    loss: float = 0.0  # of all packets, 0..1, drawn by chance

    @property
    def name(self) -> str:
        """As in tables."""
        lossy = f", {self.loss:.0%} lost" if self.loss else ""
        return f"{self.mbit_s:g} Mbit/s {self.rtt_ms:g} ms{lossy}"

    @property
    def bytes_s(self) -> float:
        """The rate."""
        return self.mbit_s * 1e6 / 8

    @property
    def queue_bytes(self) -> float:
        """What waits in front of the line before more is dropped: 100 ms, as home routers hold."""
        return max(self.bytes_s * 0.1, 64e3)


class Shaper:
    """One direction: packets in at a time, out when the line has carried them. No clock of its own."""

    def __init__(self, line: Line, seed: int = 0) -> None:
        self._line, self._random = line, random.Random(seed)
        self._free_at = 0.0
        self._waiting: deque[tuple[float, bytes]] = deque()
        self.dropped = 0

    def push(self, packet: bytes, now: float) -> None:
        """Take a packet in, or lose it."""
        starts = max(now, self._free_at)
        is_full = (starts - now) * self._line.bytes_s + len(packet) > self._line.queue_bytes
        if is_full or self._random.random() < self._line.loss:
            self.dropped += 1
            return
        self._free_at = starts + len(packet) / self._line.bytes_s
        self._waiting.append((self._free_at + self._line.rtt_ms / 2000, packet))

    def pop(self, now: float) -> bytes | None:
        """Return the next packet that has arrived by `now`."""
        return self._waiting.popleft()[1] if self._waiting and self._waiting[0][0] <= now else None

    @property
    def due(self) -> float | None:
        """When `pop` has something next."""
        return self._waiting[0][0] if self._waiting else None


def why_not() -> str | None:
    """Return why there can be no line here, or None."""
    if os.geteuid() != 0 or not shutil.which("ip") or not os.access("/dev/net/tun", os.R_OK | os.W_OK):
        return "the emulated line needs root, ip and /dev/net/tun"
    return None


@dataclass(frozen=True, slots=True)
class Far:
    """The far end: commands started with `prefix` run there and listen on `address`."""

    prefix: tuple[str, ...]
    address: str


@contextmanager
def emulated(line: Line) -> Iterator[Far]:
    """Lay a line for the time of the context."""
    name, net = f"line{os.getpid()}", f"10.88.{os.getpid() % 250}"
    _ip(f"netns add {name}")
    command = [sys.executable, "-m", "tests.bench.line", name, net, json.dumps(asdict(line))]
    process = None
    try:
        process = subprocess.Popen(command, cwd=_ROOT, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "up\n", "the line must come up"
        yield Far(("ip", "netns", "exec", name), f"{net}.2")
    finally:
        if process is not None and process.stdout is not None:
            process.terminate()
            process.wait()
            process.stdout.close()
        _ip(f"netns del {name}")


def _ip(command: str) -> None:
    subprocess.run(["ip", *command.split()], check=True)


def _tun(name: str) -> int:
    device = os.open("/dev/net/tun", os.O_RDWR | os.O_NONBLOCK)
    fcntl.ioctl(device, _TUNSETIFF, struct.pack("16sH", name.encode(), _IFF_TUN | _IFF_NO_PI))
    return device


def _run(name: str, net: str, line: Line) -> None:
    near, far = f"n{name[:12]}", f"f{name[:12]}"
    devices = _tun(near), _tun(far)
    _ip(f"addr add {net}.1/30 dev {near}")
    _ip(f"link set {near} mtu 1500 txqueuelen 2000 up")
    _ip(f"link set {far} netns {name}")
    _ip(f"-n {name} addr add {net}.2/30 dev {far}")
    _ip(f"-n {name} link set {far} mtu 1500 txqueuelen 2000 up")
    _ip(f"-n {name} link set lo up")
    # A line that waits for a turn on the processor is a slower line than it says.
    os.setpriority(os.PRIO_PROCESS, 0, -15)
    ways = [(devices[0], devices[1], Shaper(line, 1)), (devices[1], devices[0], Shaper(line, 2))]
    selector = selectors.DefaultSelector()
    for source, _, shaper in ways:
        selector.register(source, selectors.EVENT_READ, shaper)
    print("up", flush=True)
    while True:
        for _, target, shaper in ways:
            while (packet := shaper.pop(time.monotonic())) is not None:
                os.write(target, packet)
        due = [shaper.due for _, _, shaper in ways if shaper.due is not None]
        wait = max(0.0, min(due) - time.monotonic()) if due else 1.0
        for key, _ in selector.select(wait):
            for _ in range(_BURST):
                try:
                    packet = os.read(key.fd, 65536)
                except BlockingIOError:
                    break
                key.data.push(packet, time.monotonic())


if __name__ == "__main__":
    _run(sys.argv[1], sys.argv[2], Line(**json.loads(sys.argv[3])))

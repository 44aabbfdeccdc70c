"""What the machine must have before anything is installed; standard library only, runs on any Python 3.

`make setup` runs this file with the system's Python before the virtual environment exists, `make test` with
`--install`, and `immersive doctor` prints the same lines.
"""

import ctypes.util
import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

MINIMUM_PYTHON = (3, 11)
MINIMUM_NODE = (20, 19)

# Libraries that the open3d wheel links but does not carry, and the Debian package of each.
OPEN3D_LIBRARIES = {
    "GL": "libgl1",
    "EGL": "libegl1",
    "X11": "libx11-6",
    "usb-1.0": "libusb-1.0-0",
    "gomp": "libgomp1",
}


def missing():
    """Return one (what is missing, command that installs it) per requirement that is not met."""
    found = []
    if sys.version_info < MINIMUM_PYTHON:
        version = ".".join(str(part) for part in sys.version_info[:2])
        found.append(
            (f"Python 3.11 or newer (this is {version})", "apt-get install python3.11 python3.11-venv")
        )
    try:
        import ensurepip  # noqa: F401
        import venv  # noqa: F401
    except ImportError:
        found.append(("python3-venv", "apt-get install python3-venv"))
    if not any(shutil.which(name) for name in ("c++", "g++", "clang++")):
        found.append(("a C++ compiler", "apt-get install g++"))
    node = node_version()
    if node is None or node < MINIMUM_NODE:
        have = "none found" if node is None else "found " + ".".join(map(str, node))
        found.append(
            (f"Node.js 20.19 or newer ({have})", "your system's packages (Debian: apt-get install nodejs)")
        )
    if shutil.which("npm") is None:
        found.append(("npm", "apt-get install npm"))
    if sys.platform == "linux":
        for library, package in OPEN3D_LIBRARIES.items():
            if ctypes.util.find_library(library) is None:
                found.append((f"lib{library}, which open3d links", f"apt-get install {package}"))
    return found


def node_version():
    """Return Node's version as a tuple, or None when it is not on the PATH."""
    node = shutil.which("node")
    if node is None:
        return None
    answer = subprocess.run([node, "--version"], capture_output=True, text=True, check=False).stdout
    try:
        return tuple(int(part) for part in answer.strip().lstrip("v").split(".")[:2])
    except ValueError:
        return None


def find_chromium():
    """Return the path of a Chromium that browser tests can drive, or None."""
    for name in ("chromium", "chromium-browser", "google-chrome"):
        path = shutil.which(name)
        if path:
            return Path(path)
    return None


def install(packages):
    """Install Debian packages where this user may; returns whether that was tried."""
    if not packages or shutil.which("apt-get") is None or os.geteuid() != 0:
        return False
    sys.stderr.write("installing with apt-get: {}\n".format(" ".join(packages)))
    options = ["-y", "-qq", "--no-install-recommends"]
    quiet = {"env": {**os.environ, "DEBIAN_FRONTEND": "noninteractive"}, "stdout": subprocess.DEVNULL}
    subprocess.run(["apt-get", "update", "-qq"], check=False, **quiet)
    subprocess.run(["apt-get", "install", *options, *packages], check=False, **quiet)
    return True


def _packages(gaps):
    prefix = "apt-get install "
    commands = [how[len(prefix) :] for _, how in gaps if how.startswith(prefix)]
    return [package for command in commands for package in command.split()]


def main():
    """Print one line per missing thing; exit status 1 if there is one.

    With ``--install``, first install what is missing, and what only tests need, if this user may.
    """
    gaps = missing()
    if "--install" in sys.argv:
        # strace records what a store asks of the disk, for the power losses that tests replay; PostgreSQL and
        # Redis are what several servers are tested against.
        further = [] if find_chromium() else ["chromium"]
        further += [] if shutil.which("strace") else ["strace"]
        further += [] if any(Path("/usr/lib/postgresql").glob("*/bin/initdb")) else ["postgresql"]
        further += [] if shutil.which("redis-server") else ["redis-server"]
        if install(_packages(gaps) + further):
            gaps = missing()
        if find_chromium() is None:
            sys.stderr.write("missing: Chromium; browser tests will fail without: apt-get install chromium\n")
    if "--json" in sys.argv:
        sys.stdout.write(json.dumps([{"missing": what, "install": how} for what, how in gaps]) + "\n")
    else:
        for what, how in gaps:
            sys.stderr.write(f"missing: {what}; install it with: {how}\n")
    return 1 if gaps else 0


if __name__ == "__main__":
    sys.exit(main())

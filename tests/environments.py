"""Environments of their own, below `.engines/`, for engines whose packages do not go with the product's, and for Node.

Each is made on first use and kept between runs; it is made again when its requirements change.
"""

from __future__ import annotations

import fcntl
import os
import shutil
import subprocess
import sys
from pathlib import Path
from typing import NoReturn

import pytest

FOLDER = Path(__file__).parent.parent / ".engines"


class NotInstalled(Exception):
    """An engine is not here, and could not be had."""


def python_with(name: str, requirements: str) -> Path:
    """The Python of the environment of that name, with these packages. Raises NotInstalled."""
    folder = FOLDER / name
    with _Alone(folder):
        wanted = f"{sys.version_info[:2]}\n{requirements}"
        made, found = folder / "made", folder / "bin" / "python"
        if not (made.is_file() and made.read_text("utf-8") == wanted):
            shutil.rmtree(folder, ignore_errors=True)
            _run(folder, [sys.executable, "-m", "venv", str(folder)])
            listed = folder / "requirements.txt"
            listed.write_text(requirements, "utf-8")
            quietly = ["--quiet", "--disable-pip-version-check"]
            _run(folder, [str(found), "-m", "pip", "install", *quietly, "-r", str(listed)])
            made.write_text(wanted, "utf-8")
        return found


def node_modules_with(name: str, package: Path) -> Path:
    """A folder with the packages of npm that a `package.json` wants. Raises NotInstalled."""
    folder = FOLDER / name
    with _Alone(folder):
        wanted = package.read_text("utf-8")
        made = folder / "package.json"
        if not ((folder / "node_modules").is_dir() and made.is_file() and made.read_text("utf-8") == wanted):
            if (npm := shutil.which("npm")) is None:
                raise NotInstalled("Node and its npm are not installed")
            shutil.rmtree(folder, ignore_errors=True)
            folder.mkdir(parents=True)
            made.write_text(wanted, "utf-8")
            quietly = ["--silent", "--no-audit", "--no-fund", "--no-package-lock"]
            _run(folder, [npm, "install", *quietly, "--prefix", str(folder)])
        return folder


def _run(folder: Path, command: list[str]) -> None:
    ran = subprocess.run(command, capture_output=True, text=True, check=False)
    if ran.returncode:
        said = (ran.stderr or ran.stdout).strip().splitlines()[-1:]
        raise NotInstalled(f"{folder} cannot be made: {' '.join(said)}")


class _Alone:
    """Processes of one run install once."""

    def __init__(self, folder: Path) -> None:
        folder.parent.mkdir(exist_ok=True)
        self.path = Path(f"{folder}.lock")

    def __enter__(self) -> None:
        self.file = self.path.open("w", encoding="utf-8")
        fcntl.flock(self.file, fcntl.LOCK_EX)

    def __exit__(self, *_: object) -> None:
        self.file.close()


def missing(error: NotInstalled) -> NoReturn:
    """Skip the test; in CI it fails."""
    if os.environ.get("CI"):
        pytest.fail(str(error))
    pytest.skip(str(error))

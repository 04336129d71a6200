"""A Redis server for a test: on a port and in a folder of its own, started, stopped, killed and started again by it."""

from __future__ import annotations

import os
import shutil
import signal
import socket
import subprocess
import time
from pathlib import Path

import pytest

PASSWORD = "s3cret-and-long"


def free_port() -> int:
    with socket.socket() as listening:
        listening.bind(("127.0.0.1", 0))
        return int(listening.getsockname()[1])


class RedisServer:
    """Keeps nothing on disk: what it is started again with is empty."""

    def __init__(self, folder: Path) -> None:
        if (program := shutil.which("redis-server")) is None:
            why = "redis-server is not installed (Debian, Ubuntu: apt install redis-server)"
            pytest.fail(why) if os.environ.get("CI") else pytest.skip(why)
        self.program, self.folder, self.port = program, folder, free_port()
        self.url = f"redis://:{PASSWORD}@127.0.0.1:{self.port}/0"
        self.process: subprocess.Popen[bytes] | None = None

    def start(self) -> None:
        words = ["--port", str(self.port), "--bind", "127.0.0.1", "--save", "", "--appendonly", "no"]
        command = [self.program, *words, "--requirepass", PASSWORD, "--dir", str(self.folder)]
        self.process = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        for _ in range(400):
            try:
                socket.create_connection(("127.0.0.1", self.port), timeout=1).close()
                return
            except OSError:
                time.sleep(0.025)
        pytest.fail("redis-server does not answer")

    def kill(self) -> None:
        """At once, as when a machine is lost."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self, *, still: bool) -> None:
        """Connections stay, and nothing is answered."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP if still else signal.SIGCONT)

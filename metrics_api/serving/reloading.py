"""How a server comes by newer definitions while it serves."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from metrics_api.serving.project import Project


@dataclass(frozen=True, slots=True)
class Reloading:
    """How definitions are read again, and when."""

    load: Callable[[], Project]
    """Reads them; raises MetricsError with all that is wrong."""
    folder: Path
    """Where they stand: a folder, or a file."""
    signal: bool = False
    """At SIGHUP. Only where the server runs in the main thread."""
    files: bool = False
    """When a file of theirs changes."""
    git_seconds: float | None = None
    """When commits come, asked for so often."""

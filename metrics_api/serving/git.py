"""Definitions from a git repository: what was committed elsewhere comes here, and nothing is ever merged or lost."""

from __future__ import annotations

import os
import re
import subprocess
from pathlib import Path

from metrics_api.errors import MetricsError

SECONDS = 120
"""After which a command of git is given up."""


class NotPulled(MetricsError):
    """No newer commits could be had; the files are as they were."""


def pull(folder: Path) -> str | None:
    """Fetch, and move to what the branch follows if nothing but newer commits lie between: then the new commit.

    None where there are none. Blocks. Raises NotPulled in git's words, without secrets, and changes no file then.
    """
    where = folder if folder.is_dir() else folder.parent
    before = _git(where, "rev-parse", "HEAD")
    _git(where, "fetch", "--quiet")
    _git(where, "merge", "--ff-only", "--quiet", "@{upstream}")
    after = _git(where, "rev-parse", "HEAD")
    return after if after != before else None


def _git(folder: Path, *words: str) -> str:
    # Nobody is there to be asked for a password.
    environment = {"GIT_SSH_COMMAND": "ssh -oBatchMode=yes", **os.environ, "GIT_TERMINAL_PROMPT": "0", "LC_ALL": "C"}
    try:
        ran = subprocess.run(  # noqa: S603 - no shell, and words of our own
            ["git", "-C", str(folder), *words],  # noqa: S607 - whichever git the machine has
            env=environment,
            stdin=subprocess.DEVNULL,
            capture_output=True,
            text=True,
            errors="replace",
            timeout=SECONDS,
            check=False,
        )
    except FileNotFoundError:
        raise NotPulled("git is not installed") from None
    except subprocess.TimeoutExpired:
        raise NotPulled(f"`git {words[0]}` took more than {SECONDS} seconds") from None
    if ran.returncode:
        said = next((line for line in ran.stderr.splitlines() if line.startswith(("fatal:", "error:"))), "")
        told = said.partition(":")[2].strip() or f"it ended with {ran.returncode}"
        raise NotPulled(f"`git {words[0]}`: {_without_secrets(told)}")
    return ran.stdout.strip()


def _without_secrets(said: str) -> str:
    """A message without the user and password of an address."""
    return re.sub(r"://[^/@\s]+@", "://", said)

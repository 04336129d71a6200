"""How the settings of a warehouse are read, whatever the engine, and how secrets are kept out of messages."""

from __future__ import annotations

import re
from collections.abc import Mapping
from pathlib import Path

from metrics_api.definitions.warehouses import HIDDEN
from metrics_api.errors import WarehouseError


def whole(settings: Mapping[str, object], name: str) -> int:
    """A setting that is a whole number from 1, or a text of one, as the environment has it. Raises WarehouseError."""
    written = str(settings[name])
    if not written.isascii() or not written.isdigit() or int(written) == 0:
        raise WarehouseError(f"`{name}` of the warehouse is not a whole number from 1")
    return int(written)


def yes(settings: Mapping[str, object], name: str) -> bool:
    """A setting that is true or false, or a text of either. Raises WarehouseError."""
    written = str(settings[name]).lower()
    if written not in ("true", "false"):
        raise WarehouseError(f"`{name}` of the warehouse is neither true nor false")
    return written == "true"


def secret(file: Path, name: str = "password_file") -> str:
    """What a file holds, without the end of its line. Raises WarehouseError."""
    try:
        return file.read_text(encoding="utf-8").rstrip("\r\n")
    except (OSError, UnicodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not a text"
        raise WarehouseError(f"`{name}` of the warehouse: {file} cannot be read: {reason}") from None


def without(hidden: object, said: str) -> str:
    """A message in which a secret, as a word of its own, is not shown."""
    word = re.escape(str(hidden or ""))
    return re.sub(rf"(?<!\w){word}(?!\w)", HIDDEN, said) if word else said

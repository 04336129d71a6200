"""Lines of the log: for people, or as JSON for machines. Values that callers send are never in them."""

from __future__ import annotations

import json
import logging
import sys
import time
from enum import StrEnum
from typing import Any

FIELDS = "fields"
"""Where a record holds its fields: `_log.info("...", extra={FIELDS: {...}})`."""


class LogFormat(StrEnum):
    TEXT = "text"
    JSON = "json"


class JsonLines(logging.Formatter):
    """A JSON object on a line of its own: `time`, `level`, `logger`, `message`, the record's fields, `exception`."""

    def format(self, record: logging.LogRecord) -> str:
        line: dict[str, Any] = {
            "time": _moment(record),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
            **getattr(record, FIELDS, {}),
        }
        if record.exc_info:
            line["exception"] = self.formatException(record.exc_info)
        return json.dumps(line, ensure_ascii=False, default=str)


class Lines(logging.Formatter):
    """Time, level, and the message; a record's fields follow as `name=value`."""

    def format(self, record: logging.LogRecord) -> str:
        told = [
            record.getMessage(),
            *(f"{name}={_plain(value)}" for name, value in getattr(record, FIELDS, {}).items()),
        ]
        line = f"{_moment(record)} {record.levelname.lower():<7} {' '.join(told)}"
        return f"{line}\n{self.formatException(record.exc_info)}" if record.exc_info else line


def _moment(record: logging.LogRecord) -> str:
    return f"{time.strftime('%Y-%m-%dT%H:%M:%S', time.gmtime(record.created))}.{int(record.msecs):03}Z"


def _plain(value: object) -> str:
    """A value on one line, that looks like no other field, whatever a caller put into it."""
    written = str(value)
    is_plain = written.isprintable() and not any(one in written for one in ' "=') and written
    return written if is_plain else json.dumps(written)


def write_log(form: LogFormat, level: str = "info") -> None:
    """Write the log to standard error from now on: ours from `level`, of others what is a warning at least."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(JsonLines() if form is LogFormat.JSON else Lines())
    logging.basicConfig(level=logging.WARNING, handlers=[handler], force=True)
    logging.getLogger("metrics_api").setLevel(level.upper())

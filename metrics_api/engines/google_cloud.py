"""How one logs in at Google Cloud: a service account's key, an access token, or what the machine is logged in with."""

from __future__ import annotations

import json
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from metrics_api.engines.settings import secret
from metrics_api.errors import WarehouseError

LOGINS = ("credentials", "credentials_file", "token", "token_file")
"""The settings of which one at most is said."""
_SCOPES = ("https://www.googleapis.com/auth/bigquery",)
_RENEWED = timedelta(minutes=10)
"""How long a token of a file is used before the file is read again."""


def credentials_of(settings: Mapping[str, object], folder: Path) -> tuple[Any, str | None, Callable[[], Sequence[str]]]:
    """Who asks, the project that goes with it, and what must not be shown. Raises WarehouseError."""
    given = [name for name in LOGINS if name in settings]
    if len(given) > 1:
        raise WarehouseError(
            f"the warehouse is given `{given[0]}` and `{given[1]}`", fix="Keep the one to log in with."
        )
    match given:
        case ["token" | "token_file"]:
            return _by_token(settings, folder)
        case ["credentials"]:
            return _by_key(str(settings["credentials"]), "credentials")
        case ["credentials_file"]:
            return _by_key(secret(folder / str(settings["credentials_file"]), "credentials_file"), "credentials_file")
    if str(settings.get("endpoint", "")).startswith("http://"):
        # An emulator: nobody's real credentials go over the wire as they are.
        from google.auth.credentials import AnonymousCredentials

        return AnonymousCredentials(), None, tuple
    return _of_the_machine()


def _by_token(settings: Mapping[str, object], folder: Path) -> tuple[Any, None, Callable[[], Sequence[str]]]:
    from google.oauth2.credentials import Credentials

    def token() -> str:
        if "token_file" in settings:
            return secret(folder / str(settings["token_file"]), "token_file")
        return str(settings["token"])

    def renewed(*_: object, **__: object) -> tuple[str, datetime]:
        return token(), datetime.now(UTC).replace(tzinfo=None) + _RENEWED

    return Credentials(None, refresh_handler=renewed, scopes=_SCOPES), None, lambda: (token(),)


def _by_key(written: str, name: str) -> tuple[Any, str | None, Callable[[], Sequence[str]]]:
    from google.oauth2.service_account import Credentials

    try:
        told = json.loads(written)
        found = Credentials.from_service_account_info(told, scopes=_SCOPES)
    except (ValueError, AttributeError, TypeError):  # Its words may show what is written.
        raise WarehouseError(
            f"`{name}` of the warehouse is no key of a service account",
            fix="Create one as JSON: gcloud iam service-accounts keys create.",
        ) from None
    return found, found.project_id, tuple


def _of_the_machine() -> tuple[Any, str | None, Callable[[], Sequence[str]]]:
    import google.auth
    from google.auth.exceptions import DefaultCredentialsError

    try:
        found, project = google.auth.default(scopes=_SCOPES)
    except DefaultCredentialsError:
        raise WarehouseError(
            "BigQuery: this machine is not logged in to Google Cloud",
            fix="Run `gcloud auth application-default login`, or say `credentials_file` of the warehouse.",
        ) from None
    return found, project, tuple

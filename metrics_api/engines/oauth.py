"""Who asks, where that is a token: one that is given, or those that OAuth grants to a client, which are renewed."""

from __future__ import annotations

import json
import ssl
import threading
import time
from base64 import b64encode
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from urllib.error import HTTPError
from urllib.parse import urlencode
from urllib.request import Request, urlopen

from metrics_api.engines.settings import without
from metrics_api.errors import WarehouseError

_EARLY = 60
"""Seconds for which a token is not used any more before it ends."""
_USUAL = 3_600
"""Seconds that a token is good for, where the server does not say."""


@dataclass
class Tokens:
    """Tokens, safe to ask for from several threads; what is given, and the client's secret, are read each time.

    A driver may take it for one of its providers of credentials.
    """

    engine: str
    given: Callable[[], str] | None = field(repr=False)
    client: str = ""
    client_secret: Callable[[], str] | None = field(default=None, repr=False)
    address: str = ""
    """Where tokens are granted: an https address."""
    ca_cert: str | None = None
    scope: str = "all-apis"
    _granted: tuple[str, float] | None = field(default=None, repr=False)
    _changing: threading.Lock = field(default_factory=threading.Lock, repr=False)

    def auth_type(self) -> str:
        return "metrics-api"

    def __call__(self, *_: object) -> Callable[[], dict[str, str]]:
        return lambda: {"Authorization": f"Bearer {self.token()}"}

    def token(self) -> str:
        """The token to use now. Raises WarehouseError where none is granted."""
        if self.given is not None:
            return self.given()
        with self._changing:
            if self._granted is None or time.monotonic() > self._granted[1]:
                self._granted = self._grant()
            return self._granted[0]

    def hidden(self, said: str) -> str:
        """A message without any secret."""
        known = [self._granted[0]] if self._granted else []
        with suppress(WarehouseError):
            known += [read() for read in (self.given, self.client_secret) if read is not None]
        for one in known:
            said = without(one, said)
        return said

    def _grant(self) -> tuple[str, float]:
        """A token, and until when it is used."""
        assert self.client_secret is not None and self.address.startswith("https://")
        who = b64encode(f"{self.client}:{self.client_secret()}".encode()).decode()
        form = urlencode({"grant_type": "client_credentials", "scope": self.scope}).encode()
        headers = {"Authorization": f"Basic {who}", "Content-Type": "application/x-www-form-urlencoded"}
        context = ssl.create_default_context(cafile=self.ca_cert)
        try:
            asked = Request(self.address, form, headers)  # noqa: S310 - its scheme is checked above
            with urlopen(asked, timeout=60, context=context) as answer:  # noqa: S310
                said = json.load(answer)
            seconds = float(said.get("expires_in", _USUAL))
            return str(said["access_token"]), time.monotonic() + max(seconds - _EARLY, 0)
        except HTTPError as error:
            fix = "Check `client_id` and `client_secret` of the warehouse."
            raise WarehouseError(f"{self.engine}: OAuth grants no token ({error.code})", fix=fix) from None
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise WarehouseError(f"{self.engine}: OAuth gives no answer: {type(error).__name__}") from None

"""How Snowflake is told who asks: a password, a private key, a token, or the browser."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

from metrics_api.engines.settings import secret
from metrics_api.errors import WarehouseError, did_you_mean

_WAYS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "password": ("snowflake", ("password", "password_file")),
    "key_pair": ("snowflake_jwt", ("private_key", "private_key_file")),
    "oauth": ("oauth", ("token", "token_file")),
    "programmatic_access_token": ("programmatic_access_token", ("token", "token_file")),
    "externalbrowser": ("externalbrowser", ()),
}
"""How to log in, by what `authenticator` says: the driver's word for it, and the settings of which it needs one."""


def _way(settings: Mapping[str, object]) -> str:
    """How the user is to log in: as asked, or by what is given. Raises WarehouseError where that is not one way."""
    asked = None if "authenticator" not in settings else str(settings["authenticator"])
    if asked is not None and asked not in _WAYS:
        raise WarehouseError(
            "`authenticator` of the warehouse is not known", fix=did_you_mean(asked, _WAYS, what="authenticators")
        )
    every = dict.fromkeys(name for _, names in _WAYS.values() for name in names)
    given = [name for name in every if name in settings]
    if len(given) > 1:
        raise WarehouseError(f"the warehouse is given {_listed(given, 'and')}", fix="Keep the one to log in with.")
    if asked is not None:
        needs = _WAYS[asked][1]
        if given and given[0] not in needs:
            raise WarehouseError(f"`authenticator: {asked}` of the warehouse does not go with `{given[0]}`")
        if needs and not given:
            raise WarehouseError(f"`authenticator: {asked}` of the warehouse needs {_listed(needs, 'or')}")
        return asked
    if not given:
        fix = f"Say {_listed(list(every), 'or')}, or `authenticator: externalbrowser`."
        raise WarehouseError("the warehouse does not say how to log in", fix=fix)
    fitting = [name for name, (_, names) in _WAYS.items() if given[0] in names]
    if len(fitting) > 1:
        fix = f"Say one of {_listed([f'authenticator: {name}' for name in fitting], 'and')}."
        raise WarehouseError(f"`{given[0]}` of the warehouse may be of two kinds", fix=fix)
    return fitting[0]


def _listed(names: Sequence[str], word: str) -> str:
    *others, last = (f"`{name}`" for name in names)
    return f"{', '.join(others)} {word} {last}" if others else last


def secrets(settings: Mapping[str, object], folder: Path) -> Callable[[], Mapping[str, object]]:
    """What tells Snowflake who asks: files are read whenever it is called."""
    way = _way(settings)

    def read() -> Mapping[str, object]:
        said: dict[str, object] = {"authenticator": _WAYS[way][0]}
        match way:
            case "password":
                said["password"] = _secret(settings, "password", folder)
            case "key_pair":
                said["private_key"] = _private_key(settings, folder)
            case "oauth" | "programmatic_access_token":
                said["token"] = _secret(settings, "token", folder)
        return said

    return read


def _secret(settings: Mapping[str, object], name: str, folder: Path) -> str:
    if name in settings:
        return str(settings[name])
    return secret(folder / str(settings[f"{name}_file"]), f"{name}_file")


def _private_key(settings: Mapping[str, object], folder: Path) -> bytes:
    """The key as the driver takes it. Raises WarehouseError when it is none, or the passphrase does not open it."""
    from cryptography.hazmat.primitives.serialization import (
        Encoding,
        NoEncryption,
        PrivateFormat,
        load_pem_private_key,
    )

    written = _secret(settings, "private_key", folder).encode()
    passphrase = str(settings["private_key_passphrase"]).encode() if "private_key_passphrase" in settings else None
    try:
        key = load_pem_private_key(written, passphrase)
    except (TypeError, ValueError):
        raise WarehouseError(
            "the private key of the warehouse cannot be read",
            fix="It is a text in PEM (PKCS #8); if it is encrypted, `private_key_passphrase` has to open it.",
        ) from None
    plain: bytes = key.private_bytes(Encoding.DER, PrivateFormat.PKCS8, NoEncryption())
    return plain

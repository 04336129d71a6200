"""Databricks for the tests: its connector's own Thrift service over HTTPS, answered by Sail; one for each process.

The connector's package has the service's generated processor, so what travels is what its authors wrote: sessions,
direct results, polling, batches of Arrow in LZ4, links to download, cancelling. Statements run on Sail (sail.py), each
session of the service in one of Sail's. What a workspace checks is checked here: tokens, the path of the warehouse,
handles, names of the catalog and the schema. `fault` breaks the next request of a kind.
"""

from __future__ import annotations

import atexit
import importlib.util
import ipaddress
import json
import ssl
import tempfile
import threading
import warnings
from base64 import b64decode
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from functools import cache
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qs

import pyarrow as pa

import sail
from environments import NotInstalled, missing

if TYPE_CHECKING:
    from metrics_api.engines.databricks import DatabricksWarehouse
    from on_databricks_service import Service

TOKEN, CLIENT, CLIENT_SECRET = "dapi-t0ken-of-tester", "client-of-tester", "s3cret & long"
PATH = "/sql/1.0/warehouses/0123456789abcdef"
CLUSTER = "/sql/protocolv1/o/1234567890123456/1234-123456-slid123"
CATALOG, SCHEMA = "main", "analytics"


@dataclass
class Server:
    """Where it listens, what it saw, and what it is told to break."""

    port: int
    certificate: Path
    service: Service
    seen: Counter[str] = field(default_factory=Counter)
    agents: set[str] = field(default_factory=set)
    faults: list[tuple[str, str]] = field(default_factory=list)
    tokens: set[str] = field(default_factory=lambda: {TOKEN})
    token_seconds: int = 3_600

    @property
    def place(self) -> dict[str, object]:
        """Where a warehouse of type `databricks` is, without who asks."""
        return {"host": "localhost", "port": self.port, "http_path": PATH, "ca_cert": str(self.certificate)}

    @property
    def settings(self) -> dict[str, object]:
        """The settings of a warehouse of type `databricks`."""
        return {**self.place, "token": TOKEN}

    def fault(self, method: str, kind: str, times: int = 1) -> None:
        """Answer the next calls of a method of the service by `kind`: see `_Spoken`."""
        self.faults += [(method, kind)] * times

    def fault_of(self, method: str) -> str | None:
        for one in self.faults:
            if one[0] == method:
                self.faults.remove(one)
                return one[1]
        return None


@cache
def server() -> Server:
    """The server of this process, started when first asked for. Where there is none: a skip, in CI a failure."""
    if importlib.util.find_spec("databricks.sql") is None:
        missing(NotInstalled("databricks-sql-connector is not installed: `make test-engines` does it"))
    sail.name_the_program()
    with warnings.catch_warnings():
        # pyspark warns of the version of pandas.
        warnings.simplefilter("ignore")
        from on_databricks_service import Service
    folder = Path(tempfile.mkdtemp(prefix="metrics-api-databricks-"))
    certificate, key = _certificate(folder)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    serving = _Serving(("127.0.0.1", 0), _Spoken)
    serving.socket = context.wrap_socket(serving.socket, server_side=True, do_handshake_on_connect=False)
    port = serving.server_address[1]
    at = f"https://localhost:{port}"
    serving.of = Server(port, certificate, Service(sail.server().settings, at, (CATALOG, SCHEMA)))
    threading.Thread(target=serving.serve_forever, daemon=True).start()
    atexit.register(serving.shutdown)
    return serving.of


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate of one's own for this machine, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes
    from cryptography.hazmat.primitives.asymmetric import rsa
    from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat
    from cryptography.x509.oid import NameOID

    key = rsa.generate_private_key(public_exponent=65_537, key_size=2_048)
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
    names = [x509.DNSName("localhost"), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    made = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(datetime.now(UTC) - timedelta(days=1))
        .not_valid_after(datetime.now(UTC) + timedelta(days=2))
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    (folder / "certificate.pem").write_bytes(made.public_bytes(Encoding.PEM))
    (folder / "key.pem").write_bytes(key.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption()))
    return folder / "certificate.pem", folder / "key.pem"


class _Serving(ThreadingHTTPServer):
    daemon_threads = True
    of: Server

    def handle_error(self, request: Any, client_address: Any) -> None:
        """A client that goes away, or does not trust the certificate, is no news."""


class _Spoken(BaseHTTPRequestHandler):
    """HTTP. Faults: `drop` before the answer, `half` of it, a code such as `503`, or `other <words>` by the service."""

    protocol_version = "HTTP/1.1"
    server: _Serving

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
        if self.path == "/oidc/v1/token":
            self._token(body)
            return
        of = self.server.of
        of.agents.add(self.headers.get("User-Agent", ""))
        if self.headers.get("Authorization") not in {f"Bearer {token}" for token in of.tokens}:
            self._send(403, b"", {"x-databricks-reason-phrase": "Invalid access token."})
            return
        if self.path not in (PATH, CLUSTER):
            self._send(404, b"", {"x-databricks-reason-phrase": "The warehouse does not exist."})
            return
        method = of.service.method_of(body)
        of.seen[method] += 1
        fault = of.fault_of(method)
        if fault == "drop":
            self.close_connection = True
            return
        if fault is not None and fault.isdigit():
            self._send(int(fault), b"", {"Retry-After": "1"} if fault == "503" else {})
            return
        answer = of.service.process(body, is_cluster=self.path == CLUSTER)
        self._send(200, answer, {"Content-Type": "application/x-thrift"}, half=fault == "half")

    def do_GET(self) -> None:
        """A piece of a result, which asks for no token: whoever knows its address may have it."""
        of = self.server.of
        of.seen["download"] += 1
        fault = of.fault_of("download")
        found = of.service.files.get(self.path)
        if fault == "drop":
            self.close_connection = True
        elif found is None or fault == "403":
            self._send(403, b"gone", {})
        else:
            self._send(200, found, {}, half=fault == "half")

    def _token(self, body: bytes) -> None:
        """OAuth for machines: a token of an hour for who knows the client's secret."""
        asked = {name: values[0] for name, values in parse_qs(body.decode()).items()}
        kind, _, said = self.headers.get("Authorization", "").partition(" ")
        knows = kind == "Basic" and b64decode(said).decode() == f"{CLIENT}:{CLIENT_SECRET}"
        self.server.of.seen["token"] += 1
        if not knows or asked != {"grant_type": "client_credentials", "scope": "all-apis"}:
            self._send(401, b'{"error": "invalid_client", "error_description": "Client authentication failed"}', {})
            return
        token = f"oauth-t0ken-{self.server.of.seen['token']}"
        self.server.of.tokens.add(token)
        granted = {"access_token": token, "token_type": "Bearer", "expires_in": self.server.of.token_seconds}
        self._send(200, json.dumps(granted).encode(), {"Content-Type": "application/json"})

    def _send(self, code: int, body: bytes, headers: Mapping[str, str], *, half: bool = False) -> None:
        self.send_response(code)
        for name, value in headers.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(body)))
        self.end_headers()
        if half:
            self.wfile.write(body[: len(body) // 2])
            self.close_connection = True
        else:
            self.wfile.write(body)

    def log_message(self, *_: object) -> None:
        """Nothing is written beside what the tests say."""


# -- tables -----------------------------------------------------------------------------------------------------------


@cache
def warehouse() -> DatabricksWarehouse:
    """The connection of the product to the server."""
    from metrics_api.engines.databricks import connect

    connected = connect(server().settings, Path())
    atexit.register(connected.close)
    return connected


def put(tables: Mapping[str, pa.Table]) -> None:
    """Make these the rows of the tables of these names, for every session."""
    server().service.put(tables)

"""What is fetched from the hosts that were allowed: by https, from public addresses, within limits."""

from __future__ import annotations

import ipaddress
import json
import socket
import ssl
import threading
from collections.abc import Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

import pytest
from aoba_gen import remote
from aoba_gen.limits import Limits
from aoba_gen.remote import Fetcher, Unfetched, is_public
from certificates import certify
from conftest import Cli
from reach_documents import document, put

ADDRESSES = {
    "127.0.0.1": False, "10.0.0.1": False, "192.168.1.1": False, "172.16.0.1": False, "169.254.169.254": False,
    "0.0.0.0": False, "100.64.0.1": False, "224.0.0.1": False, "::1": False, "fe80::1%eth0": False, "fc00::1": False,
    "::ffff:127.0.0.1": False, "::": False, "2002:7f00:1::": False, "93.184.215.14": True, "2606:4700::1111": True,
    "64:ff9b::7f00:1": False,
}  # fmt: skip


@pytest.mark.parametrize("address", ADDRESSES)
def test_which_addresses_are_public(address: str) -> None:
    assert is_public(address) is ADDRESSES[address]


class Server(ThreadingHTTPServer):
    """Lets slow answers go when the tests are done, and says nothing of those that nobody waits for."""

    daemon_threads = True
    stopped = threading.Event()

    def handle_error(self, request: object, client_address: object) -> None: ...


class Handler(BaseHTTPRequestHandler):
    """Serves schemas, redirects, too much, too slowly."""

    def do_GET(self) -> None:
        if self.path == "/away.json":
            self.send_response(302)
            self.send_header("Location", "https://other.example/x.json")
            self.end_headers()
        elif self.path == "/round.json":
            self.send_response(302)
            self.send_header("Location", "/round.json")
            self.end_headers()
        elif self.path == "/moved.json":
            self.send_response(301)
            self.send_header("Location", "/x.json")
            self.end_headers()
        elif self.path == "/large.json":
            self._say(b" " * 10**6)
        elif self.path == "/none.json":
            self.send_error(404)
        elif self.path == "/slow.json":
            self.send_response(200)
            self.end_headers()
            Server.stopped.wait(30)
        elif self.path == "/other.json":
            self._say(b'{"$ref": "x.json"}')
        elif self.path == "/local.json":
            self._say(b'{"$ref": "file:///etc/passwd"}')
        else:
            self._say(
                b'{"type": "object", "required": ["a"], "properties": {"a": {"type": "string"}}}'
            )

    def _say(self, data: bytes) -> None:
        self.send_response(200)
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None: ...


@pytest.fixture(scope="module")
def host(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, ssl.SSLContext]]:
    """An https server on loopback, and what trusts its certificate."""
    folder = tmp_path_factory.mktemp("tls")
    chain, private = certify(folder)
    server = Server(("127.0.0.1", 0), Handler)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(chain, private)
    server.socket = context.wrap_socket(server.socket, server_side=True)
    thread = threading.Thread(target=server.serve_forever, daemon=True)
    thread.start()
    yield f"localhost:{server.server_port}", ssl.create_default_context(cafile=str(chain))
    Server.stopped.set()
    server.shutdown()
    server.server_close()


def is_here(address: str) -> bool:
    return ipaddress.ip_address(address).is_loopback


def test_what_is_fetched(
    cli: Cli, tmp_path: Path, host: tuple[str, ssl.SSLContext], monkeypatch: pytest.MonkeyPatch
) -> None:
    name, context = host

    def fetcher(hosts: tuple[str, ...], limits: Limits) -> Fetcher:
        return Fetcher(hosts, limits, is_public=is_here, context=context)

    monkeypatch.setattr(remote, "Fetcher", fetcher)
    spec = put(
        tmp_path / "spec.json", document(f"https://{name}/moved.json", f"https://{name}/other.json")
    )
    assert cli(spec, "-o", tmp_path / "out", "--allow-remote", name).exit_code == 0
    assert "a: str" in (tmp_path / "out" / "reach" / "models.py").read_text()
    put(spec, document(f"https://{name}/local.json"))
    assert "[remote-ref]" in cli(spec, "-o", tmp_path / "out2", "--allow-remote", name).stderr
    put(
        spec,
        document(
            f"https://{name}/x.json", f"https://{name}/large.json", f"https://{name}/none.json"
        ),
    )
    said = cli("validate", spec, "--allow-remote", name, "--limit", "remote=2").output
    assert "more than 2 files are to be fetched" in said
    assert "[remote-ref]" in cli("validate", spec).output  # without the flag


@pytest.mark.parametrize(
    ("path", "limits", "reason"),
    [
        (
            "away.json",
            Limits(),
            "it leads to 'https://other.example/x.json', which --allow-remote does not name",
        ),
        ("round.json", Limits(), "it is redirected more than 5 times"),
        ("none.json", Limits(), "the host answers 404"),
        ("slow.json", Limits(wait=1), "timed out|takes longer than 1 seconds"),
    ],
)
def test_what_is_not_fetched(
    host: tuple[str, ssl.SSLContext], path: str, limits: Limits, reason: str
) -> None:
    name, context = host
    fetcher = Fetcher([name], limits, is_public=is_here, context=context)
    with pytest.raises(Unfetched, match=reason):
        fetcher.fetch(f"https://{name}/{path}", 1000)


def test_the_address_and_the_certificate_are_checked(host: tuple[str, ssl.SSLContext]) -> None:
    name, context = host
    with pytest.raises(Unfetched, match="is at 127.0.0.1, which is no public address"):
        Fetcher([name], Limits(), context=context).fetch(f"https://{name}/x.json", 1000)
    with pytest.raises(Unfetched, match="certificate"):
        Fetcher([name], Limits(), is_public=is_here).fetch(f"https://{name}/x.json", 1000)
    large = Fetcher([name], Limits(), is_public=is_here, context=context)
    assert len(large.fetch(f"https://{name}/large.json", 1000)) < 70_000
    for url in (
        f"http://{name}/x",
        f"https://a:b@{name}/x",
        "https://localhost/x",
        "https://[",
        "x",
    ):
        assert not large.allows(url)

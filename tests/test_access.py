"""What a document reaches by its references: its own folder and what is shared beside it, no other file, no host."""

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
from aoba_gen.diagnostics import Report
from aoba_gen.limits import Limits
from aoba_gen.remote import Fetcher, Unfetched, is_public
from certificates import certify
from conftest import Cli

SECRET = "xyzzy-plugh-4711"
HELD = {
    "type": "object",
    "description": SECRET,
    "properties": {SECRET.replace("-", ""): {"const": SECRET}},
}


def document(*refs: str) -> str:
    schemas = {f"S{number}": {"$ref": ref} for number, ref in enumerate(refs)}
    return json.dumps(
        {
            "asyncapi": "3.0.0",
            "info": {"title": "Reach", "version": "1"},
            "channels": {
                "c": {
                    "address": "c",
                    "messages": {"m": {"payload": {"$ref": "#/components/schemas/S0"}}},
                }
            },
            "components": {"schemas": schemas},
        }
    )


def put(place: Path, text: str) -> Path:
    place.parent.mkdir(parents=True, exist_ok=True)
    place.write_text(text)
    return place


@pytest.fixture
def api(tmp_path: Path) -> Path:
    """A folder for documents, with secrets all around it."""
    for name in ("secret.json", "secrets/a.json", "api/.hidden.json", "api/.git/a.json"):
        put(tmp_path / name, json.dumps(HELD))
    put(tmp_path / "secrets" / "plain.txt", SECRET)
    put(tmp_path / "secrets" / "broken.yaml", f"a: [{SECRET}")
    put(tmp_path / "common" / "secret.txt", SECRET)
    put(tmp_path / "common" / ".hidden.json", json.dumps(HELD))
    (tmp_path / "api" / "link.json").symlink_to(tmp_path / "secret.json")
    (tmp_path / "api" / "folder").symlink_to(tmp_path / "secrets")
    (tmp_path / "shared").symlink_to(tmp_path / "secrets")
    return tmp_path / "api"


OUTSIDE = (
    "../secret.json", "../secrets/a.json", "../secrets/plain.txt", "../secrets/broken.yaml", "./link.json", "folder/a.json",
    "%2e%2e/secret.json", "..%2fsecret.json", "x/../../secret.json", ".hidden.json", ".git/a.json", "../common/secret.txt",
    "../common/.hidden.json", "../shared/a.json", "../common/../secret.json", "../api/../secret.json", "../nothing.json",
)  # fmt: skip


@pytest.mark.parametrize("ref", OUTSIDE)
def test_other_files_are_out_of_reach(cli: Cli, api: Path, tmp_path: Path, ref: str) -> None:
    spec = put(api / "spec.json", document(ref))
    result = cli(spec, "-o", tmp_path / "out")
    assert result.exit_code == 1
    assert f"$ref '{ref}' leads out of the folder of the document [ref-outside]" in result.stderr
    assert SECRET not in result.output
    assert not (tmp_path / "out").exists()


ABSOLUTE = (
    "/etc/passwd",
    "file:///etc/passwd",
    "FILE:/etc/passwd",
    "//host/x.json",
    "\\\\host\\x",
    "C:/x.json",
    "data:,{}",
)


@pytest.mark.parametrize("ref", ABSOLUTE)
def test_nothing_by_an_absolute_place(cli: Cli, api: Path, tmp_path: Path, ref: str) -> None:
    spec = put(api / "spec.json", document(ref))
    result = cli(spec, "-o", tmp_path / "out")
    assert "root:" not in result.output
    assert result.exit_code == 1 or "[remote-ref]" in result.stderr


@pytest.mark.parametrize("name", ["spec.json:stream", "there:x.json"])
def test_a_file_whose_name_looks_like_an_address(cli: Cli, tmp_path: Path, name: str) -> None:
    put(tmp_path / "there:x.json", '{"type": "string"}')
    spec = put(tmp_path / "spec.json", document(f"./{name}"))
    result = cli(spec, "-o", tmp_path / "out")
    assert result.exit_code == (0 if "there" in name else 1)
    assert ("[ref-file]" in result.stderr) == ("there" not in name)


def test_a_root_is_added(
    cli: Cli, api: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spec = put(api / "spec.json", document("../secrets/a.json", "folder/a.json"))
    assert (
        cli(spec, "-o", tmp_path / "out", "--allow-ref-root", tmp_path / "secrets").exit_code == 0
    )
    monkeypatch.chdir(api)
    put(
        api / "pyproject.toml",
        '[tool.aoba-gen]\nallow-ref-root = ["../secrets"]\nlimits = {files = 9}\n'
        'documents = [{spec = "spec.json", output = "out"}]\n',
    )
    assert cli().exit_code == 0
    put(spec, document("../secret.json"))
    assert "[ref-outside]" in cli(spec, "-o", tmp_path / "out").stderr


@pytest.mark.parametrize("name", ["common", "schemas", "components", "Shared"])
def test_parts_are_shared_beside_the_document(cli: Cli, tmp_path: Path, name: str) -> None:
    spec = put(tmp_path / "service" / "spec.json", document(f"../{name}/parts.json"))
    put(tmp_path / name / "parts.json", json.dumps({"$ref": "./deeper/more.yaml"}))
    put(tmp_path / name / "deeper" / "more.yaml", "type: string")
    assert cli(spec, "-o", tmp_path / "out").exit_code == 0


SHARED_SECRETS = (
    json.dumps({"password": SECRET}),
    json.dumps([SECRET]),
    json.dumps(SECRET),
    json.dumps({"apiVersion": "v1", "kind": "Secret", "data": {"password": SECRET}}),
    json.dumps({"type": "service_account", "private_key": SECRET}),
    f"a: [{SECRET}",
    f"a: {SECRET}\na: 1",
    f"{SECRET}: &x\n  - *{SECRET}",
    f"- !{SECRET} x",
)


@pytest.mark.parametrize("text", SHARED_SECRETS)
def test_what_is_no_part_is_not_told_of_a_shared_file(cli: Cli, tmp_path: Path, text: str) -> None:
    put(tmp_path / "shared" / "secret.yaml", text)
    put(tmp_path / "shared" / f"{SECRET}.yaml", "{}")
    pointers = ("", "#/password", "#/data", "#/data/password", "#/0", "#/nothing", "#x", "#/data/")
    refs = [f"../shared/{name}.yaml{one}" for name in ("secret", "secrt") for one in pointers]
    for ref in (refs[0], *refs):
        spec = put(tmp_path / "api" / "spec.json", document(ref))
        for result in (cli("validate", spec, "--format", "json"), cli(spec, "-o", tmp_path / "o")):
            assert (result.exit_code, SECRET in result.output) == (1, False), result.output
    assert not (tmp_path / "o").exists()


@pytest.mark.parametrize("top", ["api", "common", "."])
def test_what_is_shared_lies_in_the_same_checkout(cli: Cli, tmp_path: Path, top: str) -> None:
    put(tmp_path / "common" / "parts.json", json.dumps(HELD))
    put(tmp_path / top / ".git" / "HEAD", "")
    spec = put(tmp_path / "api" / "spec.json", document("../common/parts.json"))
    result = cli(spec, "-o", tmp_path / "out")
    assert ("[ref-outside]" in result.stderr, SECRET in result.output) == (top != ".", False)


def test_a_limit_on_files_and_bytes(cli: Cli, tmp_path: Path) -> None:
    for number in range(5):
        put(tmp_path / f"{number}.json", json.dumps({"type": "string", "x-a": "x" * 1000}))
    spec = put(tmp_path / "spec.json", document(*(f"{number}.json" for number in range(5))))
    for limit in ("files=3", "bytes=3000"):
        result = cli("validate", spec, "--limit", limit)
        assert result.exit_code == 1
        assert f"[limit-{limit.partition('=')[0]}]" in result.output
    assert cli("validate", spec).exit_code == 0
    assert (
        "there is no limit 'file'; did you mean 'files'?"
        in cli("validate", spec, "--limit", "file=3").stderr
    )
    assert cli("validate", spec, "--limit", "files=x").exit_code == 2


@pytest.fixture
def listener() -> Iterator[socket.socket]:
    with socket.create_server(("127.0.0.1", 0)) as server:
        server.settimeout(0.2)
        yield server


def test_nothing_is_connected(cli: Cli, tmp_path: Path, listener: socket.socket) -> None:
    """Not by any reference, nor by addresses that a document names; not with the host allowed either: it is loopback."""
    port = listener.getsockname()[1]
    refs = [
        f"{scheme}://{host}:{port}/x.json"
        for scheme in ("http", "https", "HTTPS", "ftp", "ws")
        for host in (
            "127.0.0.1",
            "localhost",
            "[::1]",
            "user@127.0.0.1",
            "0x7f000001",
            "2130706433",
        )
    ]
    tree = json.loads(document(*refs))
    tree["servers"] = {"s": {"host": f"127.0.0.1:{port}", "protocol": "ws"}}
    tree["components"]["schemas"]["Id"] = {
        "$schema": f"http://127.0.0.1:{port}/s",
        "$id": f"http://127.0.0.1:{port}/",
        "$ref": "x.json",
    }
    tree["info"]["externalDocs"] = {"$ref": refs[0]}
    for fields in (tree, json.loads(document(*refs))):
        spec = put(tmp_path / "spec.json", json.dumps(fields))
        cli(spec, "-o", tmp_path / "out")
        cli(
            spec,
            "-o",
            tmp_path / "out",
            "--allow-remote",
            f"127.0.0.1:{port}",
            "--allow-remote",
            f"localhost:{port}",
        )
    with pytest.raises(TimeoutError):
        listener.accept()


def test_the_environment_stays_where_it_is(
    cli: Cli, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("PLANTED", SECRET)
    names = ("$PLANTED", "${PLANTED}", "%PLANTED%", "{{ env.PLANTED }}", "~/x.json", "$(cat x)")
    tree = json.loads(document("#/components/schemas/S1", *(f"./{name}" for name in names)))
    tree["components"]["schemas"] = {"S0": {"description": " ".join(names), "type": "string"}}
    spec = put(tmp_path / "spec.json", json.dumps(tree))
    assert cli(spec, "-o", tmp_path / "out").exit_code == 0
    assert all(SECRET not in place.read_text() for place in (tmp_path / "out").rglob("*.*"))


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


def test_reports_share_rules_and_limits() -> None:
    report = Report(["tag-name"], Limits(files=1)).scratch()
    assert (set(report.disabled), report.limits.files) == ({"tag-name"}, 1)

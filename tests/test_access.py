"""What a document reaches by its references: its own folder and what is shared beside it, no other file, no host."""

from __future__ import annotations

import json
import socket
from collections.abc import Iterator
from pathlib import Path

import pytest
from aoba_gen import remote
from aoba_gen.diagnostics import Report
from aoba_gen.limits import Limits
from conftest import Cli
from reach_documents import document, put

SECRET = "xyzzy-plugh-4711"
HELD = {
    "type": "object",
    "description": SECRET,
    "properties": {SECRET.replace("-", ""): {"const": SECRET}},
}


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


def test_reports_share_rules_and_limits() -> None:
    report = Report(["tag-name"], Limits(files=1)).scratch()
    assert (set(report.disabled), report.limits.files) == ({"tag-name"}, 1)

"""What the generator makes of the public documents beside the checkout: a program that prints one JSON line a document.

    python tests/corpus.py OUT [PATH ...]     # every valid document, or these

Each document is generated, imported and used in processes of its own, forked from one that has everything imported, so that
hundreds take a minute. What is checked: the public contract of a generated package, and that each message example that its own
schema takes (by the jsonschema library) comes out of decode and encode as it went in.
"""

from __future__ import annotations

import csv
import importlib
import io
import json
import os
import pickle
import re
import sys
import tempfile
import traceback
from collections.abc import Callable, Iterator, Mapping
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import asdict, dataclass, field
from functools import cache
from pathlib import Path
from typing import Any, Final, TypeVar
from urllib.parse import unquote, urlsplit

import jsonschema
import yaml
from aoba_gen import cli
from referencing import Registry, Resource
from referencing.jsonschema import DRAFT7

import aoba_runtime

CORPUS: Final = Path(__file__).resolve().parents[2] / "shared" / "corpus"
DOCUMENTS: Final = CORPUS / "documents"
T = TypeVar("T")


@dataclass
class Outcome:
    """What became of one document; `complaints` are broken promises, `examples` how many went there and back."""

    path: str
    package: str
    exit: int
    output: str
    complaints: list[str] = field(default_factory=list)
    examples: int = 0


def manifest() -> list[dict[str, str]]:
    """The list of documents that stands beside them."""
    with (DOCUMENTS / "manifest.tsv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file, delimiter="\t"))


def valid_documents() -> list[str]:
    """The documents that the official schema takes."""
    return [row["path"] for row in manifest() if row["valid"] != "invalid"]


def outcome(path: str, package: str, out: Path) -> Outcome:
    """Generate a document into `out`, and use what came of it."""
    spec = DOCUMENTS / path
    status, output = _in_child(lambda: _generate(spec, package, out))
    found = Outcome(path, package, status, output)
    if status == 0:
        found.complaints, found.examples = _in_child(lambda: _use(spec, package, out))
    return found


def _in_child(work: Callable[[], T]) -> T:
    """What `work` returns in a forked process; raises `RuntimeError` with its traceback or its way of dying."""
    read, write = os.pipe()
    child = os.fork()
    if child == 0:
        status = 0
        try:
            result = pickle.dumps(work())
        except BaseException:
            result, status = traceback.format_exc().encode(), 1
        with os.fdopen(write, "wb") as file:
            file.write(result)
        os._exit(status)
    os.close(write)
    with os.fdopen(read, "rb") as file:
        answer = file.read()
    _, status = os.waitpid(child, 0)
    if status:
        raise RuntimeError(answer.decode() or f"the process ended with status {status}")
    result_of: T = pickle.loads(answer)  # what our own child wrote
    return result_of


def _generate(spec: Path, package: str, out: Path) -> tuple[int, str]:
    text = io.StringIO()
    status = 0
    with redirect_stdout(text), redirect_stderr(text):
        try:
            cli.main([str(spec), "-o", str(out), "--package", package])
        except SystemExit as end:
            status = end.code if isinstance(end.code, int) else 1
    return status, text.getvalue()


def _use(spec: Path, package: str, out: Path) -> tuple[list[str], int]:
    """Import the package and hold it to the public contract."""
    sys.path.insert(0, str(out))
    generated = importlib.import_module(package)
    complaints: list[str] = []
    examples = 0
    assert generated.__version__ == str(_load(spec)["info"]["version"])
    assert generated.models and callable(generated.decode)
    client = next(
        found
        for name, found in vars(generated).items()
        if isinstance(found, type) and issubclass(found, aoba_runtime.Client)
    )
    messages: Mapping[str, aoba_runtime.Message[Any]] = generated.MESSAGES
    for name, message in messages.items():
        if message.name != name:
            complaints.append(f"{name}: its name is {message.name}")
        try:
            file, node = _at(spec, message.pointer)
        except (KeyError, IndexError, OSError, TypeError) as error:
            complaints.append(f"{name}: {message.pointer} leads nowhere: {error!r}")
            continue
        for example in _payload_examples(node):
            if not _fits(file, node, message.pointer, example):
                continue
            examples += 1
            complaints += (f"{name}: {text}" for text in _round_trip(message, example))
    for name, operation in generated.OPERATIONS.items():
        if operation.name != name or operation.action not in ("send", "receive"):
            complaints.append(f"operation {name}: {operation}")
        if not hasattr(client, operation.method):
            complaints.append(f"operation {name}: the client has no {operation.method}")
    for name, server in generated.SERVERS.items():
        if not (server.url and server.protocol and isinstance(server.tls, bool)):
            complaints.append(f"server {name}: {server}")
    return complaints, examples


def _round_trip(message: aoba_runtime.Message[Any], example: object) -> Iterator[str]:
    """What is wrong with an example's way into a value and back."""
    try:
        value = message.decode(json.dumps(example))
        data = message.encode(value)
        if json.loads(data) != example:
            yield f"{json.dumps(example)[:300]} became {data[:300]!r}"
        if message.decode(data) != value:
            yield f"decode(encode(x)) is not x: {data[:300]!r}"
    except Exception as error:
        yield f"{json.dumps(example)[:300]} raised {error!r}"


def _payload_examples(message: Mapping[str, Any]) -> Iterator[Any]:
    """The payloads among a message's examples; before 2.1 an example had no fixed form."""
    for example in message.get("examples") or ():
        if isinstance(example, dict) and "payload" in example:
            yield example["payload"]


def _fits(file: Path, message: Mapping[str, Any], pointer: str, example: Any) -> bool:
    """Whether an example fits its own payload schema, by a library that is not ours."""
    payload = message.get("payload")
    inner = "/schema" if isinstance(payload, dict) and "schemaFormat" in payload else ""
    where = f"{file.as_uri()}#{pointer.partition('#')[2]}/payload{inner}"
    registry: Registry[Any] = Registry(
        retrieve=_resource  # type: ignore[call-arg]  # attrs hides its name from mypy
    )
    try:
        validator = jsonschema.Draft7Validator({"$ref": where}, registry=registry)
        return validator.is_valid(example)
    except Exception:  # a schema in another language, or one that leads to the network
        return False


def _resource(uri: str) -> Resource[Any]:
    return DRAFT7.create_resource(_load(Path(unquote(urlsplit(uri).path))))


def _at(spec: Path, pointer: str) -> tuple[Path, dict[str, Any]]:
    """The file and the object that a file-relative pointer names."""
    name, _, path = pointer.partition("#")
    file = (spec.parent / name).resolve() if name else spec
    node: Any = _load(file)
    for step in path.split("/")[1:]:
        step = step.replace("~1", "/").replace("~0", "~")
        node = node[int(step)] if isinstance(node, list) else node[step]
    return file, node


class _Loader(yaml.SafeLoader):
    """YAML without dates: JSON has none."""


_Loader.yaml_implicit_resolvers = {
    first: [each for each in found if each[0] != "tag:yaml.org,2002:timestamp"]
    for first, found in yaml.SafeLoader.yaml_implicit_resolvers.items()
}


@cache
def _load(path: Path) -> Any:
    return yaml.load(path.read_text(encoding="utf-8-sig"), _Loader)


def package_of(path: str) -> str:
    """The package that a document becomes, so that all fit into one folder."""
    return re.sub(r"\W+", "_", f"of {path}").lower()


def warm() -> None:
    """Import what generation imports only when it is needed: by generating once."""
    with tempfile.TemporaryDirectory() as folder:
        spec = Path(__file__).parents[1] / "spec" / "voice-call-signaling.yaml"
        status, output = _generate(spec, "warm", Path(folder))
        assert status == 0, output


if __name__ == "__main__":
    warm()
    for each in sys.argv[2:] or valid_documents():
        found = outcome(each, package_of(each), Path(sys.argv[1]).resolve())
        print(json.dumps(asdict(found)), flush=True)

"""Loading: a source knows its file, and what is no file that can be read is named for what it is."""

from __future__ import annotations

import hashlib
from pathlib import Path

import pytest
from aoba_gen.diagnostics import Refused, Report, escaped
from aoba_gen.load import load, plain


def load_text(path: Path) -> str:
    report = Report()
    with pytest.raises(Refused) as caught:
        load(path, report)
    assert caught.value.diagnostics == report.diagnostics
    return str(caught.value)


def test_a_source_knows_its_file(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (tmp_path / "spec.yaml").write_bytes(b"a: 1\n")
    monkeypatch.chdir(tmp_path)
    source = load(Path("spec.yaml"), Report())
    assert (source.path, source.name) == (Path("spec.yaml"), "spec.yaml")
    assert source.digest == hashlib.sha256(b"a: 1\n").hexdigest()
    assert str(source.root.location) == "spec.yaml:1:1"
    assert plain(source.root) == {"a": 1}


def test_files_that_cannot_be_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("docs").mkdir()
    assert load_text(Path("docs")) == (
        "docs:1:1: this is a folder, expected a file [file-is-folder]\n    hint: name the document"
    )
    Path("docs/voice-call.yaml").write_text("a: 1")
    assert load_text(Path("docs")) == (
        "docs:1:1: this is a folder, expected a file [file-is-folder]\n"
        "    hint: name the document, such as docs/voice-call.yaml"
    )
    assert load_text(Path("docs/voice-cal.yml")) == (
        "docs/voice-cal.yml:1:1: no such file, expected a YAML or JSON document [file-missing]\n"
        "    hint: did you mean 'voice-call.yaml'?"
    )
    for missing in ("nowhere/spec.yaml", "docs/voice-call.yaml/x", "docs/\ud800"):
        assert load_text(Path(missing)) == (
            f"{escaped(missing)}:1:1: no such file, expected a YAML or JSON document [file-missing]\n"
            "    hint: a path is relative to the current folder"
        )
    Path("loop.yaml").symlink_to("loop.yaml")
    assert load_text(Path("loop.yaml")) == (
        "loop.yaml:1:1: the file cannot be read: too many levels of symbolic links"
        " [file-unreadable]\n    hint: give who runs this the right to read it"
    )


@pytest.mark.parametrize(
    ("given", "told", "hint"),
    [
        (
            "https://example.org/v1/a.yaml?x=1",
            "https://example.org/v1/a.yaml?x=1:1:1: this is a URL, and a document is read from a file",
            "download it first, such as with: curl -fL -o a.yaml 'https://example.org/v1/a.yaml?x=1'",
        ),
        (
            "https://example.org/",
            "https://example.org:1:1: this is a URL, and a document is read from a file",
            "download it first, such as with: curl -fL -o spec.yaml https://example.org",
        ),
        (
            "file:///tmp/a.yaml",
            "file:///tmp/a.yaml:1:1: this is a URL, and a document is read from a file",
            "name the file itself: /tmp/a.yaml",
        ),
        (
            "git://example.org/a.yaml",
            "git://example.org/a.yaml:1:1: this is a URL, and a document is read from a file",
            "save the document to a file first, and name that",
        ),
        (
            "-",
            "-:1:1: standard input is not read, and a document is read from a file",
            "save the document to a file first, and name that",
        ),
        (
            "asyncapi: 3.0.0\ninfo: {title: T, version: '1'}\nchannels: {}\n" + "#" * 5000,
            "asyncapi: 3.0.0\\ninfo: {title: T, versio…:1:1: this is the text of a document, "
            "and a document is read from a file",
            "save the text to a file first, and name that",
        ),
        (
            '{"asyncapi": "3.0.0"}',
            '{"asyncapi": "3.0.0"}:1:1: this is the text of a document, and a document is read from a file',
            "save the text to a file first, and name that",
        ),
        (
            "a" * 5000,
            f"{'a' * 39}…:1:1: the file cannot be read: file name too long",
            "no file can have that name: check what is given as the document",
        ),
    ],
    ids=["https", "folder", "file", "git", "stdin", "yaml", "json", "long"],
)
def test_what_is_no_path(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, given: str, told: str, hint: str
) -> None:
    monkeypatch.chdir(tmp_path)
    rule = "file-unreadable" if given.startswith("aaa") else "file-missing"
    assert load_text(Path(given)) == f"{told} [{rule}]\n    hint: {hint}"

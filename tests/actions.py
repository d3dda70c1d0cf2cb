"""Runs the jobs of GitHub workflows here: each step's script in bash, with its environment, conditions, outputs and summary."""

from __future__ import annotations

import json
import os
import re
import subprocess
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

import yaml

Tree = dict[str, Any]  # as YAML and GitHub's contexts have it

_TOKEN: Final = re.compile(r"\s*('(?:[^']|'')*'|&&|\|\||==|!=|[!()]|[\w.-]+)")


def evaluated(expression: str, contexts: Tree, states: Mapping[str, bool]) -> Any:
    """An expression as GitHub evaluates it, of what our files use: texts, contexts, `&& || == != !`, status functions."""
    tokens = _TOKEN.findall(expression)
    assert "".join(tokens) == re.sub(r"\s+(?=(?:[^']*'[^']*')*[^']*$)", "", expression), expression

    def either() -> Any:
        value = both()
        while tokens[:1] == ["||"]:
            tokens.pop(0)
            other = both()
            value = value or other
        return value

    def both() -> Any:
        value = same()
        while tokens[:1] == ["&&"]:
            tokens.pop(0)
            other = same()
            value = value and other
        return value

    def same() -> Any:
        value = single()
        if tokens[:1] in (["=="], ["!="]):
            wanted = tokens.pop(0) == "=="
            return ((value or "") == (single() or "")) is wanted
        return value

    def single() -> Any:
        token = tokens.pop(0)
        if token == "!":
            return not single()
        if token == "(":
            value = either()
            assert tokens.pop(0) == ")"
            return value
        if token.startswith("'"):
            return token[1:-1].replace("''", "'")
        if tokens[:1] == ["("]:
            assert (tokens.pop(0), tokens.pop(0)) == ("(", ")")
            return states[token]
        found: Any = contexts
        for name in token.split("."):
            found = found.get(name) if isinstance(found, dict) else None
        return found

    value = either()
    assert not tokens, tokens
    return value


@dataclass
class Ran:
    """What became of a step: its name, "success", "failure" or "skipped", its exit code, and what it printed."""

    name: str
    outcome: str
    code: int = 0
    output: str = ""


@dataclass
class Runner:
    """A machine with a checkout in `workspace`; `actions` are the folders of those that are run and not passed over."""

    workspace: Path
    temp: Path
    actions: Mapping[str, Path]
    github: Tree
    env: dict[str, str]
    installed: Path | None = (
        None  # a folder that an earlier run put into PATH in the step `install`
    )
    ran: list[Ran] = field(default_factory=list)
    path: list[str] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.temp.mkdir(parents=True, exist_ok=True)

    @property
    def code(self) -> int:
        """The first exit code that is not 0."""
        return next((one.code for one in self.ran if one.code), 0)

    @property
    def log(self) -> str:
        """What all steps printed."""
        return "".join(one.output for one in self.ran)

    @property
    def summary(self) -> str:
        """The summary of the job, in Markdown."""
        place = self.temp / "summary"
        return place.read_text() if place.exists() else ""

    def job(self, workflow: Path, name: str) -> bool:
        """Run a job of a workflow; whether its condition let it run."""
        job = yaml.safe_load(workflow.read_text())["jobs"][name]
        contexts = {"github": self.github, "steps": {}}
        if not evaluated(job["if"], contexts, {}):
            return False
        self._steps(job["steps"], contexts, None)
        return True

    def _steps(self, steps: list[Tree], contexts: Tree, action: Path | None) -> str:
        failed = False
        for step in steps:
            states = {"cancelled": False, "success": not failed, "failure": failed, "always": True}
            condition = re.sub(r"^\s*\$\{\{(.*)\}\}\s*$", r"\1", str(step.get("if", "success()")))
            if not re.search(r"\b(?:cancelled|success|failure|always)\(", condition):
                condition = f"success() && ({condition})"
            if evaluated(condition, contexts, states):
                outcome, outputs = self._step(step, contexts, action)
            else:
                outcome, outputs = "skipped", {}
                self.ran.append(Ran(str(step.get("name", step.get("uses"))), outcome))
            failed = failed or outcome == "failure"
            contexts["steps"][step.get("id", "")] = {"outcome": outcome, "outputs": outputs}
        return "failure" if failed else "success"

    def _step(self, step: Tree, contexts: Tree, action: Path | None) -> tuple[str, Tree]:
        if "uses" in step:
            return self._use(step, contexts)
        if step.get("id") == "install" and self.installed:
            (self.temp / "aoba-gen").mkdir()
            self.path.insert(0, str(self.installed))
            return "success", {}
        output, path = self.temp / "output", self.temp / "path"
        for place in (output, path):
            place.write_text("")
        script = self.temp / "step.sh"
        assert "${{" not in step["run"], "text must not become code"
        script.write_text(step["run"])
        given = {key: self._filled(value, contexts) for key, value in step.get("env", {}).items()}
        event = self.github["event"].get("pull_request", {})
        own = {
            "GITHUB_ACTION_PATH": str(action or ""),
            "GITHUB_BASE_REF": event.get("base", {}).get("ref", ""),
            "GITHUB_OUTPUT": str(output),
            "GITHUB_PATH": str(path),
            "GITHUB_REF_NAME": self.github.get("ref_name", ""),
            "GITHUB_REPOSITORY": self.github["repository"],
            "GITHUB_STEP_SUMMARY": str(self.temp / "summary"),
            "PATH": os.pathsep.join([*self.path, self.env["PATH"]]),
            "RUNNER_TEMP": str(self.temp),
        }
        options = ["--noprofile", "--norc", "-eo", "pipefail"] if "shell" in step else ["-e"]
        done = subprocess.run(
            ["bash", *options, script],
            cwd=self.workspace,
            env={**self.env, **own, **given},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            text=True,
            timeout=300,
        )
        outcome = "failure" if done.returncode else "success"
        self.ran.append(Ran(step["name"], outcome, done.returncode, done.stdout))
        self.path = [*path.read_text().split(), *self.path]
        return outcome, _outputs(output.read_text())

    def _use(self, step: Tree, contexts: Tree) -> tuple[str, Tree]:
        folder = self.actions.get(step["uses"])
        if folder is None:  # the checkout and Python are there
            assert step["uses"].startswith("actions/"), step
            return "success", {}
        action = yaml.safe_load((folder / "action.yml").read_text())
        inputs = {name: one.get("default", "") for name, one in action["inputs"].items()}
        inside = {"github": self.github, "steps": {}, "inputs": inputs | step.get("with", {})}
        outcome = self._steps(action["runs"]["steps"], inside, folder)
        told = {key: self._filled(one["value"], inside) for key, one in action["outputs"].items()}
        return outcome, told

    @staticmethod
    def _filled(text: str, contexts: Tree) -> str:
        def value(found: re.Match[str]) -> str:
            told = evaluated(found[1].strip(), contexts, {})
            return "" if told is None else str(told)

        return re.sub(r"\$\{\{(.*?)\}\}", value, str(text))


def _outputs(text: str) -> Tree:
    """What a step wrote to GITHUB_OUTPUT: `name=value`, and `name<<END` with lines until that word."""
    found: Tree = {}
    lines = iter(text.splitlines())
    for line in lines:
        name, mark, end = line.partition("<<")
        if mark and "=" not in name:
            found[name] = "\n".join(iter(lines.__next__, end))
        else:
            name, _, found[name.partition("=")[0]] = line.partition("=")
    return found


class Pretended(BaseHTTPRequestHandler):
    """As much of GitHub's API as our scripts ask for, by way of the real `gh`: comments, and releases with files."""

    @property
    def hub(self) -> Hub:
        """Where everything is kept."""
        assert isinstance(self.server, Hub)
        return self.server

    def do_GET(self) -> None:
        if "/comments?" in self.path:
            return self._answer(self.hub.comments)
        release = self.hub.releases.get(self.path.rpartition("/")[2])
        self._answer(release or {"message": "Not Found"}, 200 if release else 404)

    def do_POST(self) -> None:
        data = self.rfile.read(int(self.headers["Content-Length"]))
        if self.path.endswith("/comments") and self.hub.may_write:
            user = {"login": "github-actions[bot]"}
            comment = {"id": len(self.hub.comments) + 1, "user": user, **json.loads(data)}
            self.hub.comments.append(comment)
            return self._answer(comment, 201)
        if self.path.endswith("/comments"):
            return self._answer({"message": "Resource not accessible by integration"}, 403)
        if self.path.endswith("/releases"):
            tag = json.loads(data)["tag_name"]
            upload = f"http://uploads.github.localhost/{tag}{{?name,label}}"
            self.hub.releases[tag] = {
                **{"id": 1, "tag_name": tag, "assets": [], "upload_url": upload},
                **{"url": self.path, "html_url": self.path, "published_at": "2026-01-01T00:00:00Z"},
            }
            return self._answer(self.hub.releases[tag], 201)
        if "uploads." in self.path:
            self.hub.uploads[self.path.rpartition("name=")[2].partition("&")[0]] = data
            return self._answer({"id": 1, "state": "uploaded"}, 201)
        found = {"release": None} if b"release(" in data else {"ref": {"id": "1"}}
        self._answer({"data": {"repository": found}})

    def do_PATCH(self) -> None:
        data = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
        if "/comments/" in self.path:
            number = int(self.path.rpartition("/")[2])
            self.hub.comments[number - 1] |= data
        self._answer({})

    def _answer(self, value: object, status: int = 200) -> None:
        data = json.dumps(value).encode()
        self.send_response(status)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(data)))
        self.end_headers()
        self.wfile.write(data)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing."""


class Hub(ThreadingHTTPServer):
    """What is kept there."""

    daemon_threads = True

    def __init__(self) -> None:
        super().__init__(("127.0.0.1", 0), Pretended)
        self.comments: list[Tree] = []
        self.releases: dict[str, Tree] = {}
        self.uploads: dict[str, bytes] = {}
        self.may_write = True

    @property
    def env(self) -> dict[str, str]:
        """What leads `gh` here: for this host alone it speaks http, and so by a proxy."""
        return {"GH_HOST": "github.localhost", "http_proxy": f"http://127.0.0.1:{self.server_port}"}


@contextmanager
def hub() -> Iterator[Hub]:
    """A pretended GitHub, as long as it is needed."""
    with Hub() as server:
        thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
        thread.start()
        try:
            yield server
        finally:
            server.shutdown()
            thread.join()

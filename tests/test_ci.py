"""A repository from nothing, what CI says to its commits, and the hook: the published files, really run."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
import sys
import sysconfig
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from actions import Hub, Runner, hub
from click.testing import Result
from deploy import launch

Cli: TypeAlias = Callable[..., Result]

PING: Final = Path(__file__).parent / "cases" / "ping.yaml"
SOURCE: Final = f"acme/aoba-gen@{'0123456789' * 4}"
PUBLISHED: Final = (
    *(".pre-commit-hooks.yaml", "action.yml", "pyproject.toml", "README.md", "LICENSE"),
    *("generator", "templates"),
)
WORKFLOW: Final = Path(".github/workflows/aoba-gen.yml")


def git(folder: Path, *words: str) -> str:
    who = ("-c", "user.name=a", "-c", "user.email=a@b", "-c", "init.defaultBranch=main")
    done = subprocess.run(["git", *who, *words], cwd=folder, capture_output=True, text=True)
    assert done.returncode == 0, done.stderr
    return done.stdout.strip()


def commit(folder: Path, subject: str) -> None:
    git(folder, "add", "-A")
    git(folder, "commit", "--allow-empty", "-qm", subject)


@pytest.fixture(scope="module")
def env(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """A machine on which pip and build need no network: they find here what ours depends on, and pip installs ours alone."""
    tools = tmp_path_factory.mktemp("tools")
    build = '[ "$1 $2" != "-m build" ] || { shift 2; set -- -m build --no-isolation "$@"; }'
    for name in ("python", "python3"):
        (tools / name).write_text(f'#!/bin/sh\n{build}\nexec "{sys.executable}" "$@"\n')
        (tools / name).chmod(0o755)
    clean = {name: text for name, text in os.environ.items() if not name.startswith(("GIT", "PIP"))}
    return clean | {
        "HOME": str(tools),
        "PATH": f"{tools}{os.pathsep}{os.environ['PATH']}",
        "PIP_NO_BUILD_ISOLATION": "0",
        "PIP_NO_INDEX": "1",
        "PRE_COMMIT_HOME": str(tools / "pre-commit"),
        "PYTHONPATH": sysconfig.get_path("purelib"),
    }


@pytest.fixture(scope="module")
def published(root: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Our own repository, as far as users of the action and the hooks get to see it."""
    folder = tmp_path_factory.mktemp("published")
    for name in PUBLISHED:
        if (root / name).is_dir():
            shutil.copytree(
                root / name, folder / name, ignore=shutil.ignore_patterns("__pycache__")
            )
        else:
            shutil.copy(root / name, folder / name)
    git(folder, "init", "-q")
    commit(folder, "Publish")
    return folder


@pytest.fixture(scope="module")
def github() -> Iterator[Hub]:
    try:
        launch.program("gh", "gh")
    except launch.Missing as missing:
        pytest.skip(str(missing))
    with hub() as server:
        yield server


@pytest.fixture(scope="module")
def project(cli: Cli, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A repository made from nothing, with what `init` gives it; its main is that of the pretended origin too."""
    folder = tmp_path_factory.mktemp("project")
    git(folder, "init", "-q")
    (folder / "spec").mkdir()
    shutil.copy(PING, folder / "spec")
    with pytest.MonkeyPatch.context() as patch:
        patch.chdir(folder)
        assert cli("init", "--source", SOURCE).exit_code == 0
        assert cli().exit_code == 0
    commit(folder, "Begin")
    git(folder, "update-ref", "refs/remotes/origin/main", "main")
    git(folder, "switch", "-qc", "change")
    return folder


Ci: TypeAlias = Callable[..., Runner]


@pytest.fixture(scope="module")
def ci(
    project: Path,
    published: Path,
    github: Hub,
    env: dict[str, str],
    tmp_path_factory: pytest.TempPathFactory,
) -> Ci:
    """Commits what is in the project, and runs CI's job on the merge of that with main, as GitHub does."""
    installed: Path | None = None

    def run(subject: str, job: str = "contract", **event: object) -> Runner:
        nonlocal installed
        commit(project, subject)
        git(project, "switch", "-q", "--detach", "main")
        git(project, "merge", "-q", "--no-ff", "-m", "Merge", "change")
        temp = tmp_path_factory.mktemp("runner")
        pull = {
            "event_name": "pull_request",
            "event": {"pull_request": {"number": 3, "base": {"ref": "main"}}},
        }
        context = {
            "repository": "acme/ping",
            "token": "secret",
            "base_ref": "main",
            **pull,
            **event,
        }
        runner = Runner(project, temp, {SOURCE: published}, context, env | github.env, installed)
        assert runner.job(project / WORKFLOW, job)
        installed = installed or temp / "aoba-gen" / "bin"
        git(project, "switch", "-q", "change")
        return runner

    return run


def edit(project: Path, old: str, new: str) -> None:
    place = project / "spec" / "ping.yaml"
    text = place.read_text()
    assert old in text
    place.write_text(text.replace(old, new))


def test_what_ci_says_to_three_commits(
    ci: Ci, cli: Cli, project: Path, github: Hub, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(project)

    (project / "README").write_text("It pings.\n")
    good = ci("Say what it is")
    assert (good.code, github.comments) == (0, []), good.log
    assert "generated/ping: 8 unchanged" in good.log
    assert "The packages are as generated." in good.summary

    edit(
        project,
        "          maxLength: 80\n",
        "          maxLength: 80\n        loud:\n          type: boolean\n",
    )
    drifted = ci("Say it loud")
    assert drifted.code == 1
    stale = "::error file=generated/ping/models.py,line=1,col=1,title=not-as-generated::stale: "
    assert stale in drifted.log
    assert "the document has changed since; run 'aoba-gen' and commit the result" in drifted.log
    (comment,) = github.comments
    assert comment["body"].startswith("<!-- aoba-gen -->\n**The packages are not as generated**")
    assert "Clients that are out there go on working: " in comment["body"]
    assert "`field-added`" in comment["body"]

    edit(project, "required: [text]", "required: [text, loud]")
    assert cli().exit_code == 0
    breaking = ci("Ask for it")
    assert [one.outcome for one in breaking.ran] == ["success", "failure", "success"]
    assert breaking.code == 1
    assert "::error file=spec/ping.yaml,line=29,col=9,title=field-added-required::" in breaking.log
    (comment,) = github.comments
    assert "not as generated" not in comment["body"]
    assert "**1 change would break clients that are out there.**" in comment["body"]
    assert "`spec/ping.yaml:29:9` | `field-added-required`" in comment["body"]
    assert comment["body"].partition("\n")[2] in breaking.summary


def test_the_action_runs_what_it_installed(
    ci: Ci, env: dict[str, str], published: Path, project: Path
) -> None:
    """And not what lies in the environment of the tests."""
    runner = ci("Nothing", comment="")
    python = Path(runner.path[0], "aoba-gen").read_text().partition("\n")[0].removeprefix("#!")
    code = "import aoba_gen; print(aoba_gen.__file__)"
    told = subprocess.run(
        [python, "-c", code], env=env, cwd=project, capture_output=True, text=True
    )
    assert Path(told.stdout).is_relative_to(Path(python).parents[1]), told


@pytest.fixture
def hooked(published: Path, project: Path) -> Iterator[Path]:
    """The project with the published hooks in place of the ones that `init` wrote."""
    place = project / ".pre-commit-config.yaml"
    before = place.read_text()
    sha = git(published, "rev-parse", "HEAD")
    name, _, ref = SOURCE.partition("@")
    ours = f'https://github.com/{name}\n  rev: "{ref}"\n  hooks:\n'
    assert ours in before
    here = f"{published}\n  rev: {sha}\n  hooks:\n  - id: aoba-gen-check\n"
    place.write_text(before.replace(ours, here) + "  - id: aoba-gen-validate\n")
    yield project
    git(project, "reset", "-q", "--hard")


def test_the_hooks(hooked: Path, env: dict[str, str]) -> None:
    def run() -> tuple[list[str], str]:
        git(hooked, "add", "-A")
        command = [sys.executable, "-m", "pre_commit", "run", "--color=never"]
        done = subprocess.run(command, cwd=hooked, env=env, capture_output=True, text=True)
        words = re.findall(r"\.(Passed|Failed)$", done.stdout, re.MULTILINE)
        assert (done.returncode == 0) == (set(words) == {"Passed"}), done.stdout + done.stderr
        return words, done.stdout

    edit(hooked, "maxLength: 80", "maxLength: 79")
    words, told = run()
    assert words == ["Failed", "Failed", "Passed"]
    assert "stale: generated/ping/models.py" in told
    assert "- files were modified by this hook" in told
    assert run()[0] == ["Passed"] * 3
    edit(hooked, "type: string", "type: sting")
    words, told = run()
    assert words == ["Failed"] * 3
    assert "spec/ping.yaml:27:17: " in told


def test_a_tag_is_released_with_its_distributions(ci: Ci, project: Path, github: Hub) -> None:
    pull = {"event_name": "push", "event": {}, "base_ref": "", "ref_type": "tag"}
    runner = ci("Release", "release", ref_name="v1.0.0", **pull)
    assert runner.code == 0, runner.log
    assert list(github.releases) == ["v1.0.0"]
    assert sorted(github.uploads) == ["ping-1.0.0-py3-none-any.whl", "ping-1.0.0.tar.gz"]
    assert github.uploads["ping-1.0.0-py3-none-any.whl"].startswith(b"PK")


def test_a_document_with_errors_on_the_base_branch_may_be_mended(
    ci: Ci, project: Path, github: Hub
) -> None:
    whole = (project / "spec" / "ping.yaml").read_text()
    main = git(project, "rev-parse", "main")
    edit(project, "#/components/schemas/Ping", "#/components/schemas/Gone")
    commit(project, "Break it")
    git(project, "branch", "-f", "main", "HEAD")
    git(project, "update-ref", "refs/remotes/origin/main", "main")
    (project / "spec" / "ping.yaml").write_text(whole)
    runner = ci("Mend it")
    git(project, "branch", "-f", "main", main)
    git(project, "update-ref", "refs/remotes/origin/main", "main")
    assert "::notice title=not-compared::the old document has errors, " in runner.log
    assert "Nothing was compared: the old document has errors, " in runner.summary
    assert runner.ran[1].code == 0


def test_what_cannot_be_compared_or_written(ci: Ci, project: Path, github: Hub) -> None:
    """A new document breaks nobody; a fork may not comment; text of strangers stays text."""
    github.may_write = False
    github.comments.clear()
    odd = "spec/$(touch hacked)`touch hacked`;@all.yaml"
    shutil.copy(PING, project / odd)
    with (project / "pyproject.toml").open("a") as file:
        file.write(f'[[tool.aoba-gen.documents]]\nspec = "{odd}"\noutput = "other"\n')
    runner = ci("Add one")
    github.may_write = True
    assert runner.code == 1  # it was not generated
    assert "::error file=other/ping/__init__.py," in runner.log
    assert (
        "::warning::the comment could not be written, as in pull requests from forks" in runner.log
    )
    named = odd.replace("`", "")  # within code whole, where '@all' is nobody
    assert f"`{named}` is new: there are no clients yet that it could break." in runner.summary
    assert runner.ran[-1].outcome == "success"
    assert not list(project.rglob("hacked"))
    git(project, "update-ref", "-d", "refs/remotes/origin/main")
    runner = ci("Be shallow")
    git(project, "update-ref", "refs/remotes/origin/main", "main")
    assert (
        "::error::what to compare with is not in the checkout: give actions/checkout 'fetch-depth: 0'"
        in runner.log
    )
    assert runner.ran[1].code == 2
    assert runner.ran[-1].outcome == "skipped"


def test_the_files_are_as_their_tools_want_them(
    published: Path, project: Path, cli: Cli, env: dict[str, str]
) -> None:
    def run(name: str, *words: str | Path) -> None:
        command = [Path(sys.executable).with_name(name), *words]
        done = subprocess.run(command, capture_output=True, text=True, env=env)
        assert done.returncode == 0, done.stdout + done.stderr

    schema = ("check-jsonschema", "--builtin-schema")
    run(*schema, "vendor.github-actions", published / "action.yml")
    run(*schema, "vendor.github-workflows", project / WORKFLOW)
    run("pre-commit", "validate-manifest", published / ".pre-commit-hooks.yaml")
    run(
        "zizmor", "--offline", "--pedantic", "--quiet", published / "action.yml", project / WORKFLOW
    )

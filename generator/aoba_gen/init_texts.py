"""The texts of what `aoba-gen init` puts into a repository: they are the user's from then on, and say what can be changed."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

PLACEHOLDER: Final = "OWNER/aoba-gen@REF"
"""Stands where it is not told where aoba-gen is kept."""

TABLE: Final = """\
# The documents that 'aoba-gen' generates packages from; 'aoba-gen --check' says whether these are as generated.
[tool.aoba-gen]
# disable = ["example"]       # rules that are off; 'aoba-gen rules' lists them
# templates = "templates"     # a folder with templates of your own
"""

_DOCUMENT: Final = """
[[tool.aoba-gen.documents]]
spec = {spec}
output = {output}  # the package is a folder in it
dist = true  # with a pyproject.toml beside the package, so that it can be built
# package = "name"            # else named after the document's title
# side = "peer"               # generate for the other end of the document
"""

_ITEM: Final = "{{spec = {spec}, output = {output}, dist = true}},\n"

ACCEPT: Final = """
# A change that 'aoba-gen breaking' should not hold against a document, and why:
# [[tool.aoba-gen.breaking.accept]]
# rule = "field-removed"
# at = "#/components/schemas/Name"
# reason = "nobody has ever sent it"
"""

HOOKS: Final = "# Run before each commit, once 'pre-commit install' was called.\n"

_LOCAL_HOOK: Final = """\
- repo: local
  hooks:
  - id: aoba-gen
    name: generate clients from AsyncAPI documents
    entry: aoba-gen --quiet
    language: system # the aoba-gen that is installed where you commit
    pass_filenames: false
    always_run: true
"""

_HOOK: Final = """\
- repo: https://github.com/{name}
  rev: {ref}
  hooks:
  - id: aoba-gen
"""

_WORKFLOW: Final = """\
# Begun by 'aoba-gen init'; it is yours to change.
# A pull request: are the packages as generated, and what do the documents break for clients that are out there?
# A tag that begins with v: the packages are built and put into the release of that name.
name: aoba-gen

on:
  pull_request:
  push:
    tags: ["v*"]

permissions: {}

concurrency:
  group: ${{ github.workflow }}-${{ github.ref }}
  cancel-in-progress: ${{ github.event_name == 'pull_request' }}

jobs:
  contract:
    name: Packages and clients
    if: github.event_name == 'pull_request'
    runs-on: ubuntu-latest
    permissions:
      contents: read
      pull-requests: write # for the comment
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0
        with:
          fetch-depth: 0 # with the base branch, which the documents are compared with
          persist-credentials: false
      - uses: actions/setup-python@e797f83bcb11b83ae66e0230d6156d7c80228e7c # v6.0.0
        with:
          python-version: "3.13"
      - uses: OWNER/aoba-gen@REF

  release:
    name: Distributions
    if: github.ref_type == 'tag'
    runs-on: ubuntu-latest
    permissions:
      contents: write # for the release and its files
    steps:
      - uses: actions/checkout@08c6903cd8c0fde910a37f88322edcfb5dd907a8 # v5.0.0
        with:
          persist-credentials: false
      - uses: actions/setup-python@e797f83bcb11b83ae66e0230d6156d7c80228e7c # v6.0.0
        with:
          python-version: "3.13"
      - uses: OWNER/aoba-gen@REF
        id: aoba-gen
      - name: Build
        env:
          FOLDERS: ${{ steps.aoba-gen.outputs.folders }}
        run: |
          python -m pip install --quiet build
          while IFS= read -r folder; do
            python -m build --outdir dist "$folder"
          done <<<"$FOLDERS"
      - name: Release
        env:
          GH_TOKEN: ${{ github.token }}
          GH_REPO: ${{ github.repository }}
        run: |
          gh release view "$GITHUB_REF_NAME" >/dev/null || gh release create "$GITHUB_REF_NAME" --verify-tag --generate-notes
          gh release upload "$GITHUB_REF_NAME" --clobber dist/*
"""

_EXPLAINED: Final = """\
      # aoba-gen is on no package index. Put here where it is kept: the owner and the name of its repository, and a commit
      # or tag of it.
"""


def quoted(text: str) -> str:
    """A text as TOML has it."""
    return json.dumps(text, ensure_ascii=False)


def documents(outputs: Mapping[str, str], *, is_inline: bool = False) -> str:
    """The documents of the table with the folders of their packages, in TOML. With `is_inline`: as items of a list."""
    form = _ITEM if is_inline else _DOCUMENT
    return "".join(form.format(spec=quoted(one), output=quoted(outputs[one])) for one in outputs)


def hook(source: str | None) -> str:
    """The entry of `repos` for pre-commit: the published hook, else one that calls what is installed."""
    if source is None:
        return _LOCAL_HOOK
    name, _, ref = source.partition("@")
    return _HOOK.format(name=name, ref=quoted(ref))


def workflow(source: str | None) -> str:
    """The workflow for GitHub, with a comment where the user has to say where aoba-gen is kept."""
    use = f"      - uses: {PLACEHOLDER}\n"
    if source is None:
        return _WORKFLOW.replace(use, _EXPLAINED + use)
    return _WORKFLOW.replace(PLACEHOLDER, source)

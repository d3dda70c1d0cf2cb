"""Model -> {path: text}: the only import of jinja2 and black; what it returns parses."""

from __future__ import annotations

import ast
from pathlib import Path
from typing import Final

from .model import Model
from .prose import WIDTH, docstring, literal
from .schemas import models_text

ABI: Final = 1
"""The ABI of aoba-runtime that generated code is written for."""

_HERE: Final = Path(__file__).parent
TEMPLATES: Final = (
    _HERE / "templates" if (_HERE / "templates").is_dir() else _HERE.parents[1] / "templates"
)
"""In the wheel the templates lie beside the modules, in a checkout at its top."""


def render(model: Model) -> dict[str, str]:
    """The files of the package by their path in it. Output that does not parse is a bug, and raised as one."""
    from jinja2 import (
        Environment,
        FileSystemLoader,
        StrictUndefined,
    )  # like black: slow, and most runs change nothing

    environment = Environment(
        loader=FileSystemLoader(TEMPLATES),
        undefined=StrictUndefined,
        autoescape=False,  # what is written is Python: every text goes through `literal` or `docstring`
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
    environment.filters.update(docstring=docstring, literal=literal)
    texts = {
        name.removesuffix(".j2"): environment.get_template(name).render(model=model, abi=ABI)
        for name in sorted(environment.list_templates(extensions=["j2"]))
    }
    texts["models.py"] = models_text(model)
    return {path: _formatted(path, text) for path, text in sorted(texts.items())} | {"py.typed": ""}


def _formatted(path: str, text: str) -> str:
    import black
    from black.mode import Mode, TargetVersion
    from black.parsing import InvalidInput

    mode = Mode(line_length=WIDTH, target_versions={TargetVersion.PY311})
    try:
        formatted = black.format_str(text, mode=mode)
        ast.parse(formatted)
    except (InvalidInput, SyntaxError, ValueError) as error:
        raise RuntimeError(
            f"{path} as generated is no Python ({error}); this is a bug of aoba-gen: please report it with the document"
        ) from error
    return formatted

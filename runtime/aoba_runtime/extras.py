"""What the runtime needs to be there, in words: pydantic in a release that it knows, and the packages of its extras."""

from __future__ import annotations

import re
from importlib.util import find_spec
from typing import Final

_FIRST: Final = (2, 14, 3)
_AFTER: Final = (2, 15)
"""The releases of pydantic whose core schemas are known here; runtime/pyproject.toml says the same to pip."""


def require_pydantic(version: str) -> None:
    """Raise `ImportError` unless this is a release of pydantic whose inside is known: others would read messages wrongly."""
    found = tuple(map(int, re.findall(r"\d+", version)[:3]))
    if not _FIRST <= found < _AFTER:
        first, after = (".".join(map(str, each)) for each in (_FIRST, _AFTER))
        raise ImportError(
            f"aoba-runtime needs pydantic from {first} to below {after}, and {version} is installed:"
            f" pip install 'pydantic>={first},<{after}'",
            name="pydantic",
        )


def require_extra(extra: str, module: str, *packages: str) -> None:
    """Raise `ImportError`, which names the extra to install, unless the `packages` that `module` needs are there."""
    for package in packages:
        if find_spec(package) is None:
            raise ImportError(
                f"{module} needs {package}: pip install 'aoba-runtime[{extra}]'", name=package
            )

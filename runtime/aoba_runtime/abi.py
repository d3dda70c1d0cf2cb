"""Keeps generated packages and the runtime in step: one integer, checked when generated code is imported.

It is also the second number of aoba-runtime's version: a distribution made with `--dist` depends on
`aoba-runtime>=0.2.0,<0.3` for ABI 2, so a resolver finds a runtime that fits before anything is imported.
"""

from __future__ import annotations

from importlib.metadata import PackageNotFoundError, version
from typing import Final

ABI: Final = 2
"""Raised by one whenever code generated before could no longer work with this runtime, and the version with it to 0.ABI.0."""


class AbiMismatch(ImportError):
    """A generated package and the installed runtime do not fit together."""


def require_abi(package: str, wanted: int) -> None:
    """Raise `AbiMismatch` unless this runtime speaks the ABI that `package` was generated for."""
    if wanted == ABI:
        return
    try:
        installed = version("aoba-runtime")
    except PackageNotFoundError:
        installed = "of this source tree"
    fix = (
        "install an older aoba-runtime, or generate the package again with a newer aoba-gen"
        if wanted < ABI
        else "install a newer aoba-runtime: pip install --upgrade aoba-runtime"
    )
    raise AbiMismatch(
        f"{package} was generated for ABI {wanted} of aoba-runtime, but aoba-runtime {installed} speaks ABI {ABI}: {fix}"
    )

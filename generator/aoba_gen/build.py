"""Document -> Model: the passes that know both AsyncAPI and Python, in their order."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from . import names
from .build_calls import build_calls
from .build_channels import Channels
from .build_messages import Messages
from .build_operations import Operations
from .build_schemas import Schemas
from .build_servers import servers
from .diagnostics import Report, shown
from .model import Model
from .options import Side
from .resolve import Document, Place

_SIDES: Final[dict[Side, str]] = {
    "described": "as the application that the document describes",
    "peer": "as one that talks to the application that the document describes",
}


def build(
    document: Document,
    package: str | None,
    report: Report,
    side: Side | None = None,
    with_distribution: bool = False,
) -> Model:
    """The model of a valid document; raises `Refused` when something in it cannot be generated.

    `package` names the Python package, `None` leaves that to the document's title. `side` is whom it is for, `None`
    leaves that to the document's version. `with_distribution` asks for what an installable package needs.
    """
    side = side or document.default_side
    root = document.root
    info = root.get("info") or root
    title, version = info.text("title"), info.text("version")
    schemas = Schemas(document, report)
    schemas.define_components()
    scope = names.Scope("messages", report, frozenset({"ANY_CHANNEL", "AnyMessage", "MESSAGES"}))
    messages = Messages(document, report, schemas, scope)
    messages.collect()
    channels = Channels(document, report, schemas, messages, scope)
    channels.collect()
    operations = Operations(document, report, schemas, messages, channels, side)
    operations.collect()
    unions = channels.unions()
    package = package or _package(title, info, report)
    made = None
    if with_distribution:
        from .build_distribution import distribution  # most runs need none

        made = distribution(info, package, report)
    model = Model(
        package=package,
        client=names.client(title),
        title=title,
        version=version,
        side=side,
        doc=f"{title} {version}\n\n{info.text('description')}",
        client_doc=f"{title} {version}, {_SIDES[side]}.",
        servers=tuple(servers(root)),
        channels=channels.all(),
        unions=unions,
        decoder=unions[-1],
        messages=messages.all(),
        hooks=operations.hooks(),
        operations=operations.operations,
        sends=tuple(made for made in operations.operations if made.action == "send"),
        answers=tuple(
            made for made in operations.operations if made.action == "receive" and made.reply
        ),
        definitions=schemas.definitions(),
        distribution=made,
    )
    report.raise_errors()
    model = replace(model, calls=build_calls(model, messages.places, report))
    report.raise_errors()
    return model


def _package(title: str, info: Place, report: Report) -> str:
    """The package's name, made of the title; with "api" added where it would hide a module or has no letter, shortened where it is too long."""
    package = names.package(title)
    if names.is_long(package):
        settled, why = names.shortened(package), "is too long for the name of a folder"
    elif names.is_taken_module(package):
        settled = "_".join(filter(None, (package.strip("_"), "api")))
        why = "Python or its libraries use" if package.strip("_") else "has no letter in it"
    else:
        return package
    report.warn(
        "package-name",
        f"the title {shown(title)} makes the package name {shown(package)}, which {why}; it is called {settled!r}",
        info.key_location("title"),
        "choose another name with --package NAME",
    )
    return settled

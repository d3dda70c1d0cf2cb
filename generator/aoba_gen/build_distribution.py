"""What a document says of itself, as Python distributions say it: a version of PEP 440, an SPDX licence, an author."""

from __future__ import annotations

import re
import unicodedata
from typing import Final

from packaging.licenses import InvalidLicenseExpression, canonicalize_license_expression
from packaging.utils import canonicalize_name
from packaging.version import InvalidVersion, Version

from .diagnostics import Report, escaped, shown
from .model import Distribution
from .resolve import Place

_NAME: Final = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")
_LONGEST: Final = 100
_MAIL: Final = re.compile(r"[A-Za-z0-9_+-]+(\.[A-Za-z0-9_+-]+)*@[A-Za-z0-9-]+(\.[A-Za-z0-9-]+)+")
_LINK: Final = re.compile(
    r"https?://[A-Za-z0-9][A-Za-z0-9.-]*(:\d+)?(/[A-Za-z0-9_.~!$&'()*+,;=:@%/?#-]*)?"
)


def distribution(info: Place, package: str, report: Report) -> Distribution:
    """The distribution of a package; reports a version or a name that none can have."""
    name = canonicalize_name(package).strip("-")
    if not _NAME.fullmatch(name):
        report.error(
            "distribution-name",
            f"the package name {package!r} makes the name {name!r}, and a distribution is named in letters of ASCII and digits",
            info.key_location("title"),
            "choose a name with --package NAME",
        )
    said, licence = _texts(info.get("license"), "name", "url")
    author, mail, contact = _texts(info.get("contact"), "name", "email", "url")
    links = {
        "Contact": contact,
        "Licence": licence,
        "Terms of service": info.text("termsOfService"),
    }
    expression = _expression(_line(said))
    return Distribution(
        name=name,
        version=_version(info, report),
        description=info.text("description"),
        license=expression,
        license_text="" if expression else _line(said),
        author=_line(author),
        email=mail if len(mail) <= 254 and _MAIL.fullmatch(mail) else "",
        links=tuple((label, url) for label, url in links.items() if _LINK.fullmatch(url)),
    )


def _texts(place: Place | None, *names: str) -> list[str]:
    return [place.text(name) if place else "" for name in names]


def _version(info: Place, report: Report) -> str:
    """The version in the normal form of PEP 440, which reads those of semver.org that it has a name for."""
    text = info.text("version")
    try:
        if len(text) > _LONGEST:
            raise InvalidVersion
        return str(Version(text))
    except (InvalidVersion, ValueError):
        numbers = re.findall(r"[0-9]{1,9}", text[:100])[:3] or ["0", "1", "0"]
        report.error(
            "distribution-version",
            f"the version {shown(text)} is none that a Python distribution can have (PEP 440)",
            (info.get("version") or info).location,
            f"write such as '{Version('.'.join(numbers))}' or '1.0.0-rc.1', or generate without --dist",
        )
        return ""


def _expression(text: str) -> str:
    """A licence as an SPDX expression in its usual letters; "" where the text is none."""
    if len(text) > 200:
        return ""
    try:
        return canonicalize_license_expression(text)
    except (InvalidLicenseExpression, SyntaxError, ValueError):
        return ""


def _line(text: str) -> str:
    """A text as one line of what shows, as it stands in a header of the distribution's metadata."""
    return escaped(" ".join(unicodedata.normalize("NFC", text).split()))

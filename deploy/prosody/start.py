"""Starts Prosody with the configuration beside this file and our modules, in the foreground."""

from __future__ import annotations

import os
import re
from pathlib import Path

from deploy import launch

HERE = Path(__file__).resolve().parent
READY = r"announce\s+info\s+Ready"
READY_WITHIN = 30


def lua(value: object) -> str:
    """A Lua literal for a string, a path, a number, a truth, nothing, or a list of these."""
    match value:
        case None:
            return "nil"
        case bool():
            return "true" if value else "false"
        case int():
            return str(value)
        case list() | tuple():
            return "{ " + ", ".join(lua(item) for item in value) + " }"
        case _:
            # Decimal escapes are Lua's one form that cannot end the literal early.
            plain = re.compile(r"[A-Za-z0-9 _./:@-]")
            text = str(value)
            encoded = (
                c if plain.match(c) else "".join(f"\\{b:03d}" for b in c.encode()) for c in text
            )
            return '"' + "".join(encoded) + '"'


def configuration(chosen: launch.Options) -> str:
    """The template with every @NAME@ filled in."""
    tls = chosen.tls_cert is not None
    values: dict[str, object] = {
        "RUN_AS_ROOT": os.geteuid() == 0,
        "STATE": chosen.state,
        "MODULES": HERE / "modules",
        "HTTP_PORTS": [] if tls else [chosen.port],
        "HTTPS_PORTS": [chosen.port] if tls else [],
        "BIND": chosen.bind,
        "TLS_CERT": chosen.tls_cert,
        "TLS_KEY": chosen.tls_key,
        "DOMAIN": chosen.domain,
        "SECRET_FILE": chosen.secret_file,
        "ORIGINS": chosen.origins,
        "ISSUER": chosen.issuer,
        "AUDIENCE": chosen.audience,
        "RATE": f"{chosen.rate}kb/s",
        "RESUME_SECONDS": launch.RESUME_SECONDS,
    }
    template = (HERE / "prosody.cfg.lua.template").read_text()
    return re.sub(r"@([A-Z_]+)@", lambda found: lua(values[found[1]]), template)


async def main() -> None:
    """Render, start, announce, and hold until a signal."""
    launch.stop_on_signals()
    chosen = launch.options("prosody", "Run Prosody for the Aoba call signals.")
    prosody = launch.program("prosody", "prosody")
    launch.demand_free(chosen)
    launch.secret(chosen)
    config = chosen.state / "prosody.cfg.lua"
    launch.write_private(config, configuration(chosen))
    for folder in ("certs", "data"):
        (chosen.state / folder).mkdir(exist_ok=True)
    server = launch.Child(
        "prosody",
        [prosody, "-F", "--config", config],
        chosen.state / "prosody.log",
        READY,
    )
    try:
        await server.start(READY_WITHIN)
        launch.announce("Prosody", chosen)
        await launch.hold([server])
    finally:
        await server.stop()


if __name__ == "__main__":
    launch.run(main())

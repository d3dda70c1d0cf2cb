"""Starts coturn as a TURN relay (RFC 8656) with one user, in the foreground."""

from __future__ import annotations

import argparse
import ipaddress
import os
import secrets
from dataclasses import dataclass
from pathlib import Path

from deploy import launch

READY = r"SQLite DB connection success"
"""The last thing that coturn does before it serves."""

READY_WITHIN = 30
REALM = "aoba"
PRIVATE = (
    "0.0.0.0-0.255.255.255",
    "10.0.0.0-10.255.255.255",
    "100.64.0.0-100.127.255.255",
    "169.254.0.0-169.254.255.255",
    "172.16.0.0-172.31.255.255",
    "192.168.0.0-192.168.255.255",
)
"""Where a relay that faces the internet must not lead (RFC 6890): into the network that it stands in."""


@dataclass(frozen=True)
class Options:
    """What the operator chose; `state` holds all that is written."""

    bind: str
    port: int
    user: str
    password_file: Path
    relay_ports: tuple[int, int]
    external: str | None
    tls: tuple[Path, Path] | None
    tls_port: int
    state: Path

    @property
    def is_local(self) -> bool:
        """Whether it serves this machine alone, and so may relay to loopback."""
        return ipaddress.ip_address(self.bind).is_loopback


def options() -> Options:
    """Read the command line and the AOBA_ variables; create the state folder."""
    env = os.environ.get
    cache = Path(env("XDG_CACHE_HOME") or Path.home() / ".cache")
    parser = argparse.ArgumentParser(
        prog="coturn", description="Run coturn as a TURN relay for calls."
    )
    add = parser.add_argument
    add(
        "--bind",
        default=env("AOBA_BIND", "127.0.0.1"),
        help="address to listen on and relay from [AOBA_BIND]",
    )
    add(
        "--port",
        type=int,
        default=int(env("AOBA_TURN_PORT", "3478")),
        help="UDP and TCP [AOBA_TURN_PORT]",
    )
    add("--user", default=env("AOBA_TURN_USER", "aoba"), help="[AOBA_TURN_USER]")
    add(
        "--password-file",
        type=Path,
        default=None,
        help="its password; generated in the state folder where not given",
    )
    add(
        "--relay-ports",
        default="49152-65535",
        metavar="FIRST-LAST",
        help="UDP ports of the relayed voice",
    )
    add(
        "--external",
        default=None,
        metavar="IP",
        help="the public address, where this machine stands behind NAT",
    )
    launch.add_tls(parser, "turns:")
    add(
        "--tls-port",
        type=int,
        default=int(env("AOBA_TURNS_PORT", "5349")),
        help="TCP, where there is a certificate [AOBA_TURNS_PORT]",
    )
    add(
        "--state",
        type=Path,
        default=Path(env("AOBA_STATE") or cache / "aoba" / "coturn"),
        help="folder for everything that is written [AOBA_STATE]",
    )
    chosen = parser.parse_args()
    try:
        ipaddress.ip_address(chosen.bind)
        first, last = (int(part) for part in chosen.relay_ports.split("-"))
    except ValueError as error:
        parser.error(f"--bind is an address and --relay-ports are two numbers: {error}")
    tls = launch.tls_of(parser, chosen)
    state: Path = chosen.state.absolute()
    state.mkdir(parents=True, exist_ok=True, mode=0o700)
    password_file = (chosen.password_file or state / "password").absolute()
    if not password_file.exists() and password_file.parent == state:
        launch.write_private(password_file, secrets.token_urlsafe(24) + "\n")
    return Options(
        chosen.bind,
        chosen.port,
        chosen.user,
        password_file,
        (first, last),
        chosen.external,
        tls,
        chosen.tls_port,
        state,
    )


def configuration(chosen: Options) -> str:
    """turnserver.conf: long-term credentials (RFC 8489, section 9.2), voice only, and no way into private networks."""
    try:
        password = chosen.password_file.read_text().strip()
    except OSError as error:
        raise launch.StartError(f"cannot read the password: {error}") from error
    first, last = chosen.relay_ports
    lines = [
        f"listening-ip={chosen.bind}",
        f"relay-ip={chosen.bind}",
        f"listening-port={chosen.port}",
        f"min-port={first}",
        f"max-port={last}",
        "lt-cred-mech",
        f"realm={REALM}",
        f"user={chosen.user}:{password}",
        "fingerprint",
        "stale-nonce=600",
        "no-cli",
        "no-dtls",
        "no-multicast-peers",
        "no-tcp-relay",
        "user-quota=32",
        "total-quota=1200",
        "max-bps=64000",
        "simple-log",
        "log-file=stdout",
        f"pidfile={chosen.state / 'turnserver.pid'}",
        f"userdb={chosen.state / 'turndb'}",
    ]
    if chosen.tls:
        lines += [
            f"tls-listening-port={chosen.tls_port}",
            f"cert={chosen.tls[0]}",
            f"pkey={chosen.tls[1]}",
            "no-tlsv1",
            "no-tlsv1_1",
        ]
    else:
        lines.append("no-tls")
    if chosen.external:
        lines.append(f"external-ip={chosen.external}")
    lines += (
        ["allow-loopback-peers"] if chosen.is_local else [f"denied-peer-ip={it}" for it in PRIVATE]
    )
    return "\n".join(lines) + "\n"


async def main() -> None:
    """Render, start, announce, and hold until a signal."""
    launch.stop_on_signals()
    turnserver = launch.program("turnserver", "coturn")
    chosen = options()
    config = chosen.state / "turnserver.conf"
    launch.write_private(config, configuration(chosen))
    server = launch.Child("coturn", [turnserver, "-c", config], chosen.state / "coturn.log", READY)
    try:
        await server.start(READY_WITHIN)
        print(
            f"coturn is ready at turn:{chosen.bind}:{chosen.port} "
            f"(user {chosen.user}, password {chosen.password_file}, logs in {chosen.state})",
            flush=True,
        )
        await launch.hold([server])
    finally:
        await server.stop()


if __name__ == "__main__":
    launch.run(main())

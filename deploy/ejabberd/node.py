"""One ejabberd node as a child process, and the gateway as another."""

from __future__ import annotations

import json
import os
import re
import sys
from pathlib import Path

from deploy import launch

HERE = Path(__file__).resolve().parent
READY_WITHIN = 60
LISTENING = r"Start accepting TCP connections at .* for ejabberd_http"
GATEWAY_WITHIN = 15

# +Bi: no break menu at ^C. +sbwt*: idle schedulers sleep instead of spinning; a few users share this machine.
ERL_FLAGS = "-noinput +Bi +K true +sbwt none +sbwtdcpu none +sbwtdio none".split()


def erl_libs() -> str:
    """The folder of the Erlang libraries: EJABBERD_ERL_LIBS, or what the installed ejabberdctl says."""
    if libs := os.environ.get("EJABBERD_ERL_LIBS"):
        return libs
    ctl = Path(launch.program("ejabberdctl", "ejabberd"))
    found = re.search(r"^ERL_LIBS='?([^'\s]+)'?", ctl.read_text(), re.MULTILINE)
    if not found:
        raise launch.StartError(f"{ctl} names no ERL_LIBS: set EJABBERD_ERL_LIBS")
    return found[1]


def url(port: int) -> str:
    """A node's own WebSocket address."""
    return f"ws://127.0.0.1:{port}{launch.PATH}"


def node(
    chosen: launch.Options,
    key: bytes,
    name: str,
    port: int,
    *,
    ready: tuple[str, ...] = (LISTENING,),
    erl: tuple[str, ...] = (),
    **env: str,
) -> launch.Child:
    """A node with its own folder in the state folder; `erl` goes to the Erlang machine after our own flags."""
    libs = erl_libs()
    state = chosen.state / name
    state.mkdir(exist_ok=True, mode=0o700)
    launch.write_private(state / "key.jwk", launch.jwk(key))
    values: dict[str, object] = {
        "DOMAIN": chosen.domain,
        "PORT": port,
        "KEY_FILE": str(state / "key.jwk"),
        "RESUME_SECONDS": launch.RESUME_SECONDS,
    }
    template = (HERE / "ejabberd.yml.template").read_text()
    config = re.sub(r"@([A-Z_]+)@", lambda found: json.dumps(values[found[1]]), template)
    launch.write_private(state / "ejabberd.yml", config)
    folder = str(state / "mnesia").replace("\\", "\\\\").replace('"', '\\"')
    return launch.Child(
        name,
        [
            launch.program("erl", "erlang-base"),
            *ERL_FLAGS,
            *("-mnesia", "dir", f'"{folder}"'),
            *("-s", "ejabberd"),
            *erl,
        ],
        chosen.state / f"{name}.log",
        *ready,
        ERL_LIBS=libs,
        EJABBERD_CONFIG_PATH=str(state / "ejabberd.yml"),
        EJABBERD_LOG_PATH=str(state / "ejabberd.log"),
        ERL_CRASH_DUMP=str(state / "crash.dump"),
        ERL_CRASH_DUMP_BYTES="0",
        HOME=str(chosen.state),
        **env,
    )


def gateway(chosen: launch.Options, name: str, port: int, node_ports: list[int]) -> launch.Child:
    """A gateway on a port, before the nodes of these ports."""
    command: list[str | Path] = [sys.executable, "-m", "deploy.ejabberd.gateway"]
    command += ["--bind", chosen.bind, "--port", str(port), "--domain", chosen.domain]
    command += ["--secret-file", chosen.secret_file, "--rate", str(chosen.rate)]
    for node_port in node_ports:
        command += ["--node", url(node_port)]
    for origin in chosen.origins:
        command += ["--origin", origin]
    for option, value in (
        ("--issuer", chosen.issuer),
        ("--audience", chosen.audience),
        ("--tls-cert", chosen.tls_cert),
        ("--tls-key", chosen.tls_key),
    ):
        if value is not None:
            command += [option, value]
    return launch.Child(name, command, chosen.state / f"{name}.log", r"^Ready$")


def demand_packages() -> None:
    """The gateway's own packages. Raises Missing with the command that installs them."""
    try:
        import jwt  # noqa: F401 (only: is it there?)
        import websockets.asyncio.server  # noqa: F401 (only: is it there?)
    except ImportError as error:
        raise launch.Missing(
            f"{error.name} is missing in {sys.executable}: run `python3 -m pip install"
            " 'websockets>=14' PyJWT`, or name another Python in PYTHON"
        ) from error

"""The command line `aoba-call`: options in, lines and exit codes out; what the commands do lives in other modules.

Exit codes: 0 all went well, 1 the call did not, 2 a wrong call of the program, 3 no connection (or no port) was to be had.
"""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import signal
from pathlib import Path
from typing import Final

from .cli_common import EXIT_CONNECTION, Sparse, click, fail, no_traceback
from .cli_phone import dial, listen

_EXAMPLES: Final = """\
\b
Examples:
  aoba-call serve --echo
      a server for development on ws://localhost:8082/xmpp, and somebody to call there
  AOBA_TOKEN=$(aoba-call token alice) aoba-call dial echo
      a call to hear yourself, with microphone and speaker
  AOBA_TOKEN=$(aoba-call token bob) aoba-call listen --tone 440
      a phone that takes every call and says a tone
\b
\b
Exit codes:
  0  all is well
  1  a call ended badly
  2  a wrong call of the program
  3  no connection, or no port to listen on
\b
Environment:
  AOBA_TOKEN      the token of dial and listen, unless they have a --token-file
  XDG_STATE_HOME  the state folder, where serve and token keep the secret; ~/.local/state by default
\b
See also:
  aoba-call COMMAND --help  the options of a command
  docs/calls.md             how a program holds calls
"""

_SERVE: Final = """\
\b
Examples:
  aoba-call serve --echo
      on ws://localhost:8082/xmpp, with somebody to call
  aoba-call serve --port 0 --secret-file ./secret
      on a free port, with a secret of this folder
\b
Exit codes:
  0  it was stopped
  2  a wrong call, such as a secret that cannot be read
  3  no port to listen on
\b
Environment:
  XDG_STATE_HOME  the state folder; ~/.local/state by default
\b
See also:
  aoba-call token USER  print a token for it
  deploy/README.md      servers for more than development
"""
_TOKEN: Final = """\
\b
Examples:
  AOBA_TOKEN=$(aoba-call token alice) aoba-call dial echo
      call as alice
  aoba-call token alice@localhost --ttl 60
      a token for one domain and one minute
\b
Exit codes:
  0  it is printed
  2  a wrong call, such as a secret that cannot be read
\b
Environment:
  XDG_STATE_HOME  the state folder; ~/.local/state by default
\b
See also:
  aoba-call serve  run the server that takes it
"""

_secret_file = click.option(
    "--secret-file",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="F",
    help="The secret that signs tokens; made if missing. By default aoba/dev-secret in your state folder.",
)


@click.group(
    epilog=_EXAMPLES,
    context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100},
)
@click.version_option(package_name="aoba-runtime", message="%(prog)s %(version)s")
def main() -> None:
    """A softphone for the terminal, and the server to try it on."""
    logging.basicConfig(format="aoba-call: %(message)s")
    for handler in logging.getLogger().handlers:
        handler.addFilter(Sparse())


main.add_command(dial)
main.add_command(listen)


@main.command(epilog=_SERVE)
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option(
    "--port",
    default=8082,
    show_default=True,
    type=click.IntRange(0, 65_535),
    help="Port to listen on; 0 takes a free one.",
)
@_secret_file
@click.option("--echo", is_flag=True, help="Be somebody to call: echo says what it hears.")
def serve(host: str, port: int, secret_file: Path | None, echo: bool) -> None:
    """Run the development server until Ctrl-C or SIGTERM.

    Prints its URL on standard output once it listens. For development and tests only: there is no TLS, every user name
    in a valid token exists, and everybody sees everybody.
    """
    with no_traceback():
        from . import tokens

        secret = tokens.load_secret(secret_file)
        try:
            asyncio.run(_serve(host, port, secret, echo))
        except OSError as error:
            if error.errno == errno.EPIPE:
                raise
            fail(_why_no_listener(host, port, error), EXIT_CONNECTION)


@main.command(epilog=_TOKEN)
@click.argument("user")
@_secret_file
@click.option(
    "--ttl",
    type=float,
    metavar="S",
    default=86_400.0,
    show_default=True,
    help="Lifetime in seconds.",
)
def token(user: str, secret_file: Path | None, ttl: float) -> None:
    """Print a token that lets USER in at the development server.

    USER is a name (alice), or a name at one domain only (alice@localhost).
    """
    with no_traceback():
        from . import tokens

        secret = tokens.load_secret(secret_file)
        try:
            made = tokens.make_token(user, secret, ttl=ttl)
        except ValueError as error:
            raise click.UsageError(str(error)) from None
        click.echo(made)


async def _serve(host: str, port: int, secret: bytes, echo: bool) -> None:
    from . import devserver

    stop = asyncio.Event()
    loop = asyncio.get_running_loop()
    for number in (signal.SIGINT, signal.SIGTERM):
        try:
            loop.add_signal_handler(number, stop.set)
        except NotImplementedError:  # Windows: Ctrl-C cancels the main task instead
            break
    async with contextlib.AsyncExitStack() as stack:
        server = await stack.enter_async_context(devserver.serve(host, port, secret=secret))
        if echo:
            from .cli_echo import USER, echo_bot

            await stack.enter_async_context(echo_bot(server.url, server.token(USER)))
        click.echo(server.url)
        click.echo("aoba-call: for development and tests only; Ctrl-C stops the server", err=True)
        await stop.wait()


def _why_no_listener(host: str, port: int, error: OSError) -> str:
    if error.errno == errno.EADDRINUSE:
        return f"port {port} on {host} is in use; stop what listens there, or choose another --port"
    if error.errno in (errno.EACCES, errno.EPERM):
        return f"not allowed to listen on port {port}; choose a --port above 1023"
    return f"cannot listen on {host} port {port}: {error.strerror or error}"


if __name__ == "__main__":
    main(prog_name="aoba-call")

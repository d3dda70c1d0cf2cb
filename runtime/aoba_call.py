"""Where the command `aoba-call` starts: what it is made of takes a while to import, in which Ctrl-C just ends it."""

import signal

__all__ = ["main"]


def main() -> None:
    """Run `aoba-call`."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from aoba_runtime.cli import main as run
    from aoba_runtime.cli_common import no_traceback

    signal.signal(signal.SIGINT, signal.default_int_handler)
    with no_traceback():  # not all that is printed is printed by a command
        run(prog_name="aoba-call")


if __name__ == "__main__":
    main()

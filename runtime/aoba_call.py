"""Where the command `aoba-call` starts: what it is made of takes a while to import, in which Ctrl-C just ends it."""

import signal

__all__ = ["main"]


def main() -> None:
    """Run `aoba-call`."""
    signal.signal(signal.SIGINT, signal.SIG_DFL)
    from aoba_runtime.cli import main as run

    signal.signal(signal.SIGINT, signal.default_int_handler)
    run(prog_name="aoba-call")


if __name__ == "__main__":
    main()

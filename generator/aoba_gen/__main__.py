"""Where `aoba-gen` and `python -m aoba_gen` start: what it is made of takes a while to import, in which Ctrl-C just ends it."""

import signal


def main() -> None:
    """Run `aoba-gen`."""
    before = signal.getsignal(signal.SIGINT)
    if before is signal.default_int_handler:  # else who started it wants it to be ignored
        signal.signal(signal.SIGINT, signal.SIG_DFL)
    from .cli import main as run

    signal.signal(signal.SIGINT, before)
    run(prog_name="aoba-gen")


if __name__ == "__main__":
    main()

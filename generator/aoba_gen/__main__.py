"""`python -m aoba_gen` is `aoba-gen`."""

from .cli import main

main(prog_name="aoba-gen")

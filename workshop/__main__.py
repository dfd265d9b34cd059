"""``python -m workshop``: the same as the command ``workshop``."""

from workshop.cli import main

main(prog_name="workshop")

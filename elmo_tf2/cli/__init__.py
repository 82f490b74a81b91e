"""The command line, `elmo-tf2`: arguments and messages only."""

from elmo_tf2.cli.commands import app, main

__all__ = ["app", "main"]

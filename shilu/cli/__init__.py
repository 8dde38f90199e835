"""The command line. One file a group of commands; what a command needs is imported when it runs, not before."""

from shilu.cli.app import app

__all__ = ["app"]

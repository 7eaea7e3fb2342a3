"""The console script: words for Hydra go straight on, everything else to Typer."""

import os
import sys


def main(words=None):
    """Run ``lagom`` with ``words`` (by default those of the command line); return the exit code."""
    words = sys.argv[1:] if words is None else list(words)
    try:
        code = _dispatch(words)
        sys.stdout.flush()
    except BrokenPipeError:  # whoever read our output has gone, for instance ``| head``
        os.dup2(os.open(os.devnull, os.O_WRONLY), 1)
        return 0
    return code


def _dispatch(words):
    if words and words[0] in ("train", "es"):
        from lagom.cli.training import run

        return run(words[0], words[1:])
    from lagom.cli.app import app

    try:
        app(args=words, prog_name="lagom", standalone_mode=True)
    except SystemExit as stop:  # Typer's way to return
        return stop.code if isinstance(stop.code, int) else int(stop.code is not None)
    return 0

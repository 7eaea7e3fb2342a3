"""``lagom report``: one page about all runs below some folders."""

import os
from pathlib import Path

from lagom.cli.plot import check_path, complain, echo
from lagom.cli.plot import report as tell
from lagom.experiment.storage import is_storage_full, write_bytes
from lagom.vis.report import make_report

_SUFFIXES = (".html", ".htm")


def report(paths, output=None):
    """Write a page with the curves, tables, configurations and failures of all runs.

    Args:
        paths (list of Path): outputs roots, experiments, configurations or seeds, in any mix.
        output (Path): HTML file; by default ``report.html`` in the first of ``paths``.

    Returns:
        int: exit code: 0 written, 2 wrong words, 4 cannot write, 5 no runs, 6 storage full.
    """
    paths = [Path(path) for path in paths]
    first = paths[0] if os.path.isdir(paths[0]) else Path()
    output = first / "report.html" if output is None else Path(output)
    try:
        for path in paths:
            check_path(path)
        if output.suffix.lower() not in _SUFFIXES:
            expected = "expected a name in " + ", ".join(_SUFFIXES)
            raise ValueError(f"-o: {str(output)!r} is no page; {expected}")
    except ValueError as error:
        return complain(f"error: {error}", 2)
    page, summary, messages = make_report(paths)
    tell(messages)
    if page is None:
        return complain(f"error: nothing to report: no runs in {', '.join(map(str, paths))}", 5)
    try:
        write_bytes(output, page)
    except OSError as error:
        code = 6 if is_storage_full(error) else 4
        remedy = "choose another file with -o"
        return complain(f"error: cannot write {output} ({error.strerror}); {remedy}", code)
    echo(summary)
    echo(f"wrote {output} ({len(page) / 1e6:.1f} MB)")
    return 0

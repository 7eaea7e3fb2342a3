"""A user's own modules."""

import importlib
import sys
from pathlib import Path


def import_from_here(module):
    """Import ``module`` from the path or, failing that, from the working directory.

    Raises:
        ImportError: it is in neither.
    """
    here = str(Path.cwd())
    if here not in sys.path:
        sys.path.append(here)  # last, so that nothing installed is shadowed
    return importlib.import_module(module)

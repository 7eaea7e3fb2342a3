"""Finds lagom.algorithms and lagom.conf in a checkout.

A checkout keeps algorithms/ and conf/ beside lagom/; an installed wheel carries them inside it.
"""

import sys
from importlib.util import spec_from_file_location
from pathlib import Path

_HERE = Path(__file__).resolve().parent
_BESIDE = {f"lagom.{name}": _HERE.parent / name for name in ("algorithms", "conf")}


class _Beside:
    @staticmethod
    def find_spec(fullname, path=None, target=None):
        folder = _BESIDE.get(fullname)
        if folder is None or not (folder / "__init__.py").is_file():
            return None
        return spec_from_file_location(
            fullname, folder / "__init__.py", submodule_search_locations=[str(folder)]
        )


def install():
    """Put the finder at the end of the import path, where this is a checkout."""
    if not (_HERE / "algorithms").is_dir() and _Beside not in sys.meta_path:
        sys.meta_path.append(_Beside)

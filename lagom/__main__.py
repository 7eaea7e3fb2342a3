"""``python -m lagom`` is the program ``lagom``."""

import sys

from lagom.cli.main import main

if __name__ == "__main__":
    sys.exit(main())

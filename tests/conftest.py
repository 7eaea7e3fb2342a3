"""What all tests rely on."""

import random
import signal
import sys

import numpy as np
import pytest

# Ignored where the tests run in the background of a shell, and so in whatever they start.
signal.signal(signal.SIGINT, signal.default_int_handler)


@pytest.fixture(autouse=True)
def _seed():
    """Each test begins with the same global random streams, whatever ran before it."""
    random.seed(0)
    np.random.seed(0)
    if "torch" in sys.modules:  # which most tests of the command line do without
        sys.modules["torch"].manual_seed(0)

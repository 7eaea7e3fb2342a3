"""What all tests rely on."""

import signal

# Ignored where the tests run in the background of a shell, and so in whatever they start.
signal.signal(signal.SIGINT, signal.default_int_handler)

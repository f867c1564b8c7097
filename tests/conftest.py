"""Fixtures that every room of the tests may take."""

import signal

pytest_plugins = ["tests.apiserver.fixtures"]

# A shell starts its background jobs with SIGINT ignored, and programs under test inherit that.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)

"""Fixtures that every room of the tests may take."""

pytest_plugins = ["tests.apiserver.fixtures"]

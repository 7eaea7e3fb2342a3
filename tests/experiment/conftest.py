import os

import pytest


@pytest.fixture(autouse=True)
def no_waiting_for_the_disk(monkeypatch):
    """Only a power cut could tell whether it was waited for."""
    monkeypatch.setattr(os, "fsync", lambda file: None)

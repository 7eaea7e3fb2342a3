import threading

import pytest

from lagom.experiment import preload


def test_the_server_leaves_during_its_imports_when_its_parent_is_gone(monkeypatch):
    assert not preload._follower.is_alive()  # a fork copies no threads
    preload._follow()  # the imports are done
    monkeypatch.setattr(preload, "_done", threading.Event())
    monkeypatch.setattr(preload, "_parent", -1)
    monkeypatch.setattr(preload.os, "_exit", exit)
    with pytest.raises(SystemExit):
        preload._follow()

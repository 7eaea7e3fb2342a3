import sys

import pytest

from lagom.utils import import_from_here


def test_modules_of_the_working_directory_come_last(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])
    (tmp_path / "only_here.py").write_text("X = 3")
    (tmp_path / "calendar.py").write_text("X = 4")
    monkeypatch.delitem(sys.modules, "calendar", raising=False)

    assert import_from_here("only_here").X == 3
    assert not hasattr(import_from_here("calendar"), "X")
    assert sys.path.count(str(tmp_path)) == 1
    del sys.modules["only_here"]


def test_what_is_nowhere(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, "path", [*sys.path])

    with pytest.raises(ImportError, match="nowhere_at_all"):
        import_from_here("nowhere_at_all")

import errno
import os

import pytest

from lagom.cli import report as module
from lagom.cli.main import main
from lagom.experiment.journal import Journal
from lagom.experiment.storage import write_json, write_yaml


def write_run(folder, status="done"):
    """A run ``<ID>/<seed>`` with one evaluation."""
    folder.mkdir(parents=True)
    write_yaml(folder.parent / "config.yml", {"ID": 0, "algo.name": "ppo", "env.id": "A-v0"})
    write_json(folder / "status.json", {"status": status})
    journal = Journal(folder / "eval.journal")
    journal.append({"timestep": 10, "return": 1.0})
    journal.close()
    return folder


@pytest.fixture
def lagom(tmp_path, monkeypatch, capsys):
    """Run the program in ``tmp_path``: exit code, stdout, stderr."""
    monkeypatch.chdir(tmp_path)

    def run(*words):
        code = main([*map(str, words)])
        return code, *capsys.readouterr()

    return run


def test_the_page_lies_in_the_first_folder(lagom, tmp_path):
    write_run(tmp_path / "outputs/x/0/1")
    write_run(tmp_path / "other/x/0/1", "failed")

    code, out, err = lagom("report", "outputs", "other")

    assert (code, err) == (0, "")
    assert out.splitlines() == [
        "2 configurations, 2 runs: 1 failed, 1 done",
        "wrote outputs/report.html (0.0 MB)",
    ]
    page = (tmp_path / "outputs/report.html").read_bytes()
    assert page.startswith(b"<!DOCTYPE html>")
    assert lagom("report", "outputs", "other", "-o", "a.HTM")[0] == 0
    assert (tmp_path / "a.HTM").read_bytes() == page  # the first page is not among the runs


def test_what_cannot_be_read_is_said_and_the_rest_reported(lagom, tmp_path):
    write_run(tmp_path / "x/0/1")
    broken = write_run(tmp_path / "x/0/2")
    (broken / "eval.journal").write_text("nothing\n")

    code, out, err = lagom("report", "x", "-o", "r.html")

    assert code == 0
    assert out.startswith("1 configuration, 2 runs: 1 done, 1 unreadable\n")
    assert err.splitlines() == [
        "1 problems in what was read:",
        "  x/0/2/eval.journal: 1 damaged lines left out",
    ]


def test_no_runs_are_nothing_to_report(lagom, tmp_path):
    (tmp_path / "x").mkdir()

    code, out, err = lagom("report", "x")

    assert (code, out, err) == (5, "", "error: nothing to report: no runs in x\n")
    assert not (tmp_path / "x/report.html").exists()


def test_wrong_words(lagom, tmp_path):
    write_run(tmp_path / "outputs/x/0/1")

    for words, wanted in (
        (["outputz"], "PATH: no such folder 'outputz'; did you mean 'outputs'?"),
        (["outputs", "-o", "r.pdf"], "-o: 'r.pdf' is no page; expected a name in .html, .htm"),
    ):
        assert lagom("report", *words) == (2, "", f"error: {wanted}\n")


def test_a_page_that_cannot_be_written(lagom, tmp_path, monkeypatch):
    write_run(tmp_path / "x/0/1")
    (tmp_path / "full.html").mkdir()

    code, out, err = lagom("report", "x", "-o", "gone/r.html")
    remedy = "choose another file with -o"
    wanted = f"error: cannot write gone/r.html (No such file or directory); {remedy}\n"
    assert (code, out, err) == (4, "", wanted)
    assert lagom("report", "x", "-o", "full.html")[0] == 4

    def fail(path, data):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(path))

    monkeypatch.setattr(module, "write_bytes", fail)
    assert lagom("report", "x", "-o", "r.html")[0] == 6
    assert [path.name for path in tmp_path.glob("*.html")] == ["full.html"]

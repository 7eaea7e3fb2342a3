import base64
import json
import os

import pytest
from reports import read, write_run

from lagom.experiment.storage import write_json
from lagom.vis import report_files
from lagom.vis.report import make_report


def test_failures_show_the_end_of_their_output(tmp_path):
    folder = write_run(tmp_path / "x/0/1", status="failed", error="ValueError: one\n  \x1b[31mtwo")
    write_run(tmp_path / "x/0/2")
    lines = [f"line {i}" for i in range(100)]
    (folder / "job.log").write_bytes("\n".join(lines).encode() + b"\n\tlast \xff\x07")

    (failure,) = read(tmp_path)[0]["failures"]

    assert (failure["name"], failure["status"], failure["label"]) == ("x/0/1", "failed", "ppo")
    assert failure["error"] == "ValueError: one\n   [31mtwo"
    assert failure["log"] == [*lines[-24:], " last \ufffd "]


def test_few_ends_of_output_are_enough(tmp_path, monkeypatch):
    monkeypatch.setattr(report_files, "_MAX_TAIL", 1)
    for seed in (1, 2):
        folder = write_run(tmp_path / "x/0" / str(seed), status="failed", error=7)
        (folder / "job.log").write_text("why")

    failures = read(tmp_path)[0]["failures"]

    assert [(row["error"], row["log"]) for row in failures] == [(None, ["why"]), (None, [])]


def test_a_damaged_log_is_a_failure_and_a_message(tmp_path):
    folder = write_run(tmp_path / "x/0/1")
    (folder / "eval.journal").write_text("00000000 0 {}\n")

    data, messages = read(tmp_path)

    assert messages == data["messages"] == [f"{folder}/eval.journal: 1 damaged lines left out"]
    assert data["failures"][0]["status"] == "unreadable"


SECRET = "my password"


@pytest.mark.parametrize("name", ["job.log", "fingerprint.json", "film.mp4", "../config.yml"])
def test_links_do_not_bring_other_files_into_the_page(tmp_path, name):
    (tmp_path / "secret").write_text(json.dumps({"token": SECRET}))
    folder = write_run(tmp_path / "x/0/1", status="failed")
    link = folder / name
    link.unlink(missing_ok=True)
    link.symlink_to(tmp_path / "secret")

    page, _, messages = make_report([tmp_path])

    path = link.parent.resolve() / link.name
    assert messages == [f"{path}: a link; expected a file, since the page shows what it holds"]
    assert SECRET.encode() not in page
    assert base64.b64encode((tmp_path / "secret").read_bytes()) not in page


def test_linked_folders_of_films_are_passed_over(tmp_path):
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/film.mp4").write_bytes(b"film")
    folder = write_run(tmp_path / "x/0/1")
    (folder / "videos").symlink_to(tmp_path / "mine")

    assert read(tmp_path / "x")[0]["videos"] == []


@pytest.mark.parametrize("name", ["job.log", "fingerprint.json", "film.mp4"])
def test_pipes_and_folders_are_not_waited_for(tmp_path, name):
    first = write_run(tmp_path / "x/0/1", status="failed")
    second = write_run(tmp_path / "x/0/2", status="failed")
    os.mkfifo(first / name)
    (second / name).mkdir()

    messages = read(tmp_path)[1]

    assert messages == [
        f"{first / name}: not a file; expected one",
        f"{second / name}: Is a directory",
    ]


def test_films_are_included_while_there_is_room(tmp_path, monkeypatch):
    monkeypatch.setattr(report_files, "_MAX_VIDEO", 6)
    monkeypatch.setattr(report_files, "_MAX_VIDEOS", 8)
    folder = write_run(tmp_path / "x/0/1")
    (folder / "videos").mkdir()
    for name, size in (
        ("a.mp4", 6),
        ("b.webm", 7),
        ("videos/c.GIF", 3),
        ("d.webp", 2),
        ("e.txt", 1),
    ):
        (folder / name).write_bytes(b"x" * size)

    films = read(tmp_path)[0]["videos"]

    assert films == [
        {"name": "x/0/1/a.mp4", "type": "video/mp4", "bytes": 6, "data": "eHh4eHh4"},
        {"name": "x/0/1/b.webm", "type": "video/webm", "bytes": 7, "data": None},
        {"name": "x/0/1/d.webp", "type": "image/webp", "bytes": 2, "data": "eHg="},
        {"name": "x/0/1/videos/c.GIF", "type": "image/gif", "bytes": 3, "data": None},
    ]


def test_provenance_shows_where_runs_differ(tmp_path):
    for seed, commit in ((1, "abc"), (2, "def"), (3, "def")):
        folder = write_run(tmp_path / "x/0" / str(seed))
        made = {"versions": {"torch": "2.1", "mujoco": None}, "git": {"commit": commit}, "more": {}}
        write_json(folder / "fingerprint.json", made)
    write_run(tmp_path / "x/0/4")

    provenance = read(tmp_path)[0]["provenance"]

    assert provenance == {
        "sources": [
            {"num": 2, "runs": "x/0/2, x/0/3"},
            {"num": 1, "runs": "x/0/1"},
        ],
        "num": 2,
        "missing": 1,
        "keys": [
            ["git.commit", ["def", "abc"]],
            ["versions.torch", ["2.1"]],
            ["versions.mujoco", ["none"]],
            ["more", ["{}"]],
        ],
    }


@pytest.mark.parametrize("text", ["{", "[" * 100_000, '{"a":' * 900 + "1" + "}" * 900, "\xff"])
def test_a_damaged_fingerprint_is_a_message(tmp_path, text):
    folder = write_run(tmp_path / "x/0/1")
    (folder / "fingerprint.json").write_text(text, encoding="latin-1")

    data, messages = read(tmp_path)

    if messages:
        assert messages[0].startswith(f"{folder}/fingerprint.json: not readable as JSON (")
    assert data["provenance"]["missing"] == len(messages)


def test_a_long_fingerprint_is_cut(tmp_path):
    folder = write_run(tmp_path / "x/0/1")
    write_json(folder / "fingerprint.json", {str(i): i for i in range(1000)})

    assert len(read(tmp_path)[0]["provenance"]["keys"]) == 200

"""``kill -9`` at random moments; benchmarks/kills.py does the same at length."""

import importlib.util
import random
from pathlib import Path

import pytest

pytestmark = pytest.mark.skipif(not Path("/proc/self/environ").exists(), reason="needs /proc")


@pytest.fixture(scope="module")
def kills():
    path = Path(__file__).parents[2] / "benchmarks/kills.py"
    spec = importlib.util.spec_from_file_location("kills", path)
    spec.loader.exec_module(module := importlib.util.module_from_spec(spec))
    return module


@pytest.mark.slow
def test_killed_sweep_equals_undisturbed(tmp_path, kills):
    words = ["algo=ppo,cmaes,dqn", "train.timestep=4096", *kills.SMALL]

    num_file, different, left, whole, killed = kills.compare(
        words, kills=3, pause=0.5, rng=random.Random(1), root=tmp_path
    )

    assert different == []
    assert left == []
    assert num_file > 30
    assert (whole.killed.total(), whole.starts, whole.orphans) == (0, 1, 0)
    assert killed.killed.total() > 0
    assert killed.orphans == 0


@pytest.mark.slow
def test_killed_environments_make_no_difference(tmp_path, kills, monkeypatch):
    monkeypatch.setitem(kills.WEIGHTS, "environment worker", 50)
    words = [*kills.SINGLE["async"], *kills.SMALL]

    _, different, left, whole, killed = kills.compare(
        words, kills=4, pause=3.0, rng=random.Random(1), root=tmp_path
    )

    assert (different, left) == ([], [])
    assert killed.killed["environment worker"] > 0
    assert (whole.orphans, killed.orphans) == (0, 0)


def test_what_differs_or_is_left_is_found(tmp_path, kills):
    for name in ("a", "b"):
        (tmp_path / name / "0").mkdir(parents=True)
        (tmp_path / name / "0/train.journal").write_text(name)
        (tmp_path / name / "0/config.yml").write_text("same")
        (tmp_path / name / "0/job.log").write_text(name)
        (tmp_path / name / "0/.lock").write_text(name)
    (tmp_path / "a/1").mkdir()
    (tmp_path / "b/0/.x.1.tmp").touch()
    a, b = (kills.results(tmp_path / name) for name in ("a", "b"))
    assert kills.differences(a, b) == ["0/.x.1.tmp", "0/train.journal", "1"]
    assert kills.differences(a, a) == []
    assert kills.temporary_files(tmp_path) == [tmp_path / "b/0/.x.1.tmp"]


def test_a_program_that_fails_by_itself_is_an_error(tmp_path, kills):
    with pytest.raises(RuntimeError, match=r"exit code 2(?s:.*)algo=nothing is not one of"):
        kills.disturb(tmp_path, ["algo=nothing"], kills=0, pause=1.0, rng=random.Random(0))

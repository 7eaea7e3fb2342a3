import os
import subprocess
import sys

import pytest

from lagom.experiment.journal import Journal
from lagom.experiment.storage import write_json, write_pickle, write_yaml
from lagom.vis import find_runs, read_runs
from lagom.vis.runs import read_logged, split_key

CONFIG = {"ID": 0, "algo.name": "ppo", "env.id": "CartPole-v1", "agent.lr": 0.1}


def write_log(path, rows):
    journal = Journal(path)
    for row in rows:
        journal.append(row)
    journal.close()


def write_run(folder, rows=((10, 1.0), (20, 2.0)), train=(), status="done", config=CONFIG):
    """A run in ``<ID>/<seed>`` with evaluation and training rows of (timestep, return)."""
    folder.mkdir(parents=True)
    write_yaml(folder.parent / "config.yml", config)
    write_json(folder / "status.json", {"status": status, "timestep": 0})
    for log, points in (("eval", rows), ("train", train)):
        if points:
            write_log(folder / f"{log}.journal", [{"timestep": x, "return": y} for x, y in points])
    return folder


def test_importing_vis_loads_nothing_heavy():
    heavy = "{'numpy', 'matplotlib', 'pandas', 'scipy', 'torch'}"
    code = f"import sys, lagom.vis; print({heavy} & set(sys.modules))"

    out = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)

    assert out.stdout.strip() == "set()"


def test_unknown_names_of_vis_are_refused():
    import lagom.vis

    with pytest.raises(AttributeError, match="'lagom.vis' has no attribute 'Grid'"):
        _ = lagom.vis.Grid


def test_any_level_of_the_tree_may_be_given(tmp_path):
    root = tmp_path / "outputs"
    a, b = write_run(root / "ppo" / "0" / "3"), write_run(root / "ppo" / "0" / "12")
    c, d = write_run(root / "ppo" / "10" / "1"), write_run(root / "es" / "2" / "1")

    assert find_runs([root]) == ([d, a, b, c], [])
    assert find_runs([root / "ppo"])[0] == [a, b, c]
    assert find_runs([root / "ppo" / "0"])[0] == [a, b]
    assert find_runs([b])[0] == [b]
    assert find_runs([b, root / "ppo", b, root])[0] == [d, a, b, c]


def test_relative_paths(tmp_path, monkeypatch):
    folder = write_run(tmp_path / "x" / "0" / "7")

    for where, path in ((folder, "."), (folder.parent, "7"), (folder.parent, "."), (folder, "..")):
        monkeypatch.chdir(where)
        (run,), messages = read_runs([path])
        assert (run.name, run.ID, run.seed, run.status) == ("x", 0, 7, "done")
        assert not messages


def test_an_experiment_whose_name_is_a_number(tmp_path):
    folder = write_run(tmp_path / "2024" / "7" / "0" / "1")

    assert find_runs([tmp_path])[0] == [folder]


def test_what_is_no_run_is_passed_over(tmp_path):
    folder = write_run(tmp_path / "x" / "0" / "1")
    write_run(tmp_path / "x" / "old-1-0" / "1")
    write_run(tmp_path / "old-1-x" / "0" / "1")
    write_run(tmp_path / ".hidden" / "0" / "1")
    (folder / "checkpoints" / "100" / "5").mkdir(parents=True)
    (folder.parent / "notes").mkdir()
    (folder.parent / "²").mkdir()
    (folder.parent / "2").write_text("a file")

    assert find_runs([tmp_path]) == ([folder], [])


def test_links_are_followed_once(tmp_path):
    folder = write_run(tmp_path / "x" / "0" / "1")
    (tmp_path / "x" / "loop").symlink_to(tmp_path)
    (tmp_path / "x" / "self").symlink_to(tmp_path / "x" / "self")
    (tmp_path / "x" / "dangling").symlink_to(tmp_path / "nowhere")
    link = tmp_path / "link"
    link.symlink_to(tmp_path / "x")

    assert find_runs([tmp_path / "x"]) == ([folder], [])
    assert find_runs([link])[0] == [link / "0" / "1"]


def test_a_path_that_is_no_folder_is_a_message(tmp_path):
    file = tmp_path / "file"
    file.write_text("")

    assert find_runs([file, tmp_path / "gone"]) == (
        [],
        [f"{tmp_path / 'gone'}: No such file or directory", f"{file}: Not a directory"],
    )


def test_the_training_log_is_read_only_if_needed(tmp_path):
    write_run(tmp_path / "x" / "0" / "1", train=[(1, 0.5)])
    write_run(tmp_path / "x" / "0" / "2", rows=(), train=[(1, 0.5)])

    (first, second), _ = read_runs([tmp_path])
    (asked, _), _ = read_runs([tmp_path], y="train.return")

    assert first.logs == {"eval": {"timestep": [10, 20], "return": [1.0, 2.0]}}
    assert second.logs == {"eval": {}, "train": {"timestep": [1], "return": [0.5]}}
    assert asked.logs == {"train": {"timestep": [1], "return": [0.5]}}


def test_key_of_one_log():
    assert split_key("return") == (("eval", "train"), "return")
    assert split_key("train.return") == (("train",), "return")
    assert split_key("eval.return") == (("eval",), "return")
    assert split_key("loss.policy") == (("eval", "train"), "loss.policy")


def replace(name, content):
    def damage(folder):
        path = folder / name
        path.unlink(missing_ok=True)
        path.write_bytes(content)

    return damage


def only_pickle(content):
    def damage(folder):
        (folder / "eval.journal").unlink()
        (folder / "eval_logs.pkl").write_bytes(content)

    return damage


def instead(name, make):
    def damage(folder):
        (folder / name).unlink()
        make(folder / name)

    return damage


CONFIG_FILE = "../config.yml"
NESTED = b"a0: &a0 [x]\n" + b"".join(  # 9 ** 29 values once written out
    b"a%d: &a%d [%s]\n" % (i, i, b", ".join([b"*a%d" % (i - 1)] * 9)) for i in range(1, 30)
)
DAMAGES = {
    "journal is a web page": replace("eval.journal", b"<html>\n<body>\n</html>\n"),
    "journal is zeros": replace("eval.journal", b"\0\n" * 100),
    "journal is a FIFO": instead("eval.journal", os.mkfifo),
    "journal is a folder": instead("eval.journal", os.mkdir),
    "pickle asks for code": only_pickle(b"cposix\nsystem\n(S'true'\ntR."),
    "pickle is cut": only_pickle(b"\x80\x05\x95\xff"),
    "pickle is no log": only_pickle(b"\x80\x05]."),
    "status is no JSON": replace("status.json", b"{"),
    "status is unknown": replace("status.json", b'{"status": "fine"}'),
    "status is a list": replace("status.json", b"[]"),
    "config is gone": instead(CONFIG_FILE, lambda path: None),
    "config is a FIFO": instead(CONFIG_FILE, os.mkfifo),
    "config is a folder": instead(CONFIG_FILE, os.mkdir),
    "config is a list": replace(CONFIG_FILE, b"[1, 2]"),
    "config has other keys": replace(CONFIG_FILE, b"1: 2"),
    "config is no YAML": replace(CONFIG_FILE, b"a: [\n\t"),
    "config asks for code": replace(CONFIG_FILE, b"a: !!python/object/apply:os.getcwd []"),
    "config is huge": replace(CONFIG_FILE, b"a: " + b"x" * 1_000_000),
    "config is long": replace(CONFIG_FILE, b"a: " + b"x" * 200_000),
    "config unfolds": replace(CONFIG_FILE, NESTED),
    "config holds itself": replace(CONFIG_FILE, b"a: &a [*a]"),
}
REASONS = {
    "journal is a web page": "damaged lines left out",
    "journal is a FIFO": "not a file; expected a journal",
    "status is unknown": "status is 'fine'; expected one of",
    "status is a list": "status is None; expected one of",
    "config is gone": "No such file",
    "config is a FIFO": "not a file; expected a configuration",
    "config is a list": "not a configuration; expected a mapping",
    "config has other keys": "not a configuration; expected a mapping",
    "config is huge": "larger than 1000000 bytes",
    "config unfolds": "too many values; expected a flat configuration",
}


@pytest.mark.parametrize("name", DAMAGES)
def test_one_bad_file_is_a_message(tmp_path, name):
    good, bad = write_run(tmp_path / "x" / "0" / "1"), write_run(tmp_path / "x" / "1" / "1")
    DAMAGES[name](bad)

    runs, messages = read_runs([tmp_path])

    assert runs[0].path == good
    assert runs[0].logs["eval"]["return"] == [1.0, 2.0]
    assert len(messages) == 1
    assert str(bad.parent) in messages[0]
    assert REASONS.get(name, "") in messages[0]
    if "config" in name:
        assert len(runs) == 1
    elif "status" in name:
        assert (runs[1].status, len(runs[1].logs["eval"]["return"])) == ("unknown", 2)
    else:
        assert (runs[1].status, runs[1].logs["eval"]) == ("unreadable", {})


def test_a_live_run_loses_nothing_but_the_line_being_written(tmp_path):
    folder = write_run(tmp_path / "x" / "0" / "1", status="running")
    with open(folder / "eval.journal", "ab") as file:
        file.write(b'00000000 2 {"timest')
    content = (folder / "eval.journal").read_bytes()

    (run,), messages = read_runs([tmp_path])

    assert (run.logs["eval"]["timestep"], messages) == ([10, 20], [])
    assert (folder / "eval.journal").read_bytes() == content


def test_damaged_lines_are_told_and_the_rest_is_kept(tmp_path):
    folder = write_run(tmp_path / "x" / "0" / "1", rows=[(10, 1.0), (20, 2.0), (30, 3.0)])
    content = (folder / "eval.journal").read_bytes()
    (folder / "eval.journal").write_bytes(content.replace(b"20", b"21"))

    (run,), messages = read_runs([tmp_path])

    assert (run.status, run.logs["eval"]["timestep"]) == ("done", [10, 30])
    assert messages == [f"{folder / 'eval.journal'}: 1 damaged lines left out"]


def test_pickles_alone_will_do(tmp_path):
    folder = write_run(tmp_path / "x" / "0" / "1", rows=())
    write_pickle(folder / "eval_logs.pkl", {"timestep": [5], "return": [7.0]})

    assert read_runs([tmp_path])[0][0].logs["eval"] == {"timestep": [5], "return": [7.0]}


def test_names_without_a_configuration_of_them(tmp_path):
    write_run(tmp_path / "x" / "0" / "1", config={"ID": 0})

    run = read_runs([tmp_path])[0][0]

    assert (run.environment, run.algo) == ("x", "x")


def test_the_wanted_columns_alone_are_arrays(tmp_path):
    folder = write_run(tmp_path / "x" / "0" / "1", rows=())
    write_log(folder / "eval.journal", [{"timestep": 1, "return": 2.0, "length": 3}])

    (run,), messages = read_runs([tmp_path], whole=False)

    assert {key: column.tolist() for key, column in run.logs["eval"].items()} == {
        "timestep": [1.0],
        "return": [2.0],
    }
    assert messages == []


def test_columns_that_are_not_there_leave_all_others(tmp_path):
    """They are what an error message can offer."""
    write_run(tmp_path / "x" / "0" / "1", train=[(1, 0.5)])

    (run,), _ = read_runs([tmp_path], y="retrun", whole=False)

    assert run.logs["eval"] == {"timestep": [10, 20], "return": [1.0, 2.0]}
    assert run.logs["train"] == {"timestep": [1], "return": [0.5]}


@pytest.mark.parametrize("whole", [True, False])
@pytest.mark.parametrize(
    ("x", "expected"), [("seconds", [3.5, 10.0]), ("episode", [4, 9]), ("iteration", [1, 3])]
)
def test_clocks_of_evaluations_come_from_the_other_logs(tmp_path, x, expected, whole):
    folder = write_run(tmp_path / "x" / "0" / "1", rows=[(10, 1.0), (30, 2.0)])
    steps = [10, 20, 30]
    train = zip(steps, (1, 2, 3), (4, 6, 9), strict=True)
    write_log(
        folder / "train.journal",
        [{"timestep": t, "iteration": n, "episode": e, "return": 0.0} for t, n, e in train],
    )
    seconds = zip(steps, (1, 2, 3), (2, 0.5, 0.5), (0.5, 0, 0.5), strict=True)
    names = ("timestep", "collect_seconds", "learn_seconds", "eval_seconds")
    rows = [dict(zip(names, row, strict=True), steps_per_second=1e3) for row in seconds]
    write_log(folder / "timing.journal", rows)

    (run,), messages = read_runs([tmp_path], x, whole=whole)
    (asked,), _ = read_runs([tmp_path], x, "train.return", whole=whole)

    assert list(run.logs["eval"][x]) == expected
    assert messages == []
    assert (list(asked.logs["train"][x])[::2], len(asked.logs["train"][x])) == (expected, 3)


def test_without_a_timing_log_there_is_no_wall_time(tmp_path):
    write_run(tmp_path / "x" / "0" / "1")

    (run,), messages = read_runs([tmp_path], "seconds")

    assert all(value != value for value in run.logs["eval"]["seconds"])
    assert messages == []


def test_a_damaged_timing_log_is_told(tmp_path):
    folder = write_run(tmp_path / "x" / "0" / "1")
    (folder / "timing.journal").write_bytes(b"<html>\n")

    (run,), (message,) = read_runs([tmp_path], "seconds", whole=False)

    assert (run.status, message) == (
        "done",
        f"{folder / 'timing.journal'}: 1 damaged lines left out",
    )


def test_logs_can_be_read_whole(tmp_path):
    folder = write_run(tmp_path / "x" / "0" / "1", train=[(1, 0.5)])
    write_run(tmp_path / "x" / "0" / "2", rows=())
    (folder / "train.journal").write_bytes(b"<html>\n")

    (first, second), messages = read_logged([tmp_path])

    assert first.status == "unreadable"
    assert first.logs == {"eval": {"timestep": [10, 20], "return": [1.0, 2.0]}, "train": {}}
    assert second.logs == {"eval": {}, "train": {}}
    assert len(messages) == 1

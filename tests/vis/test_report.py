import base64
import hashlib
import re
import shutil
from pathlib import Path

import pytest
from reports import CONFIG, ESCAPE, EVIL, Page, make_run, read, write_log, write_run

from lagom.experiment.storage import write_json
from lagom.vis import report
from lagom.vis.report import make_report, report_data
from lagom.vis.runs import Run


def test_the_page_needs_nothing_else(tmp_path):
    write_run(tmp_path / "x/0/1")
    page = make_report([tmp_path])[0].decode()

    assert re.findall(r"[a-z]+://[^\"' ]*", page) == ["http://www.w3.org/2000/svg"]
    assert not re.search(r"@import|url\((?!#)", page)
    tags = [tag for tag, _, _ in Page(page.encode()).elements]
    assert set(tags) == {
        "html", "head", "meta", "title", "style", "body", "main", "noscript", "script"
    }  # fmt: skip


def test_the_policy_lets_nothing_run_but_the_script_of_the_page(tmp_path):
    write_run(tmp_path / "x/0/1")
    elements = Page(make_report([tmp_path])[0]).elements
    hashes = {
        tag: base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        for tag, attributes, text in elements
        if tag in ("style", "script") and "type" not in attributes
    }
    (policy,) = (a["content"] for tag, a, _ in elements if tag == "meta" and "http-equiv" in a)

    assert policy.split("; ") == [
        "default-src 'none'",
        f"script-src 'sha256-{hashes['script']}'",
        f"style-src 'sha256-{hashes['style']}'",
        "img-src data:",
        "media-src data:",
        "base-uri 'none'",
        "form-action 'none'",
    ]


def test_the_script_makes_no_markup_of_text(tmp_path):
    script = (Path(report.__file__).with_suffix("") / "report.js").read_text()

    assert not re.search(r"innerHTML|outerHTML|insertAdjacent|document\.write|\beval\b", script)
    assert not re.search(r"new Function|DOMParser|createContextualFragment|srcdoc", script)
    assert "</" not in script.replace("</p>", "")  # nothing ends the element early


def test_the_same_files_give_the_same_bytes_wherever_they_are(tmp_path):
    write_run(tmp_path / "a/x/0/1", started=1.7e9, updated=1.7e9 + 60)
    write_run(tmp_path / "a/x/0/2", (3.0, 4.0))
    shutil.copytree(tmp_path / "a", tmp_path / "elsewhere")

    first, again, other = (make_report([tmp_path / name])[0] for name in ("a", "a", "elsewhere"))

    assert first == again == other
    assert str(tmp_path).encode() not in first


def test_hostile_text_stays_data(tmp_path):
    config = {"env.id": ESCAPE, "algo.name": "\u202eevil", f"agent.{EVIL}": ESCAPE}
    folder = write_run(tmp_path / EVIL / "0/1", (), config, "failed", error=ESCAPE)
    write_log(folder / "train.journal", [{"timestep": 10, ESCAPE: 1.0}])
    write_json(folder / "fingerprint.json", {ESCAPE: "\ud800" + EVIL})

    page, _, messages = make_report([tmp_path])
    data = Page(page).data

    assert not messages
    assert [tag for tag, _, _ in Page(page).elements].count("script") == 2
    assert b"<img" not in page
    assert b"\\u202e" not in page
    assert data["title"] == f"lagom: {EVIL}"
    assert data["panels"][0]["environment"] == ESCAPE
    assert data["failures"][0]["error"] == ESCAPE
    assert data["experiments"][0]["algos"] == "evil"
    assert data["configs"]["keys"][-1] == [f"agent.{EVIL}", [ESCAPE]]
    assert data["ys"][0]["key"] == f"train.{ESCAPE}"
    assert data["provenance"]["keys"] == [[ESCAPE, [EVIL]]]


def test_without_runs_there_is_no_page(tmp_path):
    (tmp_path / "empty").mkdir()

    assert make_report([tmp_path]) == (None, "", [])


def test_runs_that_logged_nothing_are_a_report_too(tmp_path):
    write_run(tmp_path / "x/0/1", (), status="failed", error="ValueError: no")
    write_run(tmp_path / "x/0/2", (), status="waiting")

    data, messages = read(tmp_path)

    assert not messages
    assert (data["xs"], data["ys"], data["grids"]) == ([], [], [])
    assert data["table"][0]["final"] is None
    assert data["failures"][0]["error"] == "ValueError: no"
    assert data["summary"] == "1 configuration, 2 runs: 1 failed, 1 waiting"


def test_the_summary_says_what_became_of_the_runs(tmp_path):
    write_run(tmp_path / "a/0/1", started=1.7e9)
    write_run(tmp_path / "a/0/2", status="diverged", updated=1.7e9 + 3600)
    write_run(tmp_path / "a/1/1", config=CONFIG | {"env.id": "Acrobot-v1"})
    write_run(tmp_path / "b/0/1", config=CONFIG | {"algo.name": "sac"}, started=True, updated=1e300)

    data, _ = read(tmp_path)

    times = "2023-11-14 22:13 to 2023-11-14 23:13 UTC"
    assert data["summary"] == f"3 configurations, 4 runs: 3 done, 1 diverged; {times}"
    assert data["title"] == "lagom: a, b"
    assert data["experiments"] == [
        {"name": "a", "algos": "ppo", "environments": "CartPole-v1, Acrobot-v1",
         "configurations": 2, "count": "2/3 runs, 1 diverged"},
        {"name": "b", "algos": "sac", "environments": "CartPole-v1",
         "configurations": 1, "count": "1 seed"},
    ]  # fmt: skip


def test_experiments_of_one_name_are_told_apart(tmp_path):
    for place in ("here/x", "there/x", "there/y"):
        write_run(tmp_path / place / "0/1")

    data, _ = read(tmp_path)

    assert [row["name"] for row in data["experiments"]] == ["here/x", "there/x", "there/y"]
    assert data["title"] == "lagom: here/x, there/x, there/y"
    write_run(tmp_path / "z/0/1")
    assert read(tmp_path)[0]["title"].endswith("there/y and 1 more")


def test_the_table_holds_means_intervals_steps_and_seconds(tmp_path):
    write_run(tmp_path / "x/0/1", (1.0, 5.0))
    folder = write_run(tmp_path / "x/0/2", (3.0, 2.0, 1.0), status="diverged")
    steps = (10, 20, 30, 40)
    write_log(folder / "train.journal", [{"timestep": x, "loss": 1.0} for x in steps])
    write_log(folder / "timing.journal", [{"timestep": x, "learn_seconds": 5} for x in steps])

    (row,) = read(tmp_path)[0]["table"]

    # final values 5 and 1: deviation 2 * sqrt(2), t 12.706 for one degree of freedom
    assert row["final"] == 3.0
    assert row["half"] == pytest.approx(12.7062 * 2, rel=1e-5)
    assert (row["best"], row["best_at"], row["steps"]) == (3.5, 20.0, 30.0)
    assert row["seconds"] == (2 * 5 + 4 * 5) / 2  # training has gone on after the evaluation
    assert row["count"] == "1/2 seeds, 1 diverged"
    assert row["label"] == "ppo"


def test_a_configuration_without_evaluations_is_marked():
    run = make_run("x")
    train = Run(run.path, "x", 0, 0, "done", run.config, {"eval": {}, "train": run.logs["eval"]})

    data = report_data([train])

    assert data["table"][0]["label"] == "ppo (training)"
    assert [y["key"] for y in data["ys"]] == ["train.return"]
    assert data["table"][0]["seconds"] is None


def test_differences_between_configurations():
    # the example in the documentation of welch: 2, -1.548 to 5.548, p = 0.176
    runs = [make_run("x", 0, seed, [y], agent__lr=0.1) for seed, y in enumerate((3, 4, 5))]
    runs += [make_run("x", 1, seed, [y], agent__lr=0.2) for seed, y in enumerate((1, 1, 4))]
    runs += [make_run("x", 2, seed, [9], agent__lr=0.3) for seed in range(3)]
    runs += [make_run("x", 3, 0, [9], agent__lr=0.4)]  # a single seed is no sample

    pairs = report_data(runs)["differences"]["pairs"]
    first = pairs[0]

    assert (first["a"], first["b"], first["n"], first["m"]) == ("lr=0.1", "lr=0.2", 3, 3)
    assert first["difference"] == 2.0
    assert (round(first["low"], 3), round(first["high"], 3)) == (-1.548, 5.548)
    assert round(first["p"], 3) == 0.176
    assert [(pair["a"], pair["b"]) for pair in pairs[1:]] == [
        ("lr=0.1", "lr=0.3"),
        ("lr=0.2", "lr=0.3"),
    ]
    low, middle, high = sorted((pair["p"], pair["p_holm"]) for pair in pairs)
    assert low[1] == pytest.approx(3 * low[0])
    assert middle[1] == pytest.approx(max(low[1], 2 * middle[0]))
    assert high[1] == pytest.approx(max(middle[1], high[0]))


def test_differences_without_spread_have_no_p():
    runs = [make_run("x", ID, seed, [ID], agent__lr=ID) for ID in (1, 2) for seed in range(2)]

    (pair,) = report_data(runs)["differences"]["pairs"]

    assert (pair["difference"], pair["low"], pair["p"], pair["p_holm"]) == (-1.0, -1.0, None, None)


def test_too_many_configurations_are_not_compared():
    runs = [make_run("x", ID, seed, [ID], agent__lr=ID) for ID in range(7) for seed in range(2)]

    differences = report_data(runs)["differences"]

    assert differences == {"pairs": [], "skipped": ["CartPole-v1"], "most": 6}
    assert len(report_data(runs[:12])["differences"]["pairs"]) == 15


def test_keys_that_differ_come_first():
    runs = [
        make_run("x", 0, agent__lr=1e-3, agent__hidden=[64, 64]),
        make_run("x", 0, 1, agent__lr=1e-3, agent__hidden=[64, 64]),
        make_run("x", 1, agent__lr=1e-4, agent__double=True, agent__hidden=[64, 64]),
    ]

    configs = report_data(runs)["configs"]

    assert configs["names"] == ["ID 0", "ID 1"]
    assert configs["keys"] == [
        ["agent.lr", ["0.001", "0.0001"]],
        ["agent.double", ["–", "true"]],
        ["algo.name", ["ppo"]],
        ["env.id", ["CartPole-v1"]],
        ["agent.gamma", ["0.99"]],
        ["agent.hidden", ["[64, 64]"]],
    ]
    both = report_data([*runs, make_run("y", agent__lr=None)])["configs"]
    assert both["names"] == ["x/0", "x/1", "y/0"]
    assert both["keys"][0] == ["agent.lr", ["0.001", "0.0001", "null"]]

"""Runs to report on, and the data in a page."""

import json
from html.parser import HTMLParser
from pathlib import Path

import numpy as np

from lagom.experiment.journal import Journal
from lagom.experiment.storage import write_json, write_yaml
from lagom.vis.report import make_report
from lagom.vis.runs import Run

CONFIG = {"algo.name": "ppo", "env.id": "CartPole-v1", "agent.lr": 0.001, "agent.gamma": 0.99}
EVIL = "<img src=x onerror=window.hacked=1>"
ESCAPE = "</script><script>window.hacked=2</script>"


def write_log(path, rows):
    journal = Journal(path)
    for row in rows:
        journal.append(row)
    journal.close()


def write_run(folder, ys=(1.0, 2.0), config=CONFIG, status="done", **state):
    """A run ``<ID>/<seed>`` evaluated every 10 steps; a step takes 0.5 s, an episode 5 steps."""
    folder.mkdir(parents=True)
    write_yaml(folder.parent / "config.yml", {"ID": int(folder.parent.name), **config})
    write_json(folder / "status.json", {"status": status, **state})
    steps = [10 * (i + 1) for i in range(len(ys))]
    rows = {
        "eval": [{"timestep": x, "return": y} for x, y in zip(steps, ys, strict=True)],
        "train": [{"timestep": x, "episode": x / 5, "loss": 1 / x} for x in steps],
        "timing": [{"timestep": x, "learn_seconds": 3, "eval_seconds": 2} for x in steps],
    }
    for log in rows:
        if steps:
            write_log(folder / f"{log}.journal", rows[log])
    return folder


def make_run(name, ID=0, seed=0, ys=(1.0, 2.0), status="done", **config):
    """A run that was read already; ``__`` in a key stands for a dot."""
    config = {**CONFIG, **{k.replace("__", "."): v for k, v in config.items()}}
    ys = np.array(ys, float)
    logs = {"eval": {"timestep": 10.0 * np.arange(1, len(ys) + 1), "return": ys}, "train": {}}
    path = Path("/outputs", name, str(ID), str(seed))
    return Run(path, name, ID, seed, status, {"ID": ID, **config}, logs)


class Page(HTMLParser):
    """The elements of a page, with their attributes and text, and the data in it."""

    def __init__(self, page):
        super().__init__()
        self.elements, self.is_closed = [], True
        self.feed(page.decode())
        (self.data,) = (
            json.loads(text)
            for tag, attributes, text in self.elements
            if tag == "script" and attributes.get("type") == "application/json"
        )

    def handle_starttag(self, tag, attributes):
        self.elements.append([tag, dict(attributes), ""])
        self.is_closed = False

    def handle_endtag(self, tag):
        self.is_closed = True

    def handle_data(self, text):
        if not self.is_closed:
            self.elements[-1][2] += text


def read(*paths):
    """The data in the page, and the messages."""
    page, _, messages = make_report(paths)
    return Page(page).data, messages

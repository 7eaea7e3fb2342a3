"""Configurations of the shipped YAML files, for tests that train."""

from hydra import compose, initialize_config_module
from omegaconf import OmegaConf

from lagom.experiment.schema import check, flatten


def flat_config(*words):
    """What ``lagom train <words>`` hands to its job, a flat dictionary; the checks must pass."""
    groups = [word for word in words if word.split("=")[0] in ("algo", "env", "experiment")]
    with initialize_config_module("lagom.conf", version_base="1.3"):
        config, defaults = (
            flatten(OmegaConf.to_container(compose("config", list(w)))) for w in (words, groups)
        )
    complaints = check(config, defaults)
    assert not complaints, complaints
    return config

"""Configurations: ``algo`` and ``env`` are the registries, ``config.yaml`` what they share."""

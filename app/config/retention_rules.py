"""Builds the rules of retention from the settings."""

from __future__ import annotations

from app.config.settings import Settings, variables
from app.domain.retention import Kind, Rule


def rules_of(settings: Settings) -> tuple[Rule, ...]:
    """A rule for each kind, with the variables that change it."""
    names = {variable.field: variable.name for variable in variables()}

    def rule(kind: Kind) -> Rule:
        keep, limit = f"keep_{kind.value}_days", f"max_{kind.value}_bytes"
        return Rule(
            kind, getattr(settings, keep, 0.0), getattr(settings, limit, 0), names.get(keep, ""), names.get(limit, "")
        )

    return tuple(map(rule, Kind))

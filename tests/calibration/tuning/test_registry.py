"""Methods by name, made from the plain settings of a file."""

import re
from dataclasses import dataclass, field
from typing import ClassVar, Literal

import pytest

from calibration.errors import PlanError
from calibration.tuning import Method, Spsa, Update
from calibration.tuning.registry import METHODS, _made, make_method


@pytest.mark.parametrize("name", list(METHODS))
def test_every_method_goes_by_its_own_name_and_needs_no_settings(name: str) -> None:
    assert issubclass(METHODS[name], Method)
    assert METHODS[name].name == name
    assert make_method(name) == METHODS[name]()


def test_settings_of_a_file_become_a_method() -> None:
    made = make_method("spsa", {"batch": 8, "stability": 5, "update": {"rule": "momentum", "rate": 0.5}})
    assert made == Spsa(update=Update("momentum", 0.5), batch=8, stability=5.0)


@pytest.mark.parametrize(
    ("name", "settings", "told"),
    [
        ("spas", {}, "no method 'spas' (did you mean spsa?); there are "),
        (
            "spsa",
            {"batches": 3},
            "spsa has no setting 'batches' (did you mean batch?); there are update, pert",
        ),
        (
            "spsa",
            {"update": {"rat": 1}},
            "spsa.update has no setting 'rat' (did you mean rate?); there are rule",
        ),
        ("spsa", {"update": {"rule": "sgd"}}, "spsa.update.rule: 'sgd'; there are plain, momentum, adam"),
        ("spsa", {"update": 0.1}, "spsa.update: 0.1 is no group of settings"),
        ("spsa", {"batch": 2.5}, "spsa.batch: 2.5 is no whole number"),
        ("spsa", {"batch": True}, "spsa.batch: True is no whole number"),
        ("spsa", {"perturbation": "small"}, "spsa.perturbation: 'small' is no number"),
        ("spsa", {"batch": 0}, "batch 0, directions 1: at least 1 each"),
    ],
)
def test_what_does_not_fit_is_named(name: str, settings: dict[str, object], told: str) -> None:
    with pytest.raises(PlanError, match=re.escape(told)):
        make_method(name, settings)


@dataclass(frozen=True)
class Settings:
    """One of each kind of setting that a method may have."""

    kinds: ClassVar[int] = 4
    sizes: tuple[int, int, int] = (1, 2, 3)
    rates: tuple[float, ...] = ()
    limit: float | None = None
    on: bool = False
    mode: Literal["auto", "yes"] = "auto"
    inner: Update = field(default_factory=Update)


def test_lists_options_and_switches() -> None:
    given = {"sizes": [4, 5, 6], "rates": [1, 0.5], "limit": 2, "on": True, "mode": "yes"}
    assert _made(Settings, given, "a") == Settings((4, 5, 6), (1.0, 0.5), 2.0, on=True, mode="yes")
    assert _made(Settings, {"limit": None}, "a") == Settings()


@pytest.mark.parametrize(
    ("given", "told"),
    [
        ({"sizes": [1, 2]}, "a.sizes: 2 values where 3 are needed"),
        ({"sizes": [1, 2, "x"]}, "a.sizes[2]: 'x' is no whole number"),
        ({"sizes": 3}, "a.sizes: 3 is no list"),
        ({"limit": "much"}, "a.limit: 'much' is no"),
        ({"on": 1}, "a.on: 1 is no yes or no"),
        ({"kinds": 1}, "a has no setting 'kinds'"),
    ],
)
def test_what_does_not_fit_of_these_is_named(given: dict[str, object], told: str) -> None:
    with pytest.raises(PlanError, match=re.escape(told)):
        _made(Settings, given, "a")

"""Whom the breakers leave alone, for how long, and who may find out whether a provider is back."""

import pytest

from engine.errors import ErrorCategory, ProviderError
from providers.breakers import Breaker, Condition, Health


def broken(category: ErrorCategory = ErrorCategory.SERVER) -> ProviderError:
    return ProviderError("p", category, "failed", retryable=True)


class Clock:
    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


def test_it_opens_after_three_failures_in_a_row_and_not_before() -> None:
    breaker = Breaker(failures_to_open=3, rest_s=30, probe_s=10)
    for _ in range(2):
        breaker.failed(0)
        assert breaker.may_try(0)
    breaker.failed(0)
    assert not breaker.may_try(29.9)


def test_a_success_in_between_begins_the_count_anew() -> None:
    breaker = Breaker(failures_to_open=3, rest_s=30, probe_s=10)
    for _ in range(5):
        breaker.failed(0)
        breaker.failed(0)
        breaker.worked()
    assert breaker.may_try(0)


def test_after_its_rest_one_probe_goes_through_and_its_failure_is_another_rest() -> None:
    breaker = Breaker(failures_to_open=1, rest_s=30, probe_s=10)
    breaker.failed(0)
    assert breaker.may_try(30)
    breaker.tried(30)
    assert not breaker.may_try(31), "the probe is on its way"
    breaker.failed(32)
    assert not breaker.may_try(61.9)
    assert breaker.may_try(62)


def test_a_probe_that_works_closes_it_and_one_that_never_reports_back_is_repeated() -> None:
    breaker = Breaker(failures_to_open=1, rest_s=30, probe_s=10)
    breaker.failed(0)
    breaker.tried(30)
    assert breaker.may_try(40)
    breaker.tried(40)
    breaker.worked()
    assert breaker.may_try(40.1)
    assert breaker.failures == 0


@pytest.mark.parametrize("category", [ErrorCategory.AUTHENTICATION, ErrorCategory.QUOTA, ErrorCategory.NOT_FOUND])
def test_what_trying_again_cannot_help_opens_it_at_once(category: ErrorCategory) -> None:
    health = Health()
    health.failed("a", broken(category))
    assert not health.may_try("a")
    assert health.resting == ("a",)


def test_the_order_is_the_well_then_the_shunned_then_the_resting() -> None:
    clock = Clock()
    health = Health(clock=clock)
    keys = ["first", "second", "third"]
    assert health.order(keys) == [0, 1, 2]
    assert health.order(keys, frozenset({0})) == [1, 2, 0]
    for _ in range(3):
        health.failed("second", broken())
    assert health.order(keys, frozenset({0})) == [2, 0, 1]
    clock.now += 30
    assert health.order(keys) == [0, 1, 2]
    health.tried("second")
    assert health.order(keys) == [0, 2, 1]
    health.worked("second")
    assert health.order(keys) == [0, 1, 2]


def test_nobody_well_is_still_an_order() -> None:
    health = Health()
    for key in ("a", "b"):
        health.failed(key, broken(ErrorCategory.QUOTA))
    assert health.order(["a", "b"]) == [0, 1]
    health.forget()
    assert health.resting == ()


def test_everybody_who_was_tried_is_reported_with_how_they_are() -> None:
    health = Health()
    health.tried("well")
    health.tried("ill")
    for _ in range(3):
        health.failed("ill", broken())
    health.failed("recovered", broken())
    health.worked("recovered")
    assert health.conditions == (
        Condition("well", is_resting=False, failures_in_row=0, failures=0),
        Condition("ill", is_resting=True, failures_in_row=3, failures=3),
        Condition("recovered", is_resting=False, failures_in_row=0, failures=1),
    )

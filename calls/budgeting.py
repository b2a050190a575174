"""What a budget means: the period it counts, how near to used up it is, and in which words. Pure: amounts and days in, decisions out."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal
from enum import StrEnum

from calls.wording import money_words


class Scope(StrEnum):
    """What one budget adds up."""

    CALL = "call"
    AGENT_DAY = "agent-day"
    ACCOUNT_MONTH = "account-month"


class Level(StrEnum):
    FINE = "fine"
    NEAR = "near"
    OVER = "over"


def level(spent: Decimal, amount: Decimal, warn_percent: int) -> Level:
    """A budget of 0 lets nothing happen at all."""
    if spent >= amount:
        return Level.OVER
    return Level.NEAR if spent * 100 >= amount * warn_percent else Level.FINE


def days(scope: Scope, day: date) -> tuple[date, date]:
    """The first day of the period in which `day` lies, and the first one after it."""
    if scope is not Scope.ACCOUNT_MONTH:
        return day, day + timedelta(days=1)
    first = day.replace(day=1)
    return first, (first + timedelta(days=32)).replace(day=1)


def period_words(scope: Scope, day: date) -> str:
    """`22 November 2026`, `November 2026`."""
    return f"{day.day} {day:%B %Y}" if scope is Scope.AGENT_DAY else f"{day:%B %Y}"


def renews_words(scope: Scope) -> str:
    return {Scope.AGENT_DAY: "It starts anew at midnight.", Scope.ACCOUNT_MONTH: "It starts anew on the first of the month."}.get(scope, "")


@dataclass(frozen=True, slots=True)
class Standing:
    """How a budget stands. `held` is reserved for running calls beyond what they have spent.

    `uncounted` is what no rate turns into its currency: it comes on top.
    """

    scope: Scope
    subject: str
    amount: Decimal
    currency: str
    spent: Decimal
    level: Level
    uncounted: Mapping[str, Decimal]
    held: Decimal = Decimal(0)
    minute: Decimal = Decimal(0)

    @property
    def has_room(self) -> bool:
        """Whether another call may begin: what is spent, what running calls have reserved, and a usual minute are within the budget."""
        return self.level is not Level.OVER and self.spent + self.held + self.minute <= self.amount

    @property
    def words(self) -> str:
        """What an operator reads: which budget, how far, and what happens now."""
        spent = f"{money_words(self.spent, self.currency, at_most=2)} of {money_words(self.amount, self.currency, at_most=2)}"
        rest = "".join(
            f" {money_words(amount, currency, at_most=2)} more could not be counted: there is no rate to {self.currency}."
            for currency, amount in sorted(self.uncounted.items())
        )
        verb = {Level.OVER: "is used up", Level.NEAR: "is nearly used up", Level.FINE: "stands"}[self.level]
        return f"The budget {self.subject} {verb}: {spent}.{rest}"

    @property
    def refusal(self) -> str:
        """Why no call begins, and what to do."""
        why = self.words
        if self.level is not Level.OVER:
            held, minute = (money_words(amount, self.currency, at_most=2) for amount in (self.held, self.minute))
            why += f" That is too little for another call: {held} is held for calls that run, and a minute costs about {minute}."
        return f"{why} {renews_words(self.scope)} Raise the budget under Budgets to go on.".replace("  ", " ")


def per_minute(amounts: Mapping[str, Decimal], seconds: float | None) -> dict[str, Decimal]:
    """Money for each minute of call; nothing where nobody knows how long it was."""
    if not seconds or seconds <= 0:
        return {}
    return {currency: amount * 60 / Decimal(str(seconds)) for currency, amount in amounts.items() if amount}

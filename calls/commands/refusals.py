"""What we do not do, and why, in words for the operator."""


class CallRefused(Exception):
    """We do not place or take this call. `message` tells the operator why and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


class BudgetSpent(CallRefused):
    """A budget leaves nothing for this call."""


class Declined(Exception):
    """What an operator asked on a call's page is not done. `message` says why and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message

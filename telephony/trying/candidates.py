"""As what an agent can be tried: its draft, the version that is live, an earlier one. And what a call would have to tell it."""

import json
from dataclasses import dataclass
from typing import Final

from django.core.exceptions import ValidationError
from django.utils.translation import gettext as _

from agents import assembly, drafts, variables
from agents.models import Agent, AgentDraft, AgentVersion
from agents.spec import AgentSpec

DRAFT: Final = "draft"
_SHOWN: Final = 20
_CUSTOMER: Final = "customer."


class NotTriable(Exception):
    """The agent cannot be tried so. `message` says why and what to do."""

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


@dataclass(frozen=True, slots=True)
class Candidate:
    """`draft` is None where the published version itself talks; else the version is the one that is live beside it."""

    version: AgentVersion
    draft: AgentSpec | None = None

    @property
    def key(self) -> str:
        return DRAFT if self.draft is not None else str(self.version.number)

    def spec(self) -> AgentSpec:
        return self.draft or self.version.as_spec()


@dataclass(frozen=True, slots=True)
class Choice:
    """One line of the list of candidates."""

    key: str
    words: str


def choices(agent: Agent) -> list[Choice]:
    """What there is to try, the most interesting first."""
    numbers = list(agent.versions.order_by("-number").values_list("number", flat=True)[:_SHOWN])
    found = [Choice(DRAFT, _("The draft, not published"))] if AgentDraft.objects.filter(agent=agent).exists() else []
    return [*found, *(Choice(str(number), _version_words(number, is_live=number == numbers[0])) for number in numbers)]


def _version_words(number: int, *, is_live: bool) -> str:
    return (_("Version %(number)d, live") if is_live else _("Version %(number)d")) % {"number": number}


def candidate(agent: Agent, key: str) -> Candidate | None:
    """The one that `key` names, an empty key the first of `choices`; None: there is no such one. A draft is not judged yet."""
    live = agent.current_version
    if key in ("", DRAFT) and AgentDraft.objects.filter(agent=agent).exists():
        return Candidate(live, drafts.spec_of(agent))
    if not key:
        return Candidate(live)
    known = key.isascii() and key.isdigit() and len(key) < 10
    version = agent.versions.filter(number=int(key)).first() if known else None
    return Candidate(version) if version is not None else None


def judge(agent: Agent, chosen: Candidate) -> None:
    """Raises `NotTriable` if this could not talk: what is wrong in the draft, or which key of a provider is missing."""
    if chosen.draft is not None:
        try:
            drafts.judge(drafts.with_draft(agent))
        except ValidationError as error:
            raise NotTriable(_("The draft cannot talk yet: %(problems)s") % {"problems": " ".join(error.messages)}) from error
    try:
        assembly.assemble(chosen.spec())
    except assembly.NotReady as error:
        raise NotTriable(str(error)) from error


@dataclass(frozen=True, slots=True)
class Wanted:
    """What the agent's texts want to know of its caller: the names of customer facts, and whether the caller's number."""

    customer: tuple[str, ...]
    number: bool


def wanted(spec: AgentSpec) -> Wanted:
    names = variables.named(json.dumps(spec.to_json(), ensure_ascii=False))
    customer = tuple(name.removeprefix(_CUSTOMER) for name in names if name.startswith(_CUSTOMER))
    return Wanted(customer, "caller_number" in names)

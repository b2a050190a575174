"""A real call becomes a scenario: its caller's words are what the rehearsed one knows, and what was done then has to be done again.

A proposal: whoever asks for it looks it over before it is kept. Numbers never get into it.
"""

import json
import re
from typing import Final

from agents.models import Agent
from calls import endings, queries
from calls.models import Analysis, Scenario, Session, ToolRun
from calls.rehearsing.assertions import ENDED_BY, TOOL_CALLED, Assertion

_MOST_FACTS: Final = 3500
_MOST_NAME: Final = 100
_NUMBERS = re.compile(r"\+?\d[\d \-]{8,}\d")
_ENDERS: Final = {endings.EndedBy.AGENT: "agent", endings.EndedBy.CALLER: "caller"}


def proposal(agent: Agent, session: Session) -> Scenario:
    """An unsaved scenario."""
    said = [text.strip() for who, text, _turn in queries.said(session) if who == "caller" and text.strip()]
    read = Analysis.objects.filter(session=session).values_list("summary", flat=True).first()
    return Scenario(
        agent=agent,
        name=_name(agent, session),
        persona="As in the call: " + (f"says things like “{_masked(said[-1])[:200]}”" if said else "says little"),
        goal=_masked(read)[:2000] if read else "To get what the caller of that call wanted, as their words below show.",
        facts=_masked("\n".join(said))[:_MOST_FACTS],
        opening=_masked(said[0])[:500] if said else "",
        most_lines=min(40, max(6, len(said) + 4)),
        assertions=[each.to_json() for each in _shown(session)],
        from_call=session,
    )


def _name(agent: Agent, session: Session) -> str:
    name = f"Call of {session.created_at:%d.%m.%Y %H:%M}"[:_MOST_NAME]
    taken = set(Scenario.objects.filter(agent=agent, name__startswith=name).values_list("name", flat=True))
    return name if name not in taken else next(f"{name} ({n})" for n in range(2, len(taken) + 3) if f"{name} ({n})" not in taken)


def _shown(session: Session) -> list[Assertion]:
    """What was done in it, and who ended it."""
    runs = ToolRun.objects.filter(session=session, state=ToolRun.State.DONE).order_by("id").values_list("tool", "arguments")
    found: dict[str, Assertion] = {}
    for tool, arguments in runs[:20]:
        is_private = _NUMBERS.search(json.dumps(arguments)) is not None
        found.setdefault(tool, Assertion(TOOL_CALLED, tool, {} if is_private else arguments))
    ender = _ENDERS.get(endings.ender_of(session.end_reason))
    return [*found.values(), *([Assertion(ENDED_BY, ender)] if ender else [])]


def _masked(text: str) -> str:
    """Without telephone and other long numbers: a rehearsal invents its own."""
    return _NUMBERS.sub(lambda match: "9" * len(re.sub(r"\D", "", match.group())), text)

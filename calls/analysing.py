"""One finished call read by a language model: asked, checked, asked once more if need be, and paid for as it happens.

Only `calls.tasks` runs this. What each request cost is written as soon as it is known, whether or not the answer is of any use.
"""

from collections.abc import Mapping
from dataclasses import replace
from functools import partial
from typing import Any

from agents.assembly import NotReady, batch_language_model
from calls import analysis, commands, queries
from calls.jobs import Outcome, Park, RetryLater
from calls.models import Analysis, Job, Session
from engine.errors import ProviderError
from engine.ports import Message
from providers.completion import Completer, Completion

PURPOSE = "analysis"


def analyse(session: Session, job: Job) -> Outcome:
    """The job's body. Without a word said, or with an analysis there already, it costs nothing and accounting follows."""
    session.refresh_from_db()
    if session.state != Session.State.ENDED:
        raise RetryLater(10, "The conversation is still running.")
    spec = session.spec()
    told = analysis.lines(queries.said(session))
    if not spec.analyse_calls or not told or Analysis.objects.filter(session=session).exists():
        return partial(commands.analysis_over, session)
    try:
        model = batch_language_model(spec)
    except NotReady as error:
        raise Park(str(error)) from error
    shape = analysis.schema(told, spec.extraction_schema)
    asked = analysis.messages(told, spec.name, spec.language, shape)
    answer, reading = _read(job, model, asked, shape, told, spec.extraction_schema)
    return partial(
        commands.call_analysed,
        session,
        summary=reading.summary,
        outcome=reading.outcome,
        sentiment=reading.sentiment,
        extraction=reading.extraction,
        evidence=reading.evidence,
        provider=model.provider,
        model=model.model,
        request_id=answer.request_id,
    )


def _read(
    job: Job,
    model: Completer,
    asked: list[Message],
    shape: dict[str, Any],
    told: list[analysis.Line],
    wanted: Mapping[str, Any] | None,
) -> tuple[Completion, analysis.Reading]:
    """An answer that fits, at the first try or the second. Raises `Park` with the places that did not fit."""
    flaws: tuple[str, ...] = ()
    for _ in range(2):
        answer = _ask(job, model, asked, shape)
        if answer.is_cut:
            raise Park(
                "The model's report was cut at its token limit. Make the agent's extraction schema smaller, then run this job again."
            )
        try:
            return answer, analysis.read(answer.text, told, wanted)
        except analysis.Unfit as error:
            flaws = error.flaws
            asked = [*asked, *analysis.mend(answer.text, flaws)]
    raise Park(f"The model's answer did not fit twice ({'; '.join(flaws)}). Make the extraction schema simpler, or change the model.")


def _ask(job: Job, model: Completer, asked: list[Message], shape: dict[str, Any]) -> Completion:
    attempt = commands.begin_attempt(job, model.provider)
    try:
        answer = model.complete(asked, shape)
    except ProviderError as error:
        commands.close_attempt(attempt, ok=False, request_id=error.request_id)
        raise
    usage = [replace(record, purpose=PURPOSE) for record in answer.usage]
    commands.close_attempt(attempt, ok=True, request_id=answer.request_id, usage=usage)
    return answer

"""Scenarios and rehearsals as the API shows and takes them. What a rehearsal must show is written as on the pages, one wish a text."""

from collections.abc import Mapping, Sequence
from typing import Any, Final

from django.conf import settings
from django.utils.translation import gettext as _
from drf_spectacular.utils import extend_schema_field
from rest_framework import serializers

from agents.models import LANGUAGES, Agent
from agents.serializers import OwnAgentField, StrictMixin
from calls import queries
from calls.amounts import plain
from calls.models import RehearsalResult, RehearsalRun, Scenario, Session, Turn
from calls.rehearsing import assertions, from_calls

_LEAST_OF: Final = ("name", "goal")
RUN_STATES: Final = [("running", "running"), ("passed", "passed"), ("failed", "failed")]


class AssertionsField(serializers.ListField):
    """Texts such as `ended by: agent`, as docs/rehearsals.md lists them."""

    child = serializers.CharField(max_length=assertions.LONGEST)

    def to_internal_value(self, data: Any) -> list[Any]:
        try:
            return [each.to_json() for each in assertions.parse_lines(super().to_internal_value(data))]
        except assertions.NotUnderstood as error:
            raise serializers.ValidationError(list(error.problems)) from error

    def to_representation(self, data: Sequence[Mapping[str, Any]]) -> list[Any]:
        return [str(each) for each in assertions.from_json(data)]


class OwnCallField(serializers.SlugRelatedField[Session]):
    """One of the calls that whoever asks may see."""

    default_error_messages = {"does_not_exist": _("There is no call {value}.")}

    def get_queryset(self) -> Any:
        return queries.visible_sessions(self.context["request"].user)


class LatestSerializer(serializers.Serializer[RehearsalResult]):
    rehearsal = serializers.IntegerField(source="run_id")
    state = serializers.ChoiceField(choices=RehearsalResult.State.choices)
    is_current = serializers.SerializerMethodField(help_text="Whether the scenario still stands as it was rehearsed.")
    ended_at = serializers.DateTimeField(allow_null=True)

    def get_is_current(self, result: RehearsalResult) -> bool:
        return result.shows(result.scenario)


class ScenarioSerializer(StrictMixin, serializers.ModelSerializer[Scenario]):
    agent = OwnAgentField(queryset=Agent.objects.none(), help_text="Who is rehearsed with it. A scenario stays with its agent.")
    name = serializers.CharField(max_length=120, required=False)
    goal = serializers.CharField(max_length=2000, required=False, help_text="What they want of the call.")
    language = serializers.ChoiceField(
        choices=LANGUAGES,
        required=False,
        allow_blank=True,
        help_text="Empty: the agent's.",
        error_messages={"invalid_choice": f"“{{input}}” is not one of the choices. Use one of: {', '.join(dict(LANGUAGES))}."},
    )
    assertions = AssertionsField(
        required=False, max_length=assertions.MOST, help_text="What the conversation must show, such as “ended by: agent”."
    )
    from_call = OwnCallField(
        slug_field="session_id",
        queryset=Session.objects.none(),
        required=False,
        allow_null=True,
        help_text="A call of the agent that it is made from: what is left out is then taken from it, long numbers as nines.",
    )
    latest = serializers.SerializerMethodField(help_text="How the newest rehearsal that is over went; null before there was one.")

    class Meta:
        model = Scenario
        fields = (
            "id", "agent", "name", "persona", "goal", "facts", "opening", "language", "most_lines", "by_voice", "assertions", "active",
            "from_call", "latest", "created_at", "updated_at",
        )  # fmt: skip
        read_only_fields = ("created_at", "updated_at")
        validators = ()  # its name is judged below, in words

    @extend_schema_field(LatestSerializer(allow_null=True))
    def get_latest(self, scenario: Scenario) -> dict[str, Any] | None:
        """Reads what the list has loaded as `newest`; a scenario that was made just now has none."""
        newest: Sequence[RehearsalResult] = getattr(scenario, "newest", ())
        if not newest:
            return None
        newest[0].scenario = scenario
        return dict(LatestSerializer(newest[0]).data)

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        known = self.instance
        if known is not None:
            _refuse_moves(known, attrs)
        elif (source := attrs.get("from_call")) is not None:
            attrs = {**_taken_from(attrs["agent"], source), **attrs}
        elif missing := [name for name in _LEAST_OF if name not in attrs]:
            raise serializers.ValidationError({name: [_("This field is required.")] for name in missing})
        if "name" in attrs:
            attrs["name"] = " ".join(attrs["name"].split())
            agent, own_id = (known.agent, known.pk) if known is not None else (attrs["agent"], 0)
            if Scenario.objects.filter(agent=agent, name=attrs["name"]).exclude(pk=own_id).exists():
                raise serializers.ValidationError({"name": [_("There is already a scenario of this name. Choose another name.")]})
        return attrs


def _refuse_moves(known: Scenario, attrs: dict[str, Any]) -> None:
    if "agent" in attrs and attrs["agent"].pk != known.agent_id:
        raise serializers.ValidationError({"agent": [_("A scenario stays with its agent. Make another one for the other agent.")]})
    if "from_call" in attrs and attrs["from_call"] != known.from_call:
        raise serializers.ValidationError({"from_call": [_("A scenario is made from a call once. Make another one from this call.")]})


def _taken_from(agent: Agent, session: Session) -> dict[str, Any]:
    if session.agent_id != agent.pk:
        raise serializers.ValidationError({"from_call": [_("This call was not the agent's. Take one of its own calls.")]})
    proposal = from_calls.proposal(agent, session)
    return {name: getattr(proposal, name) for name in ("name", "persona", "goal", "facts", "opening", "most_lines", "assertions")}


class NewRehearsalSerializer(StrictMixin, serializers.Serializer[Any]):
    """Which agent is rehearsed, live or as its draft stands, and with which of its scenarios."""

    agent = OwnAgentField(queryset=Agent.objects.none())
    is_draft = serializers.BooleanField(default=False, help_text="With the draft instead of what is live.")
    scenarios = serializers.ListField(
        child=serializers.IntegerField(min_value=1, max_value=2**63 - 1),
        required=False,
        allow_empty=False,
        max_length=200,
        help_text="Ids of the agent's scenarios; left out: all that are active.",
    )

    by_voice = serializers.BooleanField(
        default=None,
        allow_null=True,
        help_text="True: each is called and spoken with, in real time; false: in writing; null: as each scenario says.",
    )

    def validate(self, attrs: dict[str, Any]) -> dict[str, Any]:
        if (wanted := attrs.get("scenarios")) is None:
            return {**attrs, "scenarios": None}
        found = {scenario.pk: scenario for scenario in Scenario.objects.filter(agent=attrs["agent"], pk__in=wanted)}
        if unknown := [str(pk) for pk in wanted if pk not in found]:
            message = _("The agent has no scenario %(ids)s.") % {"ids": ", ".join(unknown[:5])}
            raise serializers.ValidationError({"scenarios": [message]})
        return {**attrs, "scenarios": list(found.values())}


class RehearsalSerializer(serializers.ModelSerializer[RehearsalRun]):
    """How far a rehearsal is. Needs `total`, `over` and `passed` counted beside the row."""

    agent = serializers.IntegerField(source="agent_id", read_only=True)
    agent_name = serializers.CharField(source="agent.name", read_only=True)
    version = serializers.IntegerField(
        source="version.number", read_only=True, allow_null=True, default=None, help_text="Null: it was the draft."
    )
    begun_by = serializers.CharField(source="begun_by.username", read_only=True, allow_null=True, default=None)
    state = serializers.SerializerMethodField(help_text="“passed” if all of them did.")
    total = serializers.IntegerField(read_only=True, help_text="Conversations.")
    over = serializers.IntegerField(read_only=True)
    passed = serializers.IntegerField(read_only=True)

    class Meta:
        model = RehearsalRun
        fields = (
            "id", "agent", "agent_name", "version", "is_draft", "begun_by", "begun_at", "stopped_at", "state", "total", "over", "passed",
        )  # fmt: skip
        read_only_fields = fields

    @extend_schema_field(serializers.ChoiceField(choices=RUN_STATES))
    def get_state(self, run: Any) -> str:
        if run.over < run.total:
            return "running"
        return "passed" if run.total and run.passed == run.total else "failed"


class EvidenceSerializer(serializers.Serializer[Any]):
    number = serializers.IntegerField()
    speaker = serializers.ChoiceField(choices=Turn.Speaker.choices)
    text = serializers.CharField()


class VerdictSerializer(serializers.Serializer[Any]):
    wish = serializers.CharField(help_text="The assertion.")
    passed = serializers.BooleanField()
    why = serializers.CharField()
    evidence = EvidenceSerializer(many=True, help_text="The turns in which it is seen; empty where nothing is to be seen.")


class ResultSerializer(serializers.ModelSerializer[RehearsalResult]):
    """One conversation. Needs `evidence` in the context: the turns of each session by their numbers."""

    scenario_name = serializers.CharField(source="scenario.name", read_only=True)
    session_id = serializers.CharField(source="session.session_id", read_only=True, help_text="The test call: its turns, tools and costs.")
    verdicts = serializers.SerializerMethodField()
    problem = serializers.CharField(read_only=True, help_text="Why it could not be held, or what failed in it.")
    cost = serializers.SerializerMethodField(help_text="The agent's side, in `currency`; null: not known.")
    currency = serializers.SerializerMethodField()

    class Meta:
        model = RehearsalResult
        fields = (
            "scenario",
            "scenario_name",
            "session_id",
            "by_voice",
            "state",
            "verdicts",
            "problem",
            "cost",
            "currency",
            "lasted_ms",
            "ended_at",
        )
        read_only_fields = fields

    @extend_schema_field(VerdictSerializer(many=True))
    def get_verdicts(self, result: RehearsalResult) -> list[dict[str, Any]]:
        turns: Mapping[int, Turn] = self.context["evidence"].get(result.session_id, {})
        return [
            {
                **{name: verdict[name] for name in ("wish", "passed", "why")},
                "evidence": EvidenceSerializer([turns[number] for number in verdict["turns"] if number in turns], many=True).data,
            }
            for verdict in result.verdicts
        ]

    @extend_schema_field(serializers.DecimalField(max_digits=18, decimal_places=9, allow_null=True))
    def get_cost(self, result: RehearsalResult) -> str | None:
        return None if result.cost is None else plain(result.cost)

    def get_currency(self, result: RehearsalResult) -> str:
        return settings.BILLING_CURRENCY


class RehearsalDetailSerializer(RehearsalSerializer):
    """A rehearsal with what each conversation showed."""

    results = serializers.SerializerMethodField()

    class Meta(RehearsalSerializer.Meta):
        fields = (*RehearsalSerializer.Meta.fields, "results")  # type: ignore[assignment]  # one more
        read_only_fields = fields  # type: ignore[assignment]  # as above

    @extend_schema_field(ResultSerializer(many=True))
    def get_results(self, run: RehearsalRun) -> list[Any]:
        results = list(run.results.select_related("scenario", "session"))
        numbers = {number for result in results for verdict in result.verdicts for number in verdict["turns"]}
        evidence: dict[int, dict[int, Turn]] = {}
        for turn in Turn.objects.filter(session__rehearsal__run=run, number__in=numbers) if numbers else ():
            evidence.setdefault(turn.session_id, {})[turn.number] = turn
        return list(ResultSerializer(results, many=True, context={"evidence": evidence}).data)

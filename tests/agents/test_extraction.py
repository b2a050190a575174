"""Which extraction schemas are taken, and what is said of those that are not."""

import pytest
from django.core.exceptions import ValidationError

from agents import extraction
from agents.models import Agent
from tests.calls import made_calls as made

GOOD = {
    "type": "object",
    "properties": {
        "order_id": {"type": "string", "pattern": "^[0-9]{6}$"},
        "amount": {"type": "number", "minimum": 0},
        "address": {"$ref": "#/$defs/address"},
    },
    "required": ["order_id"],
    "$defs": {"address": {"type": "object", "properties": {"city": {"type": "string"}}}},
}


def within(**keywords) -> dict:
    return {"type": "object", "properties": {"a": keywords}}


def nested(levels: int) -> dict:
    schema: dict = {"type": "string"}
    for _ in range(levels):
        schema = {"type": "object", "properties": {"a": schema}}
    return schema


@pytest.mark.parametrize("schema", [None, {}, GOOD, nested(5), within(type=["string", "null"])])
def test_schemas_that_are_taken(schema):
    assert extraction.problem(schema) == ""


@pytest.mark.parametrize(
    ("schema", "word"),
    [
        ([], "object"),
        ("text", "object"),
        ({"type": "array"}, "object"),
        ({"type": "object"}, "properties"),
        ({"type": "object", "properties": []}, "properties"),
        (within(type="strin"), "draft 2020-12"),
        (within(minimum="1"), "draft 2020-12"),
        (within(**{"$ref": "https://example.com/schema.json"}), "into the schema itself"),
        (within(**{"$ref": "file:///etc/passwd"}), "into the schema itself"),
        (within(**{"$ref": "#/$defs/nowhere"}), "leads nowhere"),
        (within(**{"$ref": "#/properties/a"}), "without an end"),
        ({**within(type="string"), "$id": "https://example.com/"}, "$id"),
        ({**within(type="string"), "allOf": [{"$ref": "#"}]}, "without an end"),
        (within(pattern="^(a+)+$"), "repeat a group"),
        (within(pattern="("), "regular expression"),
        (within(pattern="a" * 300), "short"),
        ({**within(), "patternProperties": {"(x|y)*z": {}}}, "repeat a group"),
        (within(description="x" * 9000), "8000"),
        (nested(40), "nested"),
        (nested(450), "nested"),
        (within(const="a\x00b"), "NUL"),
        (within(const="\ud800"), "surrogate"),
    ],
)
def test_schemas_that_are_refused_with_what_to_do(schema, word):
    assert word in extraction.problem(schema)


def test_flaws_name_places_and_rules_and_never_a_value():
    found = extraction.flaws(GOOD, {"order_id": "secret-4711", "amount": -5, "address": {"city": 7}})
    assert found == ["address.city: type", "amount: minimum", "order_id: pattern"]
    assert extraction.flaws(GOOD, {"order_id": "123456"}) == []
    assert extraction.flaws(GOOD, []) == ["(all of it): type"]


def test_references_still_lead_home_when_the_schema_is_moved():
    outer = {"type": "object", "properties": {"extraction": extraction.moved(GOOD, "#/properties/extraction")}}
    assert extraction.flaws(outer, {"extraction": {"order_id": "123456", "address": {"city": 7}}}) == ["extraction.address.city: type"]


@pytest.mark.django_db
def test_a_schema_is_judged_at_publication_whatever_door_it_comes_through():
    agent = made.agent_of(made.operator(), extraction_schema=GOOD)
    assert agent.current_version.as_spec().extraction_schema == GOOD
    agent.extraction_schema = within(type="strin")
    with pytest.raises(ValidationError) as refused:
        agent.save()
    assert "extraction_schema" in refused.value.message_dict
    assert Agent.objects.get(pk=agent.pk).extraction_schema == GOOD


@pytest.mark.django_db
def test_the_api_takes_and_refuses_it_in_words(client):
    owner = made.operating(made.operator())
    agent = made.agent_of(owner)
    client.force_login(owner)

    def patched(**body):
        return client.patch(f"/api/v1/agents/{agent.pk}/", body, content_type="application/json")

    taken = patched(extraction_schema=GOOD, recording_retention_days=30, analyse_calls=True)
    assert taken.status_code == 200, taken.content
    assert (taken.json()["extraction_schema"], taken.json()["recording_retention_days"]) == (GOOD, 30)
    refused = patched(extraction_schema=within(type="strin"))
    assert refused.status_code == 400 and "extraction_schema" in refused.content.decode()
    assert patched(recording_retention_days=0).status_code == 400
    assert patched(recording_retention_days=None).json()["recording_retention_days"] is None

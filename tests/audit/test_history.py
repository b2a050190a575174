"""The history of changes: written by Postgres whatever the door, readable, without secrets and numbers."""

import pytest
from django.contrib.auth.models import Permission, User
from django.db import DatabaseError, connection, transaction
from django.test import Client
from rest_framework.test import APIClient

from agents.models import Agent, Destination, HttpTool
from audit import history, words
from audit.history import Wanted
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db


def told(**wanted) -> list[words.EntryLine]:
    names = words.Names()
    return [words.entry_line(entry, names) for entry in history.entries(Wanted(**wanted))[0]]


def client_of(user) -> Client:
    client = Client()
    client.force_login(user)
    return client


@pytest.fixture
def root():
    return made.operator("root", superuser=True)


def test_a_change_in_the_pages_tells_who_what_from_and_to(root):
    agent = made.agent_of(root)
    client_of(root).post(f"/agents/{agent.pk}/switch/", {"active": "no"})
    newest = told(kind="agent")[0]
    assert (newest.who, str(newest.deed), newest.kind, newest.name) == ("root", "changed", "Agent", "Clinic reception")
    assert [(line.label, line.old, line.new) for line in newest.changes] == [("Active", "yes", "no")]
    assert newest.link == f"/agents/{agent.pk}/"


def test_a_change_over_the_api_tells_whose_key_it_was(root):
    agent = made.agent_of(root)
    client = APIClient()
    client.credentials(HTTP_AUTHORIZATION="Basic " + __import__("base64").b64encode(f"root:{made.PASSWORD}".encode()).decode())
    answer = client.patch(f"/api/v1/agents/{agent.pk}/", {"llm": {"temperature": 0.2}}, format="json")
    assert answer.status_code == 200, answer.content
    newest = told(kind="agent")[0]
    assert (newest.who, [(line.old, line.new) for line in newest.changes]) == ("root", [("0.7", "0.2")])


def test_a_change_behind_every_door_is_told_too(root):
    agent = made.agent_of(root)
    with connection.cursor() as cursor:
        cursor.execute("update agents_agent set prompt = %s where id = %s", ["x" * 900, agent.pk])
    newest = told(kind="agent")[0]
    assert (newest.who, newest.changes[0].new) == ("", "900 characters")


def test_a_save_that_changes_nothing_is_no_change(root):
    agent = made.agent_of(root)
    agent.save()
    assert [str(line.deed) for line in told(kind="agent")] == ["made"]


def test_secrets_numbers_and_passwords_are_told_of_but_never_told(root):
    agent = made.agent_of(root)
    tool = HttpTool(
        agent=agent, name="look_up", description="d", url="https://api.example.com/x?key=open-sesame", secret_headers='{"A": "hush"}'
    )
    tool.headers, tool.fixed = {"X-Team": "blue-team"}, {"token": "fixed-token"}
    tool.save()
    HttpTool.objects.filter(pk=tool.pk).update(secret_headers='{"A": "hush hush"}')
    tool.refresh_from_db()
    tool.url, tool.headers, tool.fixed = "https://api.example.com/y?key=other", {"X-Team": "red-team"}, {"token": "another"}
    tool.save()
    desk = Destination(agent=agent, name="Desk", description="Sales", numbers=["+918047112233"])
    desk.save()
    Destination.objects.filter(pk=desk.pk).update(numbers=["+918047112299"])
    root.set_password("a new long password")
    root.email, root.first_name = "asha@example.com", "Asha"
    root.save()
    page = client_of(root).get("/history/").content.decode()
    for secret in ("open-sesame", "hush", "blue-team", "red-team", "fixed-token", "another", "8047112", "pbkdf2", "md5$", "asha@", "other"):
        assert secret not in page, secret
    assert page.count("replaced a secret") == 3
    assert "https://api.example.com/x?…" in page
    assert "X-Team" in page
    stored = str([list(model._default_manager.values()) for model in history.event_models().values()])
    assert not [secret for secret in ("hush", "8047112", "md5$", "asha@") if secret in stored]


def test_permissions_and_people_are_followed(root):
    somebody = made.operator("vikram")
    permission = Permission.objects.get(codename="change_agent")
    somebody.user_permissions.add(permission)
    somebody.user_permissions.remove(permission)
    somebody.is_staff = True
    somebody.save()
    assert [(str(line.deed), [change.new or change.old for change in line.changes]) for line in told(kind="user_user_permissions")] == [
        ("taken away", ["vikram", "agent: may change"]),
        ("given", ["vikram", "agent: may change"]),
    ]
    assert [(line.name, line.changes[0].label) for line in told(kind="user") if line.changes] == [("vikram", "Staff status")]


def test_what_was_deleted_is_told_by_its_name(root):
    agent = made.agent_of(root)
    agent.delete()
    newest = told(kind="agent")[0]
    assert (str(newest.deed), newest.name, newest.link) == ("deleted", "Clinic reception", "")


def test_history_cannot_be_rewritten(root):
    made.agent_of(root)
    model = history.event_models()["agent"]
    for change in (lambda: model._default_manager.update(name="x"), lambda: model._default_manager.all().delete()):
        with pytest.raises(DatabaseError), transaction.atomic():
            change()


def test_the_page_is_narrowed_and_continued(root, monkeypatch):
    monkeypatch.setattr("audit.history.ROWS", 3)
    other = made.operator("vikram")
    agent = made.agent_of(root)
    Agent.objects.filter(pk=agent.pk).update(name="Renamed")
    shown, further = history.entries(Wanted(), limit=2)
    # One transaction is one moment: it is never parted.
    assert further is None or shown[-1].at == further
    page = client_of(root).get("/history/", {"kind": "agent", "who": "nobody-of-this-name", "before": "nonsense"})
    assert "No such change" in page.content.decode()
    assert client_of(root).get("/history/", {"who": "root"}).context["who"] == "root"
    assert client_of(other).get("/history/").status_code == 403
    assert Client().get("/history/").status_code == 302
    other.user_permissions.add(Permission.objects.get(codename="view_history"))
    assert client_of(User.objects.get(pk=other.pk)).get("/history/", {"kind": "agent"}).status_code == 200


def test_everything_that_changed_in_one_moment_is_shown_and_what_was_before_stays_in_reach(root):
    agent = made.agent_of(root)
    for number in range(5):
        Agent.objects.filter(pk=agent.pk).update(name=f"Renamed {number}")
    shown, further = history.entries(Wanted(kind="agent"), limit=2)
    assert [entry.name for entry in shown] == [*(f"Renamed {number}" for number in (4, 3, 2, 1, 0)), "Clinic reception"]
    assert further == shown[-1].at
    assert history.entries(Wanted(kind="agent", before=further), limit=2) == ([], None)


def test_only_what_changes_something_carries_a_context(root, rf):
    from audit.middleware import WhoMiddleware

    seen = []

    def view(request):
        import pghistory.runtime

        seen.append(hasattr(pghistory.runtime._tracker, "value"))

    middleware = WhoMiddleware(view)
    for request in (rf.get("/agents/"), rf.post("/agents/new/")):
        request.user = root
        middleware(request)
    assert seen == [False, True]

"""The doors of a call's page: who may enter, what they leave behind, and what somebody with a link sees."""

import json
from datetime import timedelta

import pytest
from django.test import Client
from django.urls import reverse
from django.utils import timezone

from calls import commands
from calls.models import Analysis, CallEvent, CallNote, CallShare, CallTag, Job, Recording, Session, Waveform
from calls.page import shown
from tests.calls import made_calls as made

pytestmark = pytest.mark.django_db
HTMX = {"HX-Request": "true"}
HOSTILE = "<script>alert(1)</script>"


@pytest.fixture
def owner():
    return made.operator("asha")


@pytest.fixture
def signed_in(owner) -> Client:
    client = Client()
    client.force_login(owner)
    return client


@pytest.fixture
def session(owner) -> Session:
    session = made.talking_call(made.agent_of(owner))
    made.exchange(session, 0, "My number is 98765 43210", "Thank you, Ananya", generated="Thank you, Ananya. I wrote down 98765 43210")
    made.end(session)
    return session


def stored(session: Session) -> None:
    row = {"state": Recording.State.STORED, "key": f"recordings/{session.session_id}.wav", "size_bytes": 9, "duration_ms": 84_000}
    Recording.objects.update_or_create(session=session, defaults=row)


def drawn(session: Session) -> None:
    stored(session)
    commands.waveform_drawn(session, channels=2, duration_ms=84_000, peaks=bytes(8))


def url(name: str, session: Session, *more) -> str:
    return reverse(name, args=[session.session_id, *more])


def page_of(client: Client, session: Session) -> str:
    return client.get(url("call-page", session)).content.decode()


DEEDS = [
    ("call-note", {"text": "x"}),
    ("call-tag", {"tag": "x"}),
    ("call-tag-remove", {"tag": "x"}),
    ("call-share", {"days": 7}),
    ("call-draw", {}),
]


@pytest.mark.parametrize(("name", "sent"), DEEDS)
def test_nobody_touches_a_call_of_somebody_else(session, name, sent):
    stored(session)
    stranger, nobody = Client(), Client()
    stranger.force_login(made.operator())
    before = CallEvent.objects.filter(session=session).count()
    assert stranger.post(url(name, session), sent).status_code == 404
    assert nobody.post(url(name, session), sent).status_code == 302
    assert stranger.get(url("call-waveform", session)).status_code == 404
    assert CallEvent.objects.filter(session=session).count() == before
    assert not CallNote.objects.exists() and not CallTag.objects.exists() and not CallShare.objects.exists()


@pytest.mark.parametrize(("name", "sent"), DEEDS)
def test_deeds_need_our_own_form_and_a_post(session, owner, name, sent):
    strict = Client(enforce_csrf_checks=True)
    strict.force_login(owner)
    assert strict.post(url(name, session), sent).status_code == 403
    assert strict.get(url(name, session)).status_code == 405


def test_a_number_is_on_the_page_only_for_those_who_may_see_numbers(signed_in, session):
    mighty = Client()
    mighty.force_login(made.operator(superuser=True))
    assert "+919876543212" not in page_of(signed_in, session) and "+91••••••••12" in page_of(signed_in, session)
    assert 'data-number="+919876543212"' in page_of(mighty, session)


# --- the recording ---------------------------------------------------------------------------------------------------------------


def test_the_player_learns_what_to_draw_without_the_recording(signed_in, session):
    assert signed_in.get(url("call-waveform", session)).status_code == 404
    drawn(session)
    response = signed_in.get(url("call-waveform", session))
    told = response.json()
    assert "no-store" in response["Cache-Control"]
    assert told["duration_ms"] == 84_000 and len(told["channels"]) == 2
    assert [turn["key"] for turn in told["turns"]] == ["caller-0", "agent-1"]
    assert told["turns"][0]["words"][0] == [0, 2, 0]
    html = page_of(signed_in, session)
    assert f'data-waveform="{url("call-waveform", session)}"' in html and 'preload="none"' in html


def test_a_recording_from_before_there_were_pictures_is_drawn_when_somebody_asks(signed_in, session):
    stored(session)
    assert f'action="{url("call-draw", session)}"' in page_of(signed_in, session)
    response = signed_in.post(url("call-draw", session), headers=HTMX)
    assert response.status_code == 204 and "being drawn" in json.loads(response["HX-Trigger"])["notice"]
    assert Job.objects.get(session=session, kind="calls.draw_recording").state == Job.State.QUEUED
    assert f'action="{url("call-draw", session)}"' not in page_of(signed_in, session)


def test_a_call_without_a_stored_recording_has_nothing_to_draw(signed_in, session):
    assert signed_in.post(url("call-draw", session)).status_code == 404


def test_a_deleted_recording_leaves_no_picture(signed_in, session):
    drawn(session)
    commands.recording_deleted(session, carrier="kept by the carrier")
    assert not Waveform.objects.exists()
    commands.waveform_drawn(session, channels=1, duration_ms=1, peaks=b"x")
    assert not Waveform.objects.exists()


# --- notes and tags ----------------------------------------------------------------------------------------------------------------


def test_a_note_has_an_author_and_a_time_and_is_text(signed_in, session):
    html = signed_in.post(url("call-note", session), {"text": f"  Call back\r\non Monday {HOSTILE} "}, headers=HTMX).content.decode()
    assert "<html" not in html and "asha" in html and "Call back\non Monday" in html and HOSTILE not in html
    note = CallNote.objects.get()
    assert note.author.username == "asha"
    event = CallEvent.objects.get(session=session, kind="note-added")
    assert event.facts == {"by": "asha"} and event.source == "operator"
    assert "Note by asha" in page_of(signed_in, session)


def test_a_note_is_taken_away_by_its_author_and_leaves_no_words(signed_in, session):
    signed_in.post(url("call-note", session), {"text": "Secret word"})
    note = CallNote.objects.get()
    mighty = Client()
    mighty.force_login(made.operator("boss", superuser=True))
    mighty.post(url("call-note", session), {"text": "By the boss"})
    html = signed_in.post(url("call-note-remove", session, CallNote.objects.get(text="By the boss").pk), headers=HTMX).content.decode()
    assert "Only who wrote a note may take it away." in html
    html = signed_in.post(url("call-note-remove", session, note.pk), headers=HTMX).content.decode()
    assert "Secret word" not in html and "Taken away by asha" in html and "By the boss" in html
    note.refresh_from_db()
    assert note.text == "" and str(note.removed_by) == "asha"
    assert CallEvent.objects.filter(session=session, kind="note-removed").count() == 1
    signed_in.post(url("call-note-remove", session, note.pk))
    assert CallEvent.objects.filter(session=session, kind="note-removed").count() == 1


def test_what_cannot_be_kept_is_explained_and_not_lost(signed_in, session):
    html = signed_in.post(url("call-note", session), {"text": "a" * 4001}, headers=HTMX).content.decode()
    assert "at most 4,000 characters" in html and "a" * 4001 in html
    assert "Write something first." in signed_in.post(url("call-note", session), {"text": " \n"}, headers=HTMX).content.decode()
    assert "at most 40 characters" in signed_in.post(url("call-tag", session), {"tag": "a" * 41}, headers=HTMX).content.decode()
    assert "Write a word first." in signed_in.post(url("call-tag", session), {"tag": ""}, headers=HTMX).content.decode()
    response = signed_in.post(url("call-tag", session), {"tag": ""}, follow=True)
    assert "Write a word first." in response.content.decode()
    assert not CallNote.objects.exists() and not CallTag.objects.exists()


def test_tags_of_two_spellings_are_one_and_each_deed_is_written_down(signed_in, session):
    for tag in ("Call  Back", " call back", "वापस कॉल"):
        signed_in.post(url("call-tag", session), {"tag": tag})
    assert sorted(CallTag.objects.values_list("name", flat=True)) == ["call back", "वापस कॉल"]
    html = signed_in.post(url("call-tag-remove", session), {"tag": "CALL BACK"}, headers=HTMX).content.decode()
    assert "वापस कॉल" in html and 'value="call back"' not in html
    signed_in.post(url("call-tag", session), {"tag": "call back"})
    told = [(event.kind, event.facts["tag"]) for event in CallEvent.objects.filter(session=session, kind__startswith="tag-").order_by("id")]
    assert told == [("tag-added", "call back"), ("tag-added", "वापस कॉल"), ("tag-removed", "call back"), ("tag-added", "call back")]
    assert "Tagged “call back” by asha" in page_of(signed_in, session)


def test_a_tag_that_is_written_is_completed_from_ones_own_calls(signed_in, session):
    other = made.talking_call(made.agent_of(made.operator("other")))
    commands.add_tag(other, name="callous", by=other.owner)
    for tag in ("call back", "complaint", "vip"):
        commands.add_tag(session, name=tag, by=session.owner)
    html = signed_in.get(reverse("call-tags"), {"tag": "  C"}).content.decode()
    assert html.split() == ["<option", 'value="call', 'back"></option><option', 'value="complaint"></option>']


def test_a_call_takes_no_more_than_people_can_read(session, monkeypatch):
    monkeypatch.setattr("calls.commands.remarks.MOST_NOTES", 1)
    monkeypatch.setattr("calls.commands.remarks.MOST_TAGS", 1)
    monkeypatch.setattr("calls.commands.sharing.MOST_OPEN_SHARES", 1)
    commands.add_note(session, text="one", by=session.owner)
    commands.add_tag(session, name="one", by=session.owner)
    commands.share_call(session, days=1, with_recording=False, by=session.owner)
    with pytest.raises(commands.Declined, match="at most 1 notes"):
        commands.add_note(session, text="two", by=session.owner)
    with pytest.raises(commands.Declined, match="at most 1 tags"):
        commands.add_tag(session, name="two", by=session.owner)
    with pytest.raises(commands.Declined, match="at most 1 open links"):
        commands.share_call(session, days=1, with_recording=False, by=session.owner)


# --- links -------------------------------------------------------------------------------------------------------------------------


def share(session: Session, **how) -> tuple[CallShare, str]:
    made_share = commands.share_call(session, **{"days": 7, "with_recording": False, "by": session.owner, **how})
    return made_share, shown.share_path(made_share)


def test_a_link_is_made_counted_and_withdrawn(signed_in, session, client):
    html = signed_in.post(url("call-share", session), {"days": "7"}, headers=HTMX).content.decode()
    made_share = CallShare.objects.get()
    path = shown.share_path(made_share)
    assert f"http://testserver{path}" in html and not made_share.with_recording
    assert timedelta(days=6, hours=23) < made_share.expires_at - timezone.now() <= timedelta(days=7)
    assert client.get(path).status_code == 200
    made_share.refresh_from_db()
    assert made_share.opened == 1 and made_share.opened_at is not None
    html = signed_in.post(url("call-share-revoke", session, made_share.share_id), headers=HTMX).content.decode()
    assert path not in html
    gone = client.get(path)
    assert gone.status_code == 410 and "no longer open" in gone.content.decode() and "Clinic" not in gone.content.decode()
    kinds = list(CallEvent.objects.filter(session=session, kind__startswith="share").order_by("id").values_list("kind", flat=True))
    assert kinds == ["share-made", "share-revoked"]
    assert not commands.revoke_share(session, made_share.share_id, by=session.owner)


def test_a_link_expires(session, client):
    made_share, path = share(session)
    CallShare.objects.filter(pk=made_share.pk).update(expires_at=timezone.now())
    assert client.get(path).status_code == 410
    assert client.get(f"{path}waveform.json").status_code == 404


@pytest.mark.parametrize("days", ["", "0", "8", "-1", "७", "9999999"])
def test_a_term_that_is_not_offered_makes_no_link(signed_in, session, days):
    html = signed_in.post(url("call-share", session), {"days": days}, headers=HTMX).content.decode()
    assert "Choose one of them" in html and not CallShare.objects.exists()


def test_a_link_that_we_never_made_is_no_link(session, client):
    made_share, path = share(session)
    other = path.replace(made_share.share_id, made_share.share_id[::-1])
    for wrong in (other, path[:-2] + "x/", "/shared/x/", f"/shared/{made_share.share_id}/"):
        assert client.get(wrong).status_code == 404, wrong


def test_a_shared_call_tells_nobody_who_it_was(session, client):
    Session.objects.filter(pk=session.pk).update(customer={"name": "Ananya Krishnan"})
    made.use(session)
    commands.account(session)
    commands.add_note(session, text="Private note", by=session.owner)
    commands.add_tag(session, name="private tag", by=session.owner)
    Analysis.objects.create(session=session, summary="Wanted a slot", outcome="achieved", sentiment="positive", provider="p", model="m")
    _, path = share(session)
    response = client.get(path)
    html = response.content.decode()
    for secret in (
        "98765",
        "9876543",
        "43210",
        "Ananya",
        "918047112233",
        "Private",
        "private tag",
        "slot",
        "+91",
        "₹",
        "$0",
        "asha",
        "sid0",
        session.session_id,
    ):
        assert secret not in html, secret
    assert "My number is •••" in html and "Thank you, •••" in html and "<s>. I wrote down •••</s>" in html
    assert response["X-Robots-Tag"] == "noindex, nofollow, noarchive"
    assert response["Referrer-Policy"] == "no-referrer"
    assert "no-store" in response["Cache-Control"] and 'content="noindex"' in html
    assert "unsafe" not in response["Content-Security-Policy"] and not response.cookies


def test_a_voice_is_shared_only_if_somebody_ticked_it(signed_in, session, client):
    drawn(session)
    _, path = share(session)
    html = client.get(path).content.decode()
    assert "<audio" not in html and "X-Amz" not in html
    assert client.get(f"{path}waveform.json").status_code == 404
    signed_in.post(url("call-share", session), {"days": "1", "with_recording": "yes"})
    path = shown.share_path(CallShare.objects.get(with_recording=True))
    html = client.get(path).content.decode()
    assert "X-Amz-Signature=" in html and "X-Amz-Expires=768" in html and f'data-waveform="{path}waveform.json"' in html
    response = client.get(f"{path}waveform.json")
    assert response["Referrer-Policy"] == "no-referrer" and len(response.json()["turns"]) == 2
    # Its words are those that are shown, so that a click on one plays that one.
    text = "My number is •••"
    assert [text[start:end] for start, end, _ms in response.json()["turns"][0]["words"]] == text.split()

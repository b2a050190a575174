"""What operators write on a call: notes and tags. Each deed is an event of the call as well, with who did it and without the words."""

import unicodedata

from django.contrib.auth.models import AbstractBaseUser
from django.db import transaction
from django.utils import timezone

from calls import broadcast
from calls.commands.refusals import Declined
from calls.commands.timeline import record_event
from calls.kinds import Kind
from calls.models import CallNote, CallTag, Session
from calls.page.rows import MOST_NOTE_CHARACTERS, MOST_TAG_CHARACTERS

MOST_NOTES, MOST_TAGS = 200, 20


def add_note(session: Session, *, text: str, by: AbstractBaseUser) -> CallNote:
    """Raises `Declined` for a note without words, one that is too long, or one too many."""
    text = _printable(text, keep="\n").strip()
    if not text:
        raise Declined("Write something first.")
    if len(text) > MOST_NOTE_CHARACTERS:
        raise Declined(f"A note has at most {MOST_NOTE_CHARACTERS:,} characters; this one has {len(text):,}. Cut it in two.")
    with transaction.atomic():
        Session.objects.select_for_update(no_key=True).get(pk=session.pk)
        if CallNote.objects.filter(session=session).count() >= MOST_NOTES:
            raise Declined(f"A call has at most {MOST_NOTES} notes. Write the rest where your cases are kept.")
        note = CallNote.objects.create(session=session, author_id=by.pk, text=text)
        _write_down(session, f"note:{note.pk}", "note-added", by)
        broadcast.beside_changed_on_commit(session, "remark", note.pk)
    return note


def remove_note(session: Session, note_id: int, *, by: AbstractBaseUser) -> bool:
    """Takes a note's words away for good; who wrote it and who took it away stay. False if there is none, or not any more.

    Only its author may, or a superuser: raises `Declined` for others.
    """
    with transaction.atomic():
        note = CallNote.objects.select_for_update(no_key=True).filter(session=session, pk=note_id, removed_at=None).first()
        if note is None:
            return False
        if note.author_id != by.pk and not getattr(by, "is_superuser", False):
            raise Declined("Only who wrote a note may take it away.")
        CallNote.objects.filter(pk=note.pk).update(text="", removed_at=timezone.now(), removed_by_id=by.pk)
        _write_down(session, f"note:{note.pk}:removed", "note-removed", by)
    return True


def add_tag(session: Session, *, name: str, by: AbstractBaseUser) -> str:
    """The tag as it is kept. A tag that is there already stays as it was. Raises `Declined` for one that cannot be kept."""
    name = tag_name(name)
    if not name:
        raise Declined("Write a word first.")
    if len(name) > MOST_TAG_CHARACTERS:
        raise Declined(f"A tag has at most {MOST_TAG_CHARACTERS} characters. What needs more words is a note.")
    with transaction.atomic():
        row = Session.objects.select_for_update(no_key=True).get(pk=session.pk)
        tags = set(CallTag.objects.filter(session=session).values_list("name", flat=True))
        if name in tags:
            return name
        if len(tags) >= MOST_TAGS:
            raise Declined(f"A call has at most {MOST_TAGS} tags. Take one away first.")
        CallTag.objects.create(session=session, owner_id=row.owner_id, name=name, author_id=by.pk)
        _write_down(session, f"tag:{_number(session)}", "tag-added", by, tag=name)
    return name


def remove_tag(session: Session, *, name: str, by: AbstractBaseUser) -> bool:
    """False if the call has no such tag."""
    with transaction.atomic():
        Session.objects.select_for_update(no_key=True).get(pk=session.pk)
        if not CallTag.objects.filter(session=session, name=tag_name(name)).delete()[0]:
            return False
        _write_down(session, f"tag:{_number(session)}", "tag-removed", by, tag=tag_name(name))
    return True


def tag_name(name: str) -> str:
    """Small letters, single spaces: `  Call   Back` and `call back` are one tag."""
    return " ".join(_printable(unicodedata.normalize("NFC", name)).casefold().split())


def _printable(text: str, keep: str = "") -> str:
    """Without what no page can show and Postgres cannot keep: control characters, half characters."""
    text = text.replace("\r\n", "\n")
    return "".join(letter if letter in keep or unicodedata.category(letter) not in ("Cc", "Cs", "Cn") else " " for letter in text)


def _number(session: Session) -> int:
    """Tells one deed from the next: the same tag may come and go."""
    return session.events.filter(kind__in=("tag-added", "tag-removed")).count() + 1


def _write_down(session: Session, key: str, kind: Kind, by: AbstractBaseUser, **facts: str) -> None:
    record_event(session=session, key=key, source="operator", kind=kind, facts={"by": by.get_username()[:150], **facts})

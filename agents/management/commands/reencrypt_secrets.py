"""`manage.py reencrypt_secrets`: writes every stored secret anew with the newest of FIELD_KEYS, so that the older ones can be removed.

Publishes no version and shows no secret. Repeatable: what the newest key has written is left alone.
"""

from typing import Any

from django.apps import apps
from django.core.management.base import BaseCommand, CommandError
from django.db import models, transaction
from django.db.models.functions import Cast

from agents import encryption
from agents.encryption import EncryptedText, Undecipherable


class Command(BaseCommand):
    help = "Encrypts all stored secrets with the newest of FIELD_KEYS; afterwards the older keys are not needed any more."

    def handle(self, *args: Any, **options: Any) -> None:
        done, unreadable = 0, []
        for model in apps.get_models():
            for field in model._meta.concrete_fields:
                if isinstance(field, EncryptedText):
                    for key in model._default_manager.values_list("pk", flat=True).order_by("pk"):
                        try:
                            done += renew(model, field.attname, key)
                        except Undecipherable as error:
                            unreadable.append(f"{model._meta.label} {key}: {error}")
        self.stdout.write(f"{done} secrets were encrypted anew with the key {encryption.newest()!r}.")
        if unreadable:
            raise CommandError("These cannot be read; keep the old keys:\n" + "\n".join(unreadable))
        self.stdout.write("Every stored secret is readable with that key alone: remove the older ones from FIELD_KEYS.")


def renew(model: type[models.Model], name: str, key: Any) -> bool:
    """Encrypts one column of one row with the newest key. False if it is gone or that key has written it. Raises `Undecipherable`."""
    with transaction.atomic():
        rows = model._default_manager.filter(pk=key)
        stored = (
            rows.select_for_update(no_key=True).annotate(stored=Cast(name, models.TextField())).values_list("stored", flat=True).first()
        )
        if stored is None or encryption.key_of(stored) == encryption.newest():
            return False
        secret = rows.values_list(name, flat=True).get()
        rows.update(**{name: secret})  # not `save`: that would publish a version though nothing has changed for callers
    return True

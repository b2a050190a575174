"""What rows keep of a failure, for the admin: in the reader's language, as the pages tell it."""

from typing import Any

from django.contrib import admin
from django.utils.translation import gettext_lazy as _

from calls.sentences import in_readers_words


class LastErrorInWords:
    """For an admin whose rows have a `last_error`: `problem` stands in its lists and forms instead."""

    @admin.display(description=_("Last error"), ordering="last_error")
    def problem(self, row: Any) -> str:
        return in_readers_words(row.last_error) or "–"

"""Gives the scripts of a page their words in the reader's language, as JSON that static/js/words.js reads. English needs none."""

from django import template
from django.conf import settings
from django.utils.html import json_script
from django.utils.safestring import SafeString
from django.utils.translation import get_language, gettext

from voiceagents.script_words import WORDS

register = template.Library()


@register.simple_tag
def script_words() -> str | SafeString:
    if get_language() in (None, settings.LANGUAGE_CODE):
        return ""
    return json_script({word: gettext(word) for word in WORDS}, "script-words")

"""OpenAI's chat completions for work behind the calls: one blocking request for JSON of a given shape, through the official SDK.

Nothing is retried here and no answer is trusted: whoever asked checks it against the schema, which other models take as advice only.
"""

from collections.abc import Sequence
from typing import Any

import httpx2
import openai
from openai import DefaultHttpx2Client, OpenAI

from engine.errors import ErrorCategory, ProviderError
from engine.ports import Message
from providers.completion import Completion
from providers.config import LanguageModelOptions, OpenAIConfig
from providers.connection import nonsense
from providers.evidence import is_plausible, name_of, own_name
from providers.openai import client
from providers.openai.llm import message_json, request_settings, usage_records
from providers.proxies import may_use_proxy

_TIMEOUT = httpx2.Timeout(120, connect=5, write=30, pool=5)


class OpenAICompleter:
    provider = client.PROVIDER

    def __init__(self, config: OpenAIConfig, options: LanguageModelOptions, timeout: httpx2.Timeout = _TIMEOUT) -> None:
        self.model = options.model
        self._config = config
        self._options = options
        self._timeout = timeout

    def complete(self, messages: Sequence[Message], schema: dict[str, Any]) -> Completion:
        shape = {"type": "json_schema", "json_schema": {"name": "answer", "schema": schema, "strict": False}}
        body: dict[str, Any] = {
            "model": self.model,
            "messages": [message_json(message) for message in messages],
            "response_format": shape,
            **request_settings(self._options),
        }
        by_proxy = may_use_proxy(self._config.base_url)
        with DefaultHttpx2Client(timeout=self._timeout, trust_env=by_proxy) as http:
            sdk = OpenAI(
                api_key=self._config.api_key, base_url=self._config.base_url, max_retries=0, timeout=self._timeout, http_client=http
            )
            try:
                answer = sdk.chat.completions.create(**body)
            except (openai.APIError, AttributeError, ValueError) as error:
                # `from None`: the SDK's own text repeats prompts.
                raise client.as_provider_error(error, started=False) from None
        return completion(answer, self.model)


def completion(answer: Any, model: str) -> Completion:
    """The SDK's answer in our shape; the SDK builds its models without checking them."""
    try:
        choice = answer.choices[0]
        request_id = name_of(answer.id) or own_name()
        refusal, text, reason = choice.message.refusal, choice.message.content or "", choice.finish_reason
        usage = usage_records(model, request_id, answer.usage)
        has_sense = answer.usage is None or all(map(is_plausible, (answer.usage.prompt_tokens, answer.usage.completion_tokens)))
    except (AttributeError, IndexError, TypeError) as error:
        raise nonsense(client.PROVIDER) from error
    if not has_sense:
        raise nonsense(client.PROVIDER)  # whose bill makes no sense, nor need the rest of it
    if refusal or reason == "content_filter":
        message = "declined to answer; read the call yourself, or choose another language model"
        raise ProviderError(client.PROVIDER, ErrorCategory.BAD_REQUEST, message, retryable=False, request_id=request_id)
    return Completion(request_id, str(text), reason == "length", usage)

"""An operator with an agent and no rules but those that a test makes, and a mail server that listens."""

import socketserver
import threading
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from email import message_from_bytes, policy
from email.message import EmailMessage

import pytest
from django.contrib.auth.models import User

from agents.models import Agent
from calls.models import AlertRule
from tests.calls import made_calls as made


@pytest.fixture
def owner(db: None) -> User:
    AlertRule.objects.all().delete()
    user: User = made.operator()
    return user


@pytest.fixture
def agent(owner: User) -> Agent:
    return made.agent_of(owner)


@pytest.fixture
def rule(owner: User) -> Callable[..., AlertRule]:
    """Makes a rule of the owner's own, checked as the admin checks it."""

    def make(kind: str, threshold: object, **fields) -> AlertRule:
        made_rule = AlertRule(**{"owner": owner, "kind": kind, "threshold": threshold, "least_calls": 1, **fields})
        made_rule.full_clean()
        made_rule.save()
        made_rule.refresh_from_db()
        return made_rule

    return make


@dataclass
class MailServer:
    """Speaks SMTP as far as a client needs it. `refuses`: what it answers to every recipient instead of taking them."""

    port: int = 0
    refuses: str = ""
    mails: list[EmailMessage] = field(default_factory=list)
    to: list[str] = field(default_factory=list)


@pytest.fixture
def mail_server(settings) -> Iterator[MailServer]:
    state = MailServer()

    class Talk(socketserver.StreamRequestHandler):
        def say(self, line: str) -> None:
            self.wfile.write(f"{line}\r\n".encode())

        def handle(self) -> None:
            self.say("220 here")
            while line := self.rfile.readline():
                word = line.strip().upper()
                if word == b"DATA":
                    self.say("354 go on")
                    body = b""
                    while (part := self.rfile.readline()) not in (b".\r\n", b""):
                        body += part
                    state.mails.append(message_from_bytes(body, policy=policy.default))
                    self.say("250 kept")
                elif word == b"QUIT":
                    self.say("221 bye")
                    return
                elif word.startswith(b"RCPT") and state.refuses:
                    self.say(state.refuses)
                else:
                    if word.startswith(b"RCPT"):
                        state.to.append(line.decode().strip())
                    self.say("250 fine")

    with socketserver.ThreadingTCPServer(("127.0.0.1", 0), Talk) as server:
        server.daemon_threads = True
        thread = threading.Thread(target=server.serve_forever, daemon=True)
        thread.start()
        state.port = server.server_address[1]
        settings.EMAIL_BACKEND = "django.core.mail.backends.smtp.EmailBackend"
        settings.EMAIL_HOST, settings.EMAIL_PORT, settings.EMAIL_USE_TLS = "127.0.0.1", state.port, False
        settings.DEFAULT_FROM_EMAIL, settings.EMAIL_TIMEOUT = "alerts@voice.example.com", 30
        yield state
        server.shutdown()
        thread.join(30)

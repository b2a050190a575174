"""The rules of the house that a machine can keep. import-linter keeps the arrows (.importlinter); these keep the rest."""

import ast
import re
import subprocess

import pytest

from tests.house import source


def _offenders(rooms, allowed, predicate):
    return [
        f"{source.name(path)}:{line} {target}"
        for path in source.files(*rooms)
        if not any(source.name(path).startswith(prefix) for prefix in allowed)
        for target, line in source.calls(path)
        if predicate(target)
    ]


def test_only_env_reads_the_process_environment():
    found = []
    for path in source.files(*source.PRODUCT):
        if source.name(path) == "voiceagents/env.py":
            continue
        for node in ast.walk(source.tree(path)):
            if isinstance(node, ast.Attribute) and source.dotted(node) in {"os.environ", "os.getenv"}:
                # The one thing Django demands of every entry point.
                parent_is_setdefault = source.name(path) in {"voiceagents/asgi.py", "voiceagents/celery.py"}
                if not parent_is_setdefault:
                    found.append(f"{source.name(path)}:{node.lineno}")
    assert not found


def test_only_broadcast_touches_the_channel_layer():
    senders = _offenders(source.PRODUCT, ["calls/broadcast"], lambda target: target.endswith((".group_send", "get_channel_layer")))
    assert not senders


def test_only_dispatch_enqueues():
    assert not _offenders(
        source.PRODUCT, ["calls/dispatch"], lambda target: target.endswith((".delay", ".apply_async", ".send_task", ".delay_on_commit"))
    )


def test_only_commands_write_the_rows_of_a_call():
    models = (
        "Session|CallLog|CallEvent|Turn|Recording|UsageLine|Charge|Attempt|ToolRun|Transfer|Analysis|RecordingDeletion"
        "|PriceOverride|ExchangeRate|Waveform|CallNote|CallTag|CallShare|OperatorOrder"
    )
    write = re.compile(rf"^(models\.)?({models})\.(objects|ever)\.(create|bulk_create|update_or_create|get_or_create)$")
    allowed = ["calls/commands", "calls/jobs", "calls/dispatch"]
    assert not _offenders(source.PRODUCT, allowed, lambda target: bool(write.match(target)))


def test_only_the_conductors_of_time_read_the_clock_in_the_engine():
    allowed = {"engine/session.py", "engine/reply.py", "engine/playback.py"}
    found = _offenders(
        ["engine"],
        allowed,
        lambda target: target.endswith("get_running_loop") or target in {"time.time", "time.monotonic", "time.perf_counter"},
    )
    assert not found


# The files of the engine in which things happen. Every other one decides or describes: a new file does until it is named here.
_ACTING = {"hearing", "keypad", "playback", "ports", "reply", "reply_parts", "session", "speaker", "tools", "voice", "writer"}


def test_the_decisions_of_the_engine_never_await():
    found, acting = [], set()
    for path in source.files("engine"):
        waits = [
            node.lineno
            for node in ast.walk(source.tree(path))
            if isinstance(node, ast.Await | ast.AsyncFunctionDef | ast.AsyncFor | ast.AsyncWith)
        ]
        waits += [0] if "asyncio" in source.imports(path) else []
        acting |= {path.stem} if waits else set()
        found += [f"{source.name(path)}:{line}" for line in waits if path.stem not in _ACTING]
    assert not found
    assert acting == _ACTING  # no name stays on the list for nothing


def test_a_decision_knows_nobody_who_acts():
    asking = [path for path in source.files("engine") if path.stem not in _ACTING | {"__init__", "plan"}]
    asked = {f"engine.{name}" for name in _ACTING - {"ports"}}
    assert len(asking) > 30
    assert not [f"{source.name(path)}: {module}" for path in asking for module in source.imports(path) if module in asked]


@pytest.mark.parametrize("room", ["engine", "providers", "pricing", "simulator"])
def test_no_room_below_the_applications_knows_django(room):
    found = [
        f"{source.name(path)}: {module}"
        for path in source.files(room)
        for module in source.imports(path)
        if module.split(".")[0] in {"django", "rest_framework", "channels", "celery"}
    ]
    assert not found


def test_files_stay_small():
    too_long = []
    for path in source.files(*source.ALL):
        lines = len(path.read_text(encoding="utf-8").splitlines())
        wall = 500 if path.parts[len(source.ROOT.parts)] == "tests" else 400
        if lines > wall:
            too_long.append(f"{source.name(path)}: {lines}")
    assert not too_long


def test_the_session_stays_small_for_ever():
    assert len((source.ROOT / "engine" / "session.py").read_text(encoding="utf-8").splitlines()) <= 250


def test_the_media_socket_stays_small():
    assert len((source.ROOT / "telephony" / "media.py").read_text(encoding="utf-8").splitlines()) <= 150


def test_the_media_socket_has_no_channel_layer():
    for name in ("media", "link"):
        modules = set(source.imports(source.ROOT / "telephony" / f"{name}.py"))
        assert not {module for module in modules if module.split(".")[0] in {"channels", "redis"}}, name


def test_no_file_has_a_name_that_says_nothing():
    vague = {"core", "common", "utils", "util", "helpers", "lib", "base", "misc"}
    named_by_django = {"voiceagents/postgres/base.py"}  # where Django looks for the class of a database engine
    found = {source.name(path) for path in source.files(*source.ALL) if path.stem in vague or set(path.parent.parts) & (vague - {"lib"})}
    assert found == named_by_django


def test_every_module_says_why_it_exists():
    silent = [
        source.name(path)
        for path in source.files(*source.PRODUCT, "simulator", "deploy")
        if path.name not in {"__init__.py", "apps.py"} and ast.get_docstring(source.tree(path)) is None
    ]
    assert not silent


def test_no_class_has_a_name_that_says_nothing():
    vague = re.compile(r"(Manager|Handler|Processor|Utils?)$")
    found = [
        f"{source.name(path)}: {node.name}"
        for path in source.files(*source.PRODUCT)
        for node in ast.walk(source.tree(path))
        if isinstance(node, ast.ClassDef) and vague.search(node.name)
    ]
    assert not found


def test_model_ids_and_vendor_addresses_are_not_constants_of_the_engine_or_the_providers():
    url = re.compile(r"https?://(?!127\.|localhost)[\w.]*(openai|deepgram|elevenlabs)\.(com|io)")
    found = []
    for path in source.files("engine", "providers"):
        docstrings = {
            id(node.body[0].value)
            for node in ast.walk(source.tree(path))
            if isinstance(node, ast.Module | ast.ClassDef | ast.FunctionDef | ast.AsyncFunctionDef)
            and node.body
            and isinstance(node.body[0], ast.Expr)
        }
        for node in ast.walk(source.tree(path)):
            if isinstance(node, ast.Constant) and isinstance(node.value, str) and id(node) not in docstrings and url.search(node.value):
                found.append(f"{source.name(path)}:{node.lineno}")
    assert not found


def test_import_contracts_hold():
    done = subprocess.run([source.ROOT / ".venv" / "bin" / "lint-imports", "--no-cache"], cwd=source.ROOT, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout[-3000:] + done.stderr[-1000:]

"""What a real browser in a real box sees of applications, good, broken and hostile."""

from __future__ import annotations

import asyncio
import io
import json
import zipfile
from dataclasses import replace

import pytest

from bot.domain.config_web import Flow, WebBudgets
from bot.domain.plan import (
    Cause,
    Stage,
    StageAttachment,
    StageEvent,
    StageResult,
    StageStarted,
    StageStatus,
)
from bot.domain.web import (
    ComponentOutcome,
    FaultKind,
    FlowOutcome,
    Size,
    WebBase,
    WebEvaluation,
    WebPlan,
)
from bot.policy.web import judge
from bot.ports.sandbox import SandboxUnavailable
from sandbox.ownership import INSTALLATION
from tests.sandbox.conftest import Heard, Room
from tests.sandbox.web_application import Pages, files, page, plan, script

pytestmark = [pytest.mark.engine, pytest.mark.timeout(180)]

ROOT = WebPlan(pages=("/",), explicit=True, follow=False)


async def look(room: Room, pages: Pages, web: WebPlan = ROOT) -> tuple[StageResult, Heard]:
    """The stage's result, and all that was heard."""
    heard = await room.run(plan(web), files(pages))
    assert heard.results[Stage.PORTS].status is StageStatus.PASSED
    return heard.results[Stage.WEB_EVALUATION], heard


def seen(result: StageResult) -> WebEvaluation:
    assert result.evaluation is not None
    return result.evaluation


def flow(name: str, *steps: object) -> Flow:
    return Flow.model_validate({"name": name, "steps": steps})


async def test_a_good_application_passes_and_all_of_it_was_looked_at(room: Room) -> None:
    form = (
        '<form action="/items" method="post"><label>What <input name="what"></label>'
        "<button>Add</button></form><button onclick=\"document.title='pressed'\">Press</button>"
        '<button onclick="location=\'/gone\'">Delete all</button><p><a href="/about">About</a></p>'
    )
    pages = {
        "/": page(form),
        "/items": page("<p>Thank you.</p>"),
        "/about": page('<p>About us. <a href="/">Home</a> <a href="/doc.txt">Text</a></p>'),
        "/doc.txt": {"type": "text/plain", "body": "text"},
    }
    works = flow(
        "add",
        {"goto": "/"},
        {"fill": {"selector": "input", "text": "milk"}},
        {"click": "text=Add"},
        {"expect": {"text": "Thank you"}},
        {"expect": {"url": "/items"}},
        {"expect": {"status": 200}},
        {"screenshot": "thanks"},
    )
    result, heard = await look(room, pages, WebPlan(flows=(works,)))
    assert (result.status, result.cause) == (StageStatus.PASSED, None), result.reason
    assert result.reason == "2 pages, 1 flow, 3 components looked at"
    found = seen(result)
    assert [(it.path, it.size) for it in found.pages] == [
        ("/", Size.DESKTOP),
        ("/", Size.PHONE),
        ("/about", Size.DESKTOP),
        ("/about", Size.PHONE),
    ]
    assert all(it.violations == () and it.status == 200 for it in found.pages)
    vitals = found.pages[0].vitals
    assert vitals is not None
    assert vitals.runs == 3
    assert vitals.lcp_ms is not None
    assert 0 < vitals.lcp_ms < 5000
    assert vitals.transfer_bytes
    assert found.pages[2].vitals is None
    assert {it.kind for it in found.components} == {"form", "input", "button"}
    assert "Delete all" not in {it.label for it in found.components}
    assert found.flows[0].outcome is FlowOutcome.PASSED
    pictures = [it for it in heard.events if isinstance(it, StageAttachment)]
    assert [it.name for it in pictures] == [it.name for it in found.pictures]
    assert len(pictures) == 5
    assert all(it.content.startswith(b"\x89PNG") for it in pictures)
    assert heard.results[Stage.STABILITY].status is StageStatus.PASSED
    assert WebEvaluation.from_json(json.loads(json.dumps(found.to_json()))) == found


NO_PAGES = {
    "/blank": (
        {"body": "<!doctype html><title>x</title><div id=root></div>"},
        FaultKind.BLANK,
        "`/blank` is blank: no text, and nothing else that can be seen",
    ),
    "/500": (page("", status=500), FaultKind.NOT_LOADED, "`/500` answered 500"),
    "/express": (
        {"body": "<title>Error</title><pre>Error: boom</pre>"},
        FaultKind.ERROR_PAGE,
        "`/express` shows an Express error page",
    ),
    "/circle": (
        {"status": 302, "headers": {"Location": "/circle"}},
        FaultKind.NOT_LOADED,
        "`/circle` redirects without end",
    ),
    "/slow": (page("", after=30), FaultKind.NOT_LOADED, "`/slow` was not loaded within 3 s"),
    "/busy": (
        page("<script>while (true) console.log('x'.repeat(1000))</script>"),
        FaultKind.NOT_LOADED,
        "`/busy` was not loaded within 3 s",
    ),
}


async def test_pages_that_are_none_fail_by_their_own_name(room: Room) -> None:
    web = WebPlan(pages=tuple(NO_PAGES), explicit=True, follow=False, page_seconds=3.0)
    result, _ = await look(room, {path: it[0] for path, it in NO_PAGES.items()}, web)
    assert (result.status, result.cause) == (StageStatus.FAILED, Cause.BROKEN_PAGE)
    faults = {it.path: it.fault for it in seen(result).pages}
    assert {path: it and (it.kind, it.flaky) for path, it in faults.items()} == {
        path: (kind, False) for path, (_, kind, _) in NO_PAGES.items()
    }
    gates = judge(seen(result), web).gates
    assert gates == tuple(reason for _, _, reason in NO_PAGES.values())
    assert result.reason == f"{gates[0]} (and {len(gates) - 1} more)"


async def test_what_scripts_and_requests_come_to(room: Room) -> None:
    body = (
        '<img src="/missing.png" alt="a picture" width="10" height="10">'
        '<img src="https://cdn.example/x.png" alt="elsewhere" width="10" height="10">'
        '<a href="/gone">Gone</a> <p style="color:#ddd;background:#fff">pale</p>'
        '<button id="bad" onclick="nothingHere()">Break</button><script src="/app.js"></script>'
    )
    pages = {
        "/": page(body),
        "/api": {"status": 500, "type": "application/json", "body": "{}"},
        "/app.js": script(
            "fetch('/api');\nconsole.error('said', 1);\n"
            "function deep() {\n  throw new TypeError('broken while rendering');\n}\ndeep();\n"
        ),
    }
    result, _ = await look(room, pages, WebPlan(pages=("/",), explicit=True, follow=True))
    assert result.status is StageStatus.FAILED
    first, phone = seen(result).pages
    assert result.reason.startswith(
        "`/`: uncaught exception: TypeError: broken while rendering (`/app.js:4:"
    )
    (thrown,) = first.exceptions
    assert (thrown.frames[0].url, thrown.frames[0].line, thrown.flaky) == ("/app.js", 4, False)
    assert [(it.url, it.status, it.type) for it in first.requests] == [
        ("/missing.png", 404, "image"),
        ("/api", 500, "fetch"),
    ]
    assert first.third_party == 1
    assert [it.text for it in first.console] == ["said 1"]
    assert [it.rule for it in first.violations or ()] == ["color-contrast"]
    assert phone.exceptions == first.exceptions
    (link,) = seen(result).links
    assert (link.page, link.url, link.text, link.status) == ("/", "/gone", "Gone", 404)
    broken = [it for it in seen(result).components if it.outcome is ComponentOutcome.BROKE]
    assert [(it.selector, it.kind) for it in broken] == [("#bad", "button")]
    assert "nothingHere is not defined" in broken[0].reason


async def test_what_does_not_repeat_is_told_as_flaky(room: Room) -> None:
    pages = {
        "/": page('<script src="/app.js"></script>'),
        "/app.js": [script("throw new Error('once')"), script("")],
    }
    result, _ = await look(room, pages)
    assert result.status is StageStatus.PASSED, result.reason
    assert [(it.text, it.flaky) for it in seen(result).pages[0].exceptions] == [
        ("Error: once", True)
    ]
    assert result.reason.endswith("1 remark")


async def test_a_flow_that_fails_is_told_by_its_step_with_a_picture_and_a_trace(room: Room) -> None:
    fails = flow("buy", {"goto": "/"}, {"expect": {"text": "Sold out"}}, {"click": "#never"})
    web = WebPlan(pages=("/",), explicit=True, follow=False, flows=(fails,))
    result, heard = await look(room, {"/": page("<p>Fresh</p>")}, web)
    assert result.status is StageStatus.FAILED
    (found,) = seen(result).flows
    assert (found.outcome, found.step, found.flaky) == (FlowOutcome.FAILED, 2, False)
    assert found.pictures
    assert set(found.pictures) <= {it.name for it in seen(result).pictures}
    assert result.reason.startswith("the flow “buy” failed in step 2 of 3")
    (trace,) = (
        it
        for it in heard.events
        if isinstance(it, StageAttachment) and it.media_type == "application/zip"
    )
    assert trace.name == found.trace == "01-trace-buy.zip"
    with zipfile.ZipFile(io.BytesIO(trace.content)) as zipped:
        assert "Sold out" in zipped.read("trace.trace").decode()
    assert found.trace not in {it.name for it in seen(result).pictures}


async def test_where_steps_were_given_secrets_nothing_is_traced(room: Room) -> None:
    fails = flow("buy", {"goto": "/"}, {"expect": {"text": "Sold out"}})
    web = WebPlan(pages=("/",), explicit=True, follow=False, flows=(fails,))
    secrets = {"TOKEN": "a secret that is long"}
    heard = await room.run(plan(web), files({"/": page("<p>Fresh</p>")}), secrets=secrets)
    (found,) = seen(heard.results[Stage.WEB_EVALUATION]).flows
    assert (found.outcome, found.trace) == (FlowOutcome.FAILED, "")


@pytest.mark.parametrize(
    ("budgets", "gates"),
    [
        (WebBudgets(absolute=True), True),
        (WebBudgets(accessibility_serious=0), True),
        (WebBudgets(), False),  # nobody knows whose fault it is: no base, no wish of the project
        (WebBudgets(absolute=True, accessibility_serious=2), False),
    ],
    ids=["absolute", "of the project", "of nobody", "lenient"],
)
async def test_an_accessibility_budget(room: Room, budgets: WebBudgets, *, gates: bool) -> None:
    pages = {"/": page('<p style="color:#ddd;background:#fff">pale</p><input>')}
    plan = WebPlan(pages=("/",), explicit=True, follow=False, budgets=budgets)
    result, _ = await look(room, pages, plan)
    assert (result.status is StageStatus.FAILED) is gates, result.reason
    if gates:
        assert result.reason.startswith("2 serious accessibility violations, the budget is 0")
        known = replace(plan, base=WebBase("b" * 40, seen(result)), budgets=WebBudgets())
        assert (await look(room, pages, known))[0].status is StageStatus.PASSED


async def test_what_has_no_web_page_is_skipped_with_its_reason(room: Room) -> None:
    pages = {"/": {"type": "application/json", "body": '{"a": 1}'}}
    result, heard = await look(room, pages, WebPlan())
    assert result.status is StageStatus.SKIPPED
    assert result.reason == "no web page: / answers with application/json"
    assert heard.results[Stage.STABILITY].status is StageStatus.PASSED
    result, _ = await look(room, {}, WebPlan())
    assert (result.status, result.reason) == (StageStatus.SKIPPED, "no web page: / answers 404")


HOSTILE = {
    "dialogs": "<script>alert(1); confirm(2); prompt(3);"
    "addEventListener('beforeunload', (e) => e.preventDefault())</script>",
    "popups": "<script>for (let i = 0; i < 5; i += 1) window.open('/other')</script>",
    "downloads": "<iframe title='d' src='/file.bin'></iframe><script>const a ="
    " document.createElement('a'); a.href = '/file.bin'; a.download = 'x'; a.click()</script>",
    "console": "<script>setInterval(() => { for (let i = 0; i < 1000; i += 1)"
    " console.log('x'.repeat(1000), i) }, 1)</script>",
    "closes": "<script>setTimeout(() => window.close(), 10); window.close()</script>",
    "huge": "<p>text</p>" * 50_000,
    "torn": "<script>document.title = 'a\\ud83d'; console.error('b\\ud83d')</script>",
    "deaf": "<script>for (const it of ['PerformanceObserver', 'Promise', 'JSON', 'Array'])"
    " window[it] = null; document.querySelectorAll = null; window.axe = {run: null}</script>",
}


@pytest.mark.long
async def test_pages_that_misbehave_in_the_browser_are_looked_at_all_the_same(room: Room) -> None:
    pages = {f"/{name}": page(f"<p>{name}</p>{body}") for name, body in HOSTILE.items()} | {
        "/file.bin": {
            "type": "application/octet-stream",
            "body": "x",
            "headers": {"Content-Disposition": "attachment; filename=x"},
        },
        "/other": page("<p>other</p>"),
    }
    names = tuple(f"/{name}" for name in HOSTILE)
    web = WebPlan(pages=names, explicit=True, follow=False)
    result, _ = await look(room, pages, web)
    found = {(it.path, it.size): it for it in seen(result).pages}
    for name in names:
        assert found[name, Size.DESKTOP].fault is None, found[name, Size.DESKTOP]
    assert found["/deaf", Size.DESKTOP].violations is not None
    assert found["/torn", Size.DESKTOP].console[0].text == "b\ufffd"
    json.dumps(seen(result).to_json(), ensure_ascii=False).encode()
    assert all(it.size <= 2 * 1024 * 1024 for it in seen(result).pictures)


async def test_a_script_of_another_host_that_cannot_be_loaded_is_nobodys_fault(room: Room) -> None:
    body = '<script src="https://cdn.example/lib.js"></script><script>lib.start()</script>'
    result, _ = await look(room, {"/": page(body)})
    assert result.status is StageStatus.PASSED, result.reason
    assert seen(result).pages[0].missing == ("script cdn.example",)
    (advice,) = result.advice
    assert advice.startswith("`/`: uncaught exception: ReferenceError: lib is not defined")
    assert advice.endswith("it went without the scripts of `cdn.example`, out of reach here")


FORGED = {"type": "end", "id": 7, "result": {"browser": "x", "left_out": [], "seconds": 1.0}}


async def test_an_application_cannot_answer_in_the_evaluators_place(room: Room) -> None:
    lines = [json.dumps({**FORGED, "id": number}) for number in range(20)]
    forging = (
        "<script>console.log(JSON.stringify({type: 'end', id: 4, result: {}}));"
        "window.playwright = window.__playwright__ = {}; Promise.prototype.then = null;"
        f"document.title = {json.dumps(json.dumps(FORGED))};"
        "throw new Error('the page is broken')</script>"
    )
    result, heard = await look(room, {"/": page(forging), "says": lines})
    assert lines[0] in heard.output
    assert result.status is StageStatus.FAILED
    assert "the page is broken" in result.reason
    assert seen(result).browser.startswith("Chromium ")


async def test_a_secret_of_the_start_is_masked_in_what_was_seen(room: Room) -> None:
    secret = "hunter2-hunter2"
    step = plan(ROOT)
    started = step.steps[0]
    wanted = type(started)(started.stage, started.command, secrets=("TOKEN",))
    text = page(f"<script>console.error('{secret}')</script>")
    heard = await room.run(
        replace(step, steps=(wanted,)), files({"/": text}), secrets={"TOKEN": secret}
    )
    told = heard.results[Stage.WEB_EVALUATION]
    assert secret not in repr(told)
    assert seen(told).pages[0].console


async def test_a_probe_that_dies_meanwhile_is_our_fault_and_no_success(room: Room) -> None:
    class Killing(Heard):
        async def __call__(self, event: StageEvent) -> None:
            await super().__call__(event)
            if isinstance(event, StageStarted) and event.stage is Stage.WEB_EVALUATION:
                boxes = await room.engine.list_boxes("codegenapp.kind=probe")
                mine = [it for it in boxes if it.labels[INSTALLATION] == room.installation]
                await asyncio.gather(*(room.engine.kill(it.id) for it in mine))

    heard = Killing()
    with pytest.raises(SandboxUnavailable, match="the probe box"):
        await room.run(plan(ROOT), files({"/": page("<p>x</p>")}), heard=heard)
    assert Stage.WEB_EVALUATION not in heard.results

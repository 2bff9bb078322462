"""``demo``: the whole loop on this machine: a goal, an agent's run, pull requests, check runs."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import signal
import tempfile
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urljoin

import typer

from bot.cli.stage_play import Play
from bot.cli.wiring import (
    DemoBranch,
    DemoCheck,
    DemoComment,
    DemoStage,
    Wiring,
)
from bot.domain.conversations import STATUS_MARKER
from bot.domain.plan import Stage
from bot.domain.validations import Verdict

T = TypeVar("T")

REPORTS = Path("demo-reports")
PATIENCE_SECONDS = 900.0
LOOK_SECONDS = 0.1
CONCLUSIONS = {Verdict.PASSED: "success", Verdict.FAILED: "failure"}
ISSUE = "A list without numbers"
BODY = "I never know how many of each I wanted to buy."
GOAL = "/codegen Let me say how many of each thing is to be bought, and show it in the list."
_PICTURE = re.compile(r'<img src="([^"]+)"')
EMOJI = {"eyes": "👀", "rocket": "🚀", "confused": "😕"}


def command(wiring: Wiring) -> object:
    """The typer command."""

    def demo(
        keep: Annotated[
            bool, typer.Option("--keep", help="Keep the sample's git repository.")
        ] = False,
        reports: Annotated[
            Path, typer.Option(help="Where the reports are written, as Markdown and HTML.")
        ] = REPORTS,
    ) -> None:
        """Play the whole loop with no account: GitHub, the agent's API and the model are stand-ins.

        Everything else is real. A goal in a comment becomes an agent run and a validated pull
        request; then a pull request fails to build, and one breaks only in the browser.
        Exit status: 0 if every step really happened, 1 if not, 130 interrupted.
        """
        raise typer.Exit(asyncio.run(Demo(wiring, reports, keep).run()))

    return demo


@dataclass
class Demo:
    """The command, ready to run."""

    wiring: Wiring
    reports: Path
    keep: bool
    play: Play = field(default_factory=Play)

    async def run(self) -> int:
        """Play it; gives the exit code."""
        task = asyncio.current_task()
        assert task is not None
        asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
        with contextlib.ExitStack() as stack:
            if self.keep:
                folder = Path(tempfile.mkdtemp(prefix="codegenapp-demo-"))
            else:
                folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
            self.play.say("starting MongoDB, stand-ins for GitHub, agent and model, and the bot")
            async with self.wiring.demo(folder) as on:
                if self.keep:
                    self.play.say(f"the sample's git repository stays in {on.path}")
                self.reports.mkdir(parents=True, exist_ok=True)
                await self._base(on)
                await self._goal(on)
                for branch in on.branches:
                    await self._broken(on, branch)
        self.play.end(f"Comments, check runs and their pages are in {self.reports}/.")
        return 1 if self.play.wrong else 0

    # ── what all comes on top of ─────────────────────────────────────────────────────────────

    async def _base(self, on: DemoStage) -> None:
        self.play.heading("The branch that everything comes on top of")
        sha, status = await on.push()
        self.play.say(f"alice pushes main ({sha[:12]}); the door answers {status}")
        known = await on.evaluated(sha)
        self.play.say("nothing else waits, so a browser looks at it")
        facts = {"the door answered 202": status == 202, "what a browser sees of it is kept": known}
        self.play.facts("base", facts)

    # ── a goal ───────────────────────────────────────────────────────────────────────────────

    async def _goal(self, on: DemoStage) -> None:
        self.play.heading("A goal, and what becomes of it")
        number = await on.report_issue(ISSUE, BODY)
        self.play.say(f"alice reports #{number}: {ISSUE}")
        asked, status = await on.comment(number, GOAL)
        self.play.say(f"alice comments: {GOAL}")
        self.play.say(f"GitHub delivers its signed webhook; the door answers {status}")
        told = await self._followed(
            lambda: _status(on, number),
            lambda: _news(on, number, asked),
            lambda it: it is not None and "Passed" in it.body,
        )
        assert told is not None
        pull = on.pull_requests()[0]
        check = on.checks(pull.head_sha)[-1]
        await self._show_check(on, "goal", check)
        self._show_comment(told, number)
        own = on.own_comments(number)
        self.play.facts(
            "goal",
            {
                "the door answered 202": status == 202,
                "the comment got 👀, then 🚀": [it for _, it in asked.reactions]
                == ["eyes", "rocket"],
                "the agent was given one run": on.agent_runs == 1,
                "the issue has one status comment, edited in place": len(own) == 1
                and len(own[0].history) > 2,
                "it links the pull request": f"[#{pull.number}](" in told.body,
                "its report says what changed against the base": "looks different"
                in (check.text or ""),
                **self._checked(on, pull.head_sha, check, "success"),
                "an agent tried its task in the browser": _explored(check),
            },
        )

    # ── somebody's pull request ──────────────────────────────────────────────────────────────

    async def _broken(self, on: DemoStage, branch: DemoBranch) -> None:
        self.play.heading(f"Somebody's pull request: {branch.title}")
        status = await on.open_pull_request(branch)
        number = on.pull_requests()[-1].number
        self.play.say(f"alice opens #{number} from {branch.name} ({branch.sha[:12]})")
        self.play.say(f"GitHub delivers its signed webhook; the door answers {status}")
        checks = await self._followed(
            lambda: on.checks(branch.sha),
            lambda: _check_news(on, branch.sha),
            lambda found: bool(found) and found[-1].status == "completed",
        )
        check = checks[-1]
        await self._show_check(on, branch.name, check)
        wanted = CONCLUSIONS[branch.expected_verdict]
        places = [f"{it['path']}:{it['start_line']}" for it in check.annotations]
        facts = {
            "the door answered 202": status == 202,
            **self._checked(on, branch.sha, check, wanted),
        }
        if branch.expected_stage is not None:
            stage = branch.expected_stage.value.replace("_", " ")
            facts[f"its title names {stage}"] = f"{stage} failed" in (check.title or "")
            facts["its report has what the model thinks"] = "**Cause:**" in (check.summary or "")
        if branch.expected_place:
            facts[f"its annotation stands at {branch.expected_place}"] = places == [
                branch.expected_place
            ]
        if branch.expected_stage is Stage.WEB_EVALUATION:
            facts["it was held against the base"] = "🆕 uncaught exception" in (check.text or "")
            page = (self.reports / f"{branch.name}.html").read_text()
            facts["its page shows a screenshot"] = '<img src="data:image/' in page
        self.play.facts(branch.name, facts)

    # ── what both have ───────────────────────────────────────────────────────────────────────

    async def _followed(
        self,
        look: Callable[[], T],
        news: Callable[[], Sequence[str]],
        holds: Callable[[T], bool],
    ) -> T:
        """What is looked at, once it holds; what is new meanwhile is told."""
        told: list[str] = []
        async with asyncio.timeout(PATIENCE_SECONDS):
            while True:
                found = look()
                for line in news():
                    if line not in told:
                        told.append(line)
                        self.play.say(line)
                if holds(found):
                    return found
                await asyncio.sleep(LOOK_SECONDS)  # noqa: TID251  a terminal's own pace

    async def _show_check(self, on: DemoStage, name: str, check: DemoCheck) -> None:
        """Show a check run as a person would read it, and write it to the folder."""
        summary, text = check.summary or "", check.text or ""
        (self.reports / f"{name}.md").write_text(f"{summary}\n{text}")
        page = await _with_pictures(on, check.details_url)
        (self.reports / f"{name}.html").write_text(page)
        self.play.markdown(summary)
        for it in check.annotations:
            self.play.annotation(f"{it['path']}:{it['start_line']}", it["message"])

    def _show_comment(self, comment: DemoComment, number: int) -> None:
        (self.reports / f"issue-{number}.md").write_text(comment.body)
        self.play.markdown(comment.body)

    def _checked(
        self, on: DemoStage, sha: str, check: DemoCheck, wanted: str
    ) -> Mapping[str, bool]:
        return {
            "the commit has one check run": len(on.checks(sha)) == 1,
            "it was queued first": check.history[0].startswith("queued"),
            f"it concluded as {wanted}": check.conclusion == wanted,
        }


async def _with_pictures(on: DemoStage, url: str) -> str:
    """A page of the bot with its pictures inside, so that it can be looked at afterwards."""
    page = await on.page(url)
    for place in dict.fromkeys(_PICTURE.findall(page)):
        content = base64.b64encode(await on.picture(urljoin(url, place))).decode("ascii")
        page = page.replace(f'"{place}"', f'"data:image/png;base64,{content}"')
    return page.replace("img-src 'self'", "img-src data:")


def _explored(check: DemoCheck) -> bool:
    """Whether the check run has what the exploring agent found, with the step that shows it."""
    _, _, told = (check.text or "").partition("### What the exploring agent found")
    return (
        re.search(r"🔎 .*“Milk” is on the page.* \(step \d+: clicked button “Add”\)", told)
        is not None
    )


def _status(on: DemoStage, number: int) -> DemoComment | None:
    own = (it for it in on.own_comments(number) if it.body.startswith(STATUS_MARKER))
    return next(own, None)


def _news(on: DemoStage, number: int, asked: DemoComment) -> Sequence[str]:
    """All that can be told of a goal by now."""
    comment = _status(on, number)
    lines = [f"reaction: {EMOJI.get(name, name)}" for _, name in asked.reactions]
    lines += [f"status comment: {_headline(it)}" for it in (comment.history if comment else ())]
    for pull in on.pull_requests():
        lines.append(f"codegen-sh[bot] opens #{pull.number} from {pull.head_branch}: {pull.title}")
        lines += _check_news(on, pull.head_sha)
    return lines


def _check_news(on: DemoStage, sha: str) -> Sequence[str]:
    checks = on.checks(sha)
    return [f"check run: {it}" for it in checks[-1].history] if checks else []


def _headline(text: str) -> str:
    """A status comment in a line: how the run stands, and its step or its validation."""
    lines = [line for line in text.split("\n") if line.startswith(("### ", "`█", "`░", "- Val"))]
    plain = (line.strip("#- ").replace("**", "").replace("`", "") for line in lines)
    return " · ".join(line.partition("](")[0].replace("[", "") for line in plain)

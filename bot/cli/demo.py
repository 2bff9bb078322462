"""``demo``: the whole loop on this machine: a goal, an agent's run, its failure, its merge."""

from __future__ import annotations

import asyncio
import base64
import contextlib
import re
import signal
import tempfile
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Annotated, TypeVar
from urllib.parse import urljoin

import typer

from bot.cli.demo_facts import all_passed, explored, has_tried, is_picture, places, says_merged
from bot.cli.demo_news import (
    KEEPING_BACK,
    SHA,
    Story,
    check_news,
    held,
    judged,
    status_comment,
)
from bot.cli.demo_stage import DemoBranch, DemoCheck, DemoPullRequest, DemoStage
from bot.cli.stage_play import Play
from bot.cli.wiring import Wiring
from bot.domain.validations import Verdict

T = TypeVar("T")

REPORTS = Path("demo-reports")
PATIENCE_SECONDS = 900.0
SOON_SECONDS = 20.0
LOOK_SECONDS = 0.1
CONCLUSIONS = {Verdict.PASSED: "success", Verdict.FAILED: "failure"}
ISSUE = "A list without numbers"
BODY = "I never know how many of each I wanted to buy."
GOAL = (
    "/codegen Let me say how many of each thing is to be bought, show it in the list, and say in "
    "the tab's title what is left."
)
FAULT = "public/script.js:23"
"""Where the agent's first push breaks in the browser, and nowhere else."""
MENDED = "public/script.js"
_PICTURE = re.compile(r'<img src="([^"]+)"')


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

        Everything else is real. A goal in a comment becomes an agent run and a pull request that
        breaks in the browser; the failure goes back to the agent, which mends it; the pull request
        is merged, and its branch is gone. Then somebody else's pull request fails to build.
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
    told: set[str] = field(default_factory=set)
    """The lines of the timeline so far."""

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
                await self._story(on)
                for branch in on.branches:
                    await self._broken(on, branch)
        self.play.end(f"Comments, check runs and their pages are in {self.reports}/.")
        return 1 if self.play.wrong else 0

    # ── what all comes on top of ─────────────────────────────────────────────────────────────

    async def _base(self, on: DemoStage) -> None:
        self.play.heading("The branch that everything comes on top of")
        sha, status = await on.push()
        self.play.say(f"alice pushes main ({sha[:SHA]}); the door answers {status}")
        known = await on.evaluated(sha)
        self.play.say("nothing else waits, so a browser looks at it")
        facts = {"the door answered 202": status == 202, "what a browser sees of it is kept": known}
        self.play.facts("base", facts)

    # ── a goal, from its comment to its merge ────────────────────────────────────────────────

    async def _story(self, on: DemoStage) -> None:
        story = await self._goal(on)
        if await self._failure(on, story):
            await self._fix(on, story)
            await self._merge(on, story)

    async def _goal(self, on: DemoStage) -> Story:
        self.play.heading("A goal, and the pull request that comes of it")
        number = await on.report_issue(ISSUE, BODY)
        self.play.say(f"alice reports #{number}: {ISSUE}")
        asked, status = await on.comment(number, GOAL)
        self.play.say(f"alice comments on #{number}: {GOAL}")
        self.play.say(f"GitHub delivers its signed webhook; the door answers {status}")
        story = Story(number, asked)
        pull = await self._followed(
            lambda: next(iter(on.pull_requests()), None),
            lambda: story.news(on),
            lambda it: it is not None and bool(on.checks(it.head_sha)),
        )
        assert pull is not None
        linked = f"[#{pull.number}]("
        told = await self._followed(
            lambda: status_comment(on, number),
            lambda: story.news(on),
            lambda it: it is not None and linked in it.body,
        )
        assert told is not None
        self.play.facts(
            "goal",
            {
                "the door answered 202": status == 202,
                "the comment got 👀, then 🚀": [it for _, it in asked.reactions]
                == ["eyes", "rocket"],
                "the agent was given one run": len(on.agent_runs) == 1,
                "the issue has one status comment, edited in place": len(on.own_comments(number))
                == 1
                and len(told.history) > 2,
                "it links the pull request": linked in told.body,
            },
        )
        return story

    async def _failure(self, on: DemoStage, story: Story) -> bool:
        """Whether there is a failure to go on with."""
        self.play.heading("It fails in the browser, and nowhere else")
        check = await self._ended(on, story, story.heads[0])
        page = await self._show_check(on, "broken-in-browser", check)
        title, summary, found = check.title or "", check.summary or "", judged(check)
        self.play.facts(
            "broken-in-browser",
            {
                **self._checked(on, story.heads[0], check, "failure"),
                "the first push failed in the browser": "web evaluation failed" in title,
                "it had installed, built, passed its tests and started": all_passed(
                    summary, "install", "build", "test", "start", "health"
                ),
                "its report has what the model thinks": "**Cause:**" in summary,
                f"its annotation stands at {FAULT}": places(check) == [FAULT],
                "it was held against the base": "🆕 uncaught exception" in (check.text or ""),
                "its page shows a screenshot": '<img src="data:image/' in page,
                "its details have the criteria of the merge, and what keeps it back": "validation"
                in {name for name, sign in found.items() if sign in KEEPING_BACK},
                "its buttons were fix and hold": ("fix", "hold") in check.buttons,
            },
        )
        return check.conclusion == "failure"

    async def _fix(self, on: DemoStage, story: Story) -> None:
        self.play.heading("The failure goes back to the agent, which mends it")
        pull, first, story.mended = on.pull_requests()[0], story.heads[0], True
        await self._followed(
            lambda: pull.head_sha, lambda: story.news(on), lambda sha: sha != first
        )
        tried = await self._soon(
            on, story, lambda: has_tried(on, pull.number, MENDED, pull.head_sha)
        )
        (run, *others), (prompt, *more) = on.agent_runs, on.agent_runs[0].prompts[1:]
        self.play.facts(
            "fix",
            {
                "the same run was sent it, and no other one began": not others and not more,
                "the agent was told what fails, and where": FAULT in prompt,
                "the agent was sent the screenshot, as an image": bool(run.pictures[1])
                and all(map(is_picture, run.pictures[1])),
                "it was told to push to the branch that is there": "Push to the existing branch "
                f"`{pull.head_branch}`" in prompt,
                "it pushed there, and opened nothing else": len(on.pull_requests()) == 1
                and len(story.heads) == 2,
                "one attempt was made, and its status comment says what it changed": tried,
            },
        )

    async def _merge(self, on: DemoStage, story: Story) -> None:
        self.play.heading("It is green, and it is merged")
        pull, head = on.pull_requests()[0], story.heads[-1]
        check = await self._ended(on, story, head, held)
        await self._show_check(on, "mended", check)
        self.play.facts(
            "mended",
            {
                **self._checked(on, head, check, "success"),
                "its report says what changed against the base": "looks different"
                in (check.text or ""),
                "an agent tried its task in the browser": explored(check),
                "every criterion held before it was merged": held(check),
            },
        )
        merged = await self._soon(on, story, lambda: pull.merged_at is not None)
        gone = await self._gone(on, pull)
        self.play.say(f"the branch {pull.head_branch} is {'gone' if gone else 'still there'}")
        told = await self._soon(on, story, lambda: says_merged(on, pull.number))
        told_in_issue = await self._soon(on, story, lambda: says_merged(on, story.number))
        plain = await self._soon(on, story, lambda: check.buttons[-1] == ())
        self.play.say(f"#{story.number} is {'open' if on.is_open(story.number) else 'closed'}")
        for number in (pull.number, story.number):
            self._show_comment(on, number)
        main = await on.commit(pull.base_branch)
        self.play.facts(
            "merge",
            {
                "it is merged": merged,
                "GitHub was asked for it once, with the SHA that was validated": [
                    it.get("sha") for it in on.merges
                ]
                == [head],
                "main has the merge": main == pull.merge_commit_sha
                and "sumary" not in await on.file(pull.base_branch, MENDED),
                "the branch is gone": gone,
                "the pull request's status comment tells of the try and of the merge": told
                and has_tried(on, pull.number, MENDED, head),
                "the issue's status comment tells of the merge": told_in_issue,
                "the issue is closed by it": not on.is_open(story.number),
                "the check run has no buttons left": plain,
                "no person was needed": not pull.labels,
            },
        )

    # ── somebody's pull request ──────────────────────────────────────────────────────────────

    async def _broken(self, on: DemoStage, branch: DemoBranch) -> None:
        self.play.heading(f"Somebody's own pull request: {branch.title}")
        sent = [len(it.prompts) for it in on.agent_runs]
        status = await on.open_pull_request(branch)
        number = on.pull_requests()[-1].number
        self.play.say(f"alice opens #{number} from {branch.name} ({branch.sha[:SHA]})")
        self.play.say(f"GitHub delivers its signed webhook; the door answers {status}")
        check = await self._ended(on, None, branch.sha)
        await self._show_check(on, branch.name, check)
        stage = branch.expected_stage.value if branch.expected_stage else "nothing"
        self.play.facts(
            branch.name,
            {
                "the door answered 202": status == 202,
                **self._checked(on, branch.sha, check, CONCLUSIONS[branch.expected_verdict]),
                f"its title names {stage}": f"{stage} failed" in (check.title or ""),
                "its report has what the model thinks": "**Cause:**" in (check.summary or ""),
                f"its annotation stands at {branch.expected_place}": places(check)
                == [branch.expected_place],
                "its buttons are fix and hold": check.buttons[-1:] == [("fix", "hold")],
                "nothing went to the agent: nobody asked for it": sent
                == [len(it.prompts) for it in on.agent_runs],
            },
        )

    # ── what several have ────────────────────────────────────────────────────────────────────

    async def _ended(
        self,
        on: DemoStage,
        story: Story | None,
        sha: str,
        says: Callable[[DemoCheck], object] = judged,
    ) -> DemoCheck:
        """The check run of a commit, once it is completed and its details say what they should."""
        checks = await self._followed(
            lambda: on.checks(sha),
            lambda: story.news(on) if story else check_news(on, sha),
            lambda found: any(it.status == "completed" and says(it) for it in found[-1:]),
        )
        return checks[-1]

    async def _followed(
        self,
        look: Callable[[], T],
        news: Callable[[], Iterable[str]],
        holds: Callable[[T], bool],
        patience: float = PATIENCE_SECONDS,
    ) -> T:
        """What is looked at, once it holds; what is new meanwhile is told. Raises TimeoutError."""
        async with asyncio.timeout(patience):
            while True:
                found = look()
                for line in news():
                    if line not in self.told:
                        self.told.add(line)
                        self.play.say(line)
                if holds(found):
                    return found
                await asyncio.sleep(LOOK_SECONDS)  # noqa: TID251  a terminal's own pace

    async def _soon(self, on: DemoStage, story: Story, holds: Callable[[], bool]) -> bool:
        """Whether something that follows by itself holds within a while."""
        with contextlib.suppress(TimeoutError):
            return await self._followed(holds, lambda: story.news(on), bool, SOON_SECONDS)
        return False

    async def _gone(self, on: DemoStage, pull: DemoPullRequest) -> bool:
        """Whether the branch of a pull request is gone within a while."""
        with contextlib.suppress(TimeoutError):
            async with asyncio.timeout(SOON_SECONDS):
                while True:
                    if not await on.commit(pull.head_branch):
                        return True
                    await asyncio.sleep(LOOK_SECONDS)  # noqa: TID251  a terminal's own pace
        return False

    async def _show_check(self, on: DemoStage, name: str, check: DemoCheck) -> str:
        """Show a check run as a person would read it, and keep it and its page, which is given."""
        summary, text = check.summary or "", check.text or ""
        (self.reports / f"{name}.md").write_text(f"{summary}\n{text}")
        page = await _with_pictures(on, check.details_url)
        (self.reports / f"{name}.html").write_text(page)
        self.play.markdown(summary)
        for it in check.annotations:
            self.play.annotation(f"{it['path']}:{it['start_line']}", it["message"])
        return page

    def _show_comment(self, on: DemoStage, number: int) -> None:
        comment = status_comment(on, number)
        if comment is not None:
            (self.reports / f"status-{number}.md").write_text(comment.body)
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

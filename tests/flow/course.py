"""Pull requests driven at random through the whole bot, and what must hold of them at any time.

The files ``verdict-*`` of a commit say what its validation finds: a line ``bad …`` fails in a way
of its own, a test file called ``weak`` makes any commit green. What is true is read from the
stand-ins' state and from git.
"""

from __future__ import annotations

import asyncio
import itertools
import subprocess
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path

from bot.domain.plan import Cause, Log, Stage, StageResult, StageStatus
from bot.domain.pull_request_records import FixOutcome
from bot.services.pull_requests import NEEDS_HUMAN
from demo.codegen.agent import Act, Ending, existing_branch
from demo.codegen.checkout import Change
from demo.codegen.server import AgentRunState
from demo.github.faults import Fault
from demo.github.mergeability import standing
from demo.github.merging_state import Requirements
from demo.github.state import PullRequestState
from tests.flow.agency import agency
from tests.flow.merging import MERGE, Courses
from tests.flow.rig import SYSTEM, until

PATIENCE_SECONDS = 60.0
HORIZON = timedelta(hours=3)
"""How far the clock is put forward at the end: beyond it lies only what waits for a day."""
MOST_JUMPS = 80
WEAK = "weak.test.js"


@dataclass(frozen=True)
class Rules:
    """What is configured."""

    approvals: int = 0
    up_to_date: bool = False
    max_retries: int = 2
    of_pull_request: int = 4
    of_day: int = 6

    @property
    def text(self) -> str:
        return (
            "validation: {auto_merge: true, retry_backoff_seconds: 1,"
            f" max_retries: {self.max_retries}, required_approvals: {self.approvals},"
            f" require_up_to_date: {str(self.up_to_date).lower()}}}\n"
            f"budgets: {{agent_runs_per_pull_request: {self.of_pull_request},"
            f" agent_runs_per_day: {self.of_day}}}\n"
        )


@dataclass
class Course:
    """The bot at work on two pull requests: the agent's and alice's."""

    it: Courses
    rules: Rules
    wrong: list[str] = field(default_factory=list)
    """What did not hold at the very moment; it is told after the step."""
    trace: list[str] = field(default_factory=list)
    coming: list[str] = field(default_factory=list)
    """What the agent will do next, by name."""
    held: set[int] = field(default_factory=set)
    hands: dict[str, int] = field(default_factory=dict)
    """How often a person took a hand in a branch: a push, or a wish for a fix."""
    sent: dict[str, int] = field(default_factory=dict)
    """The prompts to mend each branch."""
    working: dict[str, int] = field(default_factory=dict)
    all_sent: int = 0
    crashed: bool = False
    _names: itertools.count[int] = field(default_factory=itertools.count)

    # ── git, at once ─────────────────────────────────────────────────────────────────────────

    def _git(self, *words: str) -> subprocess.CompletedProcess[str]:
        command = ("git", f"--git-dir={self.it.on.shop.folder}", *words)
        return subprocess.run(command, capture_output=True, text=True, check=False)

    def is_bad(self, commit: str) -> bool:
        """Whether its validation fails."""
        if self._git("cat-file", "-e", f"{commit}:{WEAK}").returncode == 0:
            return False
        return self._git("grep", "-q", "^bad", commit, "--", "verdict-*").returncode == 0

    def failure(self, commit: str) -> StageResult:
        """How it fails: in another way for each bad line."""
        found = self._git("grep", "-h", "^bad", commit, "--", "verdict-*").stdout.split()
        number = 2300 + int(found[1]) if len(found) > 1 else 2300
        log = Log(f"src/list.ts({number - 2299},1): error TS{number}: it is wrong so\n")
        return StageResult(
            Stage.BUILD,
            StageStatus.FAILED,
            cause=Cause.EXIT_CODE,
            exit_code=2,
            command="npm run build",
            log=log,
        )

    # ── people ───────────────────────────────────────────────────────────────────────────────

    @property
    def pulls(self) -> list[PullRequestState]:
        """All of them, oldest first."""
        return list(self.it.on.shop.pull_requests.values())

    def verdict(self, word: str) -> str:
        """A line that makes a commit good or bad, and unlike any other."""
        return f"{word} {next(self._names)}\n"

    async def push(self, pull: PullRequestState, word: str) -> None:
        """A person's commit on a pull request, or on ``main`` where it is merged."""
        if pull.state != "open":
            await self.it.push_base(f"base-{next(self._names)}.md")
            return
        self._took_a_hand(pull)
        name = f"verdict-{pull.head_branch}"
        made = await self.it.commit(pull.head_sha, name, self.verdict(word))
        await self.it.on.github.push(self.it.on.shop, pull, made, sender=self.it.on.alice)

    async def review(self, pull: PullRequestState, state: str) -> None:
        """bob's review of an open one."""
        if pull.state == "open":
            on = self.it.on
            await on.github.submit_review(on.shop, pull, state, author=self.it.bob)

    async def label(self, pull: PullRequestState) -> None:
        """Put the label that blocks on it, or take it off."""
        on, label = self.it.on, "do-not-merge"
        act = on.github.unlabel_issue if label in pull.labels else on.github.label_issue
        await act(on.shop, pull, label, sender=on.alice)

    async def talk(self, pull: PullRequestState) -> None:
        """Begin a conversation about its lines, or end the one that goes on."""
        on = self.it.on
        for thread in on.github.state.threads_of(on.shop, pull.number):
            if thread.resolved_by is None:
                await on.github.resolve_thread(on.shop, thread, sender=on.alice)
                return
        await on.github.open_thread(on.shop, pull, "Why?", author=self.it.bob)

    async def say(self, pull: PullRequestState, words: str) -> None:
        """An admin's command."""
        if words.split()[0] in ("unhold", "merge"):
            self.held.discard(pull.number)
        if words.startswith("fix"):
            self._took_a_hand(pull)
        on = self.it.on
        await on.github.comment(on.shop, pull.number, f"/codegen {words}", author=self.it.root)
        if words == "hold" and not self.crashed:
            await self.quiet()
            if (await self.it.record(pull)).held_by:
                self.held.add(pull.number)

    def _took_a_hand(self, pull: PullRequestState) -> None:
        self.hands[pull.head_branch] = self.hands.get(pull.head_branch, 0) + 1

    # ── the agent ────────────────────────────────────────────────────────────────────────────

    def choose(self, run: AgentRunState) -> Act:
        """What the agent does next: count what it is told, then do what was set for it."""
        branch, agent = existing_branch(run), self.it.agency.agent
        self.all_sent += 1
        name = self.coming.pop(0) if self.coming else "bad"
        if branch:
            self.sent[branch] = self.sent.get(branch, 0) + 1
        file, title = f"verdict-{branch}", f"Change {next(self._names)}"
        acts: dict[str, Act] = {
            "good": agent.pushes(Change(title, files={file: self.verdict("good")})),
            "bad": agent.pushes(Change(title, files={file: self.verdict("bad")})),
            "tests": agent.pushes(Change(title, files={WEAK: self.verdict("weak")})),
            "beside": agent.opens(
                Change(title, files={f"{title}.md": title}, branch=title.replace(" ", "-"))
            ),
            "fails": agent.fails("ERROR"),
            "says": agent.says("I do not know."),
        }
        return self._alone(branch, acts[name])

    def _alone(self, branch: str, act: Act) -> Act:
        """An act that counts how many are at work on its branch."""

        async def alone(run: AgentRunState) -> Ending | None:
            self.working[branch] = self.working.get(branch, 0) + 1
            if branch and self.working[branch] > 1:
                self.wrong.append(f"two fixes of {branch} are under way")
            try:
                return await act(run)
            finally:
                self.working[branch] -= 1

        return alone

    # ── faults ───────────────────────────────────────────────────────────────────────────────

    def look_on(self) -> None:
        """Look at each call, and let none fail."""
        self._faulty(0, None, crash=False)

    def fail(self, after: int, fault: Fault | None, *, crash: bool) -> None:
        """Have the call to GitHub after so many fail, and the bot's hands gone at that moment."""
        self._faulty(after, fault, crash=crash)

    def _faulty(self, after: int, fault: Fault | None, *, crash: bool) -> None:
        left = after

        def choose(_number: int, method: str, path: str) -> Fault | None:
            nonlocal left
            self._judge_call(f"{method} {path}")
            left -= 1
            if left != 0:
                return None
            self.trace.append(f"{method} {path}: {fault} crash={crash}")
            if crash:
                self.crashed = True
                self.it.agency.bot.shift.cancel()
            return fault

        self.it.on.github.faults.choose = choose

    def _judge_call(self, call: str) -> None:
        """What must hold whenever GitHub is asked to merge."""
        found = MERGE.fullmatch(call)
        if found is None:
            return
        pull = self.it.on.shop.pull_requests[int(found[1])]
        if pull.merged_at is not None:
            self.wrong.append(f"#{pull.number} is merged, and its merge is asked for")
        if pull.number in self.held:
            self.wrong.append(f"#{pull.number} is held, and its merge is asked for")

    # ── time ─────────────────────────────────────────────────────────────────────────────────

    async def restarted(self) -> None:
        """New hands where the old ones are gone."""
        if self.crashed:
            await self.it.agency.bot.shift.stop()
            self.crashed = False
            await self.it.agency.bot.shift.begin()

    async def pass_time(self, seconds: float) -> None:
        """Let it work for so long, of the world's time."""
        await SYSTEM.sleep(seconds)
        await self.restarted()

    async def quiet(self) -> None:
        """Wait until nothing is due, leased or under way, here or at the agent."""
        async with asyncio.timeout(PATIENCE_SECONDS):
            still = 0
            while still < 2:
                await self.restarted()
                still = 0 if await self._is_busy() else still + 1
                await SYSTEM.sleep(0.02)

    async def _is_busy(self) -> bool:
        bot = self.it.agency.bot
        due = {"state": "ready", "due_at": {"$lte": bot.clock.now()}}
        inbox = bot.it.database.collection("inbox")
        if await inbox.count_documents({"$or": [due, {"state": "leased"}]}, limit=1):
            return True
        jobs = bot.it.database.collection("jobs")
        if await jobs.count_documents({"state": {"$ne": "ended"}}, limit=1):
            return True
        async for _ in bot.it.runs.unended():
            return True
        return False

    async def jump(self, horizon: timedelta = HORIZON) -> bool:
        """Put the clock to where the next timer is due; False where there is none before that."""
        bot = self.it.agency.bot
        inbox, now = bot.it.database.collection("inbox"), bot.clock.now()
        following = await inbox.find_one({"state": "ready"}, sort=[("due_at", 1)])
        if following is None or following["due_at"] > now + horizon:
            return False
        bot.clock.ahead += max(following["due_at"] - now, timedelta()) + timedelta(seconds=1)
        return True

    async def all_timers_run_out(self) -> None:
        """Let everything come to its end, as far as it does by itself."""
        self.look_on()
        until = self.it.agency.bot.clock.now() + HORIZON
        for _ in range(MOST_JUMPS):
            await self.quiet()
            if not await self.jump(until - self.it.agency.bot.clock.now()):
                return
        raise AssertionError("it never comes to rest")

    # ── what must hold ───────────────────────────────────────────────────────────────────────

    async def judge(self) -> list[str]:
        """What is wrong now."""
        return [*self.wrong, *await self._merges(), *await self._fixes()]

    async def _merges(self) -> list[str]:
        wrong: list[str] = []
        subjects = await self.it.on_main()
        for pull in self.pulls:
            landed = sum(it.endswith(f"(#{pull.number})") for it in subjects)
            if landed > 1:
                wrong.append(f"#{pull.number} is on main {landed} times")
            if pull.merged_at is None:
                continue
            record = await self.it.record(pull)
            overridden = any(
                (word.criterion, word.head_sha, word.login) == ("validation", pull.head_sha, "root")
                for word in record.overrides
            )
            ran = pull.head_sha in self.it.agency.bot.boxes.ran
            if not overridden and (not ran or self.is_bad(pull.head_sha)):
                wrong.append(f"#{pull.number} was merged at {pull.head_sha[:8]}, never found good")
        return wrong

    async def _fixes(self) -> list[str]:
        wrong: list[str] = []
        rules = self.rules
        if self.all_sent > rules.of_day:
            wrong.append(f"{self.all_sent} prompts in a day")
        for pull in self.pulls:
            branch = pull.head_branch
            sent = self.sent.get(branch, 0)
            if sent >= rules.of_pull_request + 1:
                wrong.append(f"{sent} prompts to mend {branch}")
            hands = self.hands.get(branch, 0)
            if sent > rules.max_retries * (hands + 1) + hands:
                wrong.append(f"{sent} prompts to mend {branch}, where people had {hands} hands in")
            record = await self.it.record(pull)
            if sum(it.outcome is None for it in record.attempts) > 1:
                wrong.append(f"two attempts at #{pull.number} are open")
            by_itself = [
                it
                for it in record.counted
                if not it.asked_by and it.outcome is not FixOutcome.OVERTAKEN
            ]
            if len(by_itself) > rules.max_retries:
                wrong.append(f"{len(by_itself)} attempts at #{pull.number}")
        return wrong

    async def judge_end(self) -> list[str]:
        """What is wrong when nothing moves any more."""
        wrong = [f"dead: {it}" for it in await self.it.agency.bot.dead()]
        state = self.it.on.github.state
        wrong += [
            f"the check of {run.head_sha[:8]} is {run.status}: {run.history}"
            for run in state.check_runs.values()
            if run.app is None and run.status != "completed"
        ]
        for pull in self.pulls:
            if pull.state == "open" and await self._could_be_merged(pull):
                said = (await self.it.record(pull)).explanation
                wrong.append(f"#{pull.number} sits still with all criteria met: {said}")
            if pull.merged_at is not None and (await self.it.record(pull)).merged_at is None:
                wrong.append(f"the story of #{pull.number} is not closed")
        return wrong

    async def _could_be_merged(self, pull: PullRequestState) -> bool:
        """By hand: what GitHub and git say now, and what people said last."""
        state, shop = self.it.on.github.state, self.it.on.shop
        if self.is_bad(pull.head_sha) or NEEDS_HUMAN in pull.labels:
            return False
        if pull.draft or "do-not-merge" in pull.labels or (await self.it.record(pull)).held_by:
            return False
        said = [it for it in state.reviews_of(shop, pull.number) if it.author is self.it.bob]
        word = said[-1] if said else None
        if word is not None and word.state == "changes_requested":
            return False
        approves = word is not None and word.state == "approved"
        if self.rules.approvals and not (
            approves and word is not None and word.commit_id == pull.head_sha
        ):
            return False
        found = await standing(state, shop, pull, await shop.base_sha_of(pull))
        return found.mergeable is True and not found.unmet


@asynccontextmanager
async def course(mongodb: str, folder: Path, rules: Rules, first: str) -> AsyncIterator[Course]:
    """The agent's pull request, good or bad at first, and alice's, which is good."""
    async with agency(mongodb, folder, speed=50.0) as running:
        on, boxes = running.bot.on, running.bot.boxes
        root, bob = on.github.state.user("root"), on.github.state.user("bob")
        on.shop.permissions |= {"root": "admin", "bob": "write"}
        await running.configure(rules.text)
        it = Course(Courses(running, root, bob), rules)
        boxes.fails, boxes.failure = it.is_bad, it.failure
        it.look_on()
        on.github.state.slow_mergeability = True
        # The App may not read this one: GitHub refuses, and only time makes it be asked again.
        on.github.protect(on.shop, "main", Requirements(conversations=True))
        change = Change(
            "Mend it", files={"verdict-agents": it.verdict(first)}, branch="agents", body="It is."
        )
        running.agent.choose = lambda _run: running.agent.opens(change)
        number = running.issue()
        await it.it.branch("alices", "verdict-alices", text=it.verdict("good"))
        await on.github.comment(on.shop, number, "/codegen Mend it", author=on.alice)
        await until(lambda: bool(it.pulls), lambda: "no pull request came")
        it.all_sent += 1
        running.agent.choose = it.choose
        await on.github.open_pull_request(on.shop, "alices", author=on.alice)
        yield it

"""What can be told of the demo's story by now, a line each, in the order in which it is told."""

from __future__ import annotations

import html
import re
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from bot.cli.demo_stage import DemoCheck, DemoComment, DemoPullRequest, DemoStage
from bot.domain.conversations import STATUS_MARKER

BOT = "codegenapp[bot]"
AGENT = "codegen-sh[bot]"
EMOJI = {"eyes": "👀", "rocket": "🚀", "confused": "😕"}
SHA = 12
KEEPING_BACK = ("❌", "⏳")
MEANT = {"✅": "met", "⚠️": "overridden"}
_CRITERION = re.compile(r"^\| (\S+) \| <code>([^<]+)</code> \| ", re.MULTILINE)
_TRY = re.compile(r"^\| (?P<ordinal>\d+) \| [^|]* \| (?P<changed>[^|]*) \| (?P<came>[^|]*) \|$")
_MARKUP = re.compile(r"</?[a-z]+>|<!--.*?-->|\*\*|`")


@dataclass
class Story:
    """The goal's story so far: its issue, the comment that asked, and each head in order.

    What follows a failure is told from then on where it is ``mended``.
    """

    number: int
    asked: DemoComment
    heads: list[str] = field(default_factory=list)
    mended: bool = False

    def news(self, on: DemoStage) -> Iterator[str]:
        """Every line that can be told by now."""
        for _, name in self.asked.reactions:
            yield f"{BOT} answers with {EMOJI.get(name, name)}"
        for pull in on.pull_requests()[:1]:
            yield f"{AGENT} opens #{pull.number} from {pull.head_branch}: {pull.title}"
            yield from self._of_pull_request(on, pull)
        comment = status_comment(on, self.number)
        for text in comment.history if comment else ():
            yield f"#{self.number} says: {of_run(text)}"

    def _of_pull_request(self, on: DemoStage, pull: DemoPullRequest) -> Iterator[str]:
        if pull.head_sha not in self.heads:
            self.heads.append(pull.head_sha)
        first, *later = self.heads
        yield from check_news(on, first)
        if self.mended:
            yield from self._of_the_mend(on, pull, later)

    def _of_the_mend(
        self, on: DemoStage, pull: DemoPullRequest, later: Sequence[str]
    ) -> Iterator[str]:
        for run in on.agent_runs:
            for attempt, pictures in enumerate(run.pictures[1:], start=1):
                size = f"{len(run.prompts[attempt]):,} characters"
                yield (
                    f"{BOT} sends the failure to the same run of the agent: attempt {attempt}, "
                    f"{size} and {len(pictures)} screenshot{'s' if len(pictures) != 1 else ''}"
                )
        comment = status_comment(on, pull.number)
        told = [it for text in comment.history for it in of_course(text)] if comment else []
        yield from (f"#{pull.number} says: {it}" for it in told if "🎉" not in it)
        for sha in later:
            yield f"{AGENT} pushes {sha[:SHA]} to {pull.head_branch}"
            yield from check_news(on, sha)
        for it in on.merges:
            yield (
                f"{BOT} asks GitHub to merge #{pull.number} ({it.get('merge_method')}), "
                f"if its head is {str(it.get('sha'))[:SHA]}"
            )
        if on.merges and pull.merged_at is not None:
            merged = str(pull.merge_commit_sha)[:SHA]
            yield f"GitHub merges #{pull.number}: {pull.base_branch} is at {merged}"
        yield from (f"#{pull.number} says: {it}" for it in told if "🎉" in it)


def check_news(on: DemoStage, sha: str) -> Iterator[str]:
    """The states of a commit's check run, and what keeps its merge back."""
    for check in on.checks(sha)[-1:]:
        yield from (f"check run of {sha[:SHA]}: {it}" for it in check.history)
        if found := judged(check):
            yield f"the merge of {sha[:SHA]}: {in_a_line(found)}"


def judged(check: DemoCheck) -> Mapping[str, str]:
    """The criteria as the check's details told them first once its commit was judged.

    Names, each with its sign; nothing where no such text was told.
    """
    for text in check.texts:
        found = criteria(text)
        if found.get("validation") in {"✅", "❌"}:
            return found
    return {}


def held(check: DemoCheck) -> bool:
    """Whether the details told, at some time, that nothing keeps the merge of a green commit."""
    tables = [criteria(text) for text in check.texts]
    return any(
        it.get("validation") == "✅" and not set(it.values()) & set(KEEPING_BACK) for it in tables
    )


def criteria(text: str) -> Mapping[str, str]:
    """The names of the criteria in a text, each with its sign."""
    _, _, table = text.partition("### Merge: ")
    table, _, _ = table.partition("\nFor `")
    return {name: sign for sign, name in _CRITERION.findall(table)}


def in_a_line(found: Mapping[str, str]) -> str:
    """Criteria in a line: what keeps back by its name, then what holds, then how many are idle."""
    signs = dict.fromkeys((*KEEPING_BACK, *MEANT))
    said = [
        f"{sign} {', '.join(name for name, it in found.items() if it == sign)}"
        for sign in signs
        if sign in found.values()
    ]
    idle = sum(it not in signs for it in found.values())
    return " · ".join([*said, f"{idle} {'does' if idle == 1 else 'do'} not apply"])


def status_comment(on: DemoStage, number: int) -> DemoComment | None:
    """The one comment that tells how an issue or pull request stands."""
    own = (it for it in on.own_comments(number) if it.body.startswith(STATUS_MARKER))
    return next(own, None)


def of_run(text: str) -> str:
    """A status comment in a line: how the run stands, its step or validation, what came of it."""
    begins = ("### ", "`█", "`░", "- Val", "- 🎉")
    lines = [line for line in text.split("\n") if line.startswith(begins)]
    return " · ".join(
        _plain(line.strip("#- ").partition("](")[0].replace("[", "")) for line in lines
    )


def of_course(text: str) -> Sequence[str]:
    """What a pull request's status comment says of its tries and its merge, a line each."""
    found: list[str] = []
    for line in text.split("\n"):
        row = _TRY.match(line)
        if row is not None:
            changed = f", {row['changed'].strip()}" if row["changed"].strip() else ""
            found.append(_plain(f"try {row['ordinal']} to mend it: {row['came']}{changed}"))
        elif line.startswith(("### 🎉", "**Merge:**")):
            found.append(_plain(line.strip("# ")))
    return found


def tries(text: str) -> Sequence[tuple[str, str]]:
    """The tries in a status comment's table: what each changed, and what it came to."""
    rows = (_TRY.match(line) for line in text.split("\n"))
    return [(_plain(it["changed"]), _plain(it["came"])) for it in rows if it]


def _plain(text: str) -> str:
    return html.unescape(_MARKUP.sub("", text)).strip()

"""What a branch's protection and rulesets say of a pull request, in GitHub's own words.

Where a sentence of GitHub's is not known for sure, its place in the list says so.
"""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from demo.github.check_states import (
    Check,
    is_of,
    latest_checks,
    name_of,
    standing_of,
)
from demo.github.merging_state import OPINIONS, Requirements, ReviewState, Ruleset
from demo.github.state import PullRequestState, RepositoryState, State

QUEUE = "Changes must be made through the merge queue"
CONVERSATIONS = "A conversation must be resolved before this pull request can be merged."
CHANGES = "Changes have been requested by reviewers with write access."  # not known for sure
BEHIND = "Head branch is out of date. Review and try the merge again."
LINEAR = "This branch must not contain merge commits."


@dataclass(frozen=True)
class Violation:
    """A rule that does not hold; ``only_behind`` where an update of the branch would mend it."""

    message: str
    of_ruleset: bool
    only_behind: bool = False

    @property
    def status(self) -> int:
        """Of the refusal: a head that is behind is a conflict to GitHub."""
        return 409 if self.only_behind else 405

    @property
    def told(self) -> str:
        """The whole message of the refusal."""
        if self.of_ruleset and not self.only_behind:
            return f"Repository rule violations found\n\n{self.message}\n\n"
        return self.message


def rulesets_of(repository: RepositoryState, branch: str) -> list[Ruleset]:
    """Those that apply to a branch."""
    default = repository.default_branch
    return [it for it in repository.rulesets.values() if it.holds_for(branch, default)]


def applying(repository: RepositoryState, branch: str) -> list[tuple[Requirements, bool]]:
    """All that is required of a branch, and whether a ruleset says so."""
    classic = repository.protections.get(branch)
    rules = [(it.requirements, True) for it in rulesets_of(repository, branch)]
    return [*([(classic, False)] if classic else []), *rules]


def has_queue(repository: RepositoryState, branch: str) -> bool:
    """Whether only a queue merges into it."""
    return any(it.queue for it, _ in applying(repository, branch))


def requires(state: State, repository: RepositoryState, branch: str, check: Check) -> bool:
    """Whether a check must pass before that branch takes a change."""
    return any(
        name_of(check) in it.checks and is_of(state, check, it.checks[name_of(check)])
        for it, _ in applying(repository, branch)
    )


def opinions(
    state: State, repository: RepositoryState, pull: PullRequestState, *, writers_only: bool
) -> list[ReviewState]:
    """Each reviewer's last review that says yes, no, or neither any more."""
    last = {
        it.author.login: it
        for it in state.reviews_of(repository, pull.number)
        if it.state in OPINIONS and (not writers_only or state.may_write(repository, it.author))
    }
    return list(last.values())


def decision(state: State, repository: RepositoryState, pull: PullRequestState) -> str | None:
    """GraphQL's ``reviewDecision``: None where no review is required."""
    needed = [it for it, _ in applying(repository, pull.base_branch) if it.reviews or it.approvals]
    if not needed:
        return None
    said = [it.state for it in opinions(state, repository, pull, writers_only=True)]
    if "changes_requested" in said:
        return "CHANGES_REQUESTED"
    enough = said.count("approved") >= max(it.approvals for it in needed)
    return "APPROVED" if enough else "REVIEW_REQUIRED"


def violations(
    state: State, repository: RepositoryState, pull: PullRequestState, *, behind: bool
) -> list[Violation]:
    """What stands against merging, by the way of merging aside; a queue is none of it."""
    return [
        Violation(message, of_ruleset, message == BEHIND)
        for it, of_ruleset in applying(repository, pull.base_branch)
        for message in _unmet(state, repository, pull, it, behind)
    ]


def _unmet(
    state: State,
    repository: RepositoryState,
    pull: PullRequestState,
    it: Requirements,
    behind: bool,
) -> Iterator[str]:
    yield from unmet_checks(state, repository, pull.head_sha, it)
    if it.strict and behind:
        yield BEHIND
    said = [one.state for one in opinions(state, repository, pull, writers_only=True)]
    if (it.approvals or it.reviews) and "changes_requested" in said:
        yield CHANGES
    if said.count("approved") < it.approvals:
        reviews = "review is" if it.approvals == 1 else "reviews are"
        yield (
            f"At least {it.approvals} approving {reviews} required by reviewers with write access."
        )
    open_threads = (t for t in state.threads_of(repository, pull.number) if t.resolved_by is None)
    if it.conversations and any(open_threads):
        yield CONVERSATIONS


def required(state: State, repository: RepositoryState, branch: str, sha: str) -> list[str]:
    """How each check that a branch requires stands at a commit."""
    checks = latest_checks(state, repository, sha)
    return [
        _worst(state, checks, name, app_id)
        for it, _ in applying(repository, branch)
        for name, app_id in it.checks.items()
    ]


def unmet_checks(
    state: State, repository: RepositoryState, sha: str, it: Requirements
) -> Iterator[str]:
    """The sentence about required checks of a commit, none where all of them pass."""
    checks = latest_checks(state, repository, sha)
    unmet = [
        (name, stand)
        for name, app_id in it.checks.items()
        if (stand := _worst(state, checks, name, app_id)) != "passed"
    ]
    if len(unmet) == 1:
        yield f'Required status check "{unmet[0][0]}" is {unmet[0][1]}.'
    elif unmet:
        of = f"{len(unmet)} of {len(it.checks)} required status checks"
        counts = Counter(stand for _, stand in unmet)
        if set(counts) == {"expected"}:
            yield f"{of} are expected."
        else:
            each = " and ".join(f"{number} {stand}" for stand, number in sorted(counts.items()))
            yield f"{of} have not succeeded: {each}."


def _worst(state: State, checks: list[Check], name: str, app_id: int | None) -> str:
    """How a required check stands: a run and a status of one name must both pass."""
    found = [standing_of(it) for it in checks if name_of(it) == name and is_of(state, it, app_id)]
    wrong = sorted((it for it in found if it != "passed"), key=lambda it: it != "failing")
    return wrong[0] if wrong else "passed" if found else "expected"

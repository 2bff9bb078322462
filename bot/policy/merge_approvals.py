"""The criteria that people's reviews make: whose approval counts, and who wants changes."""

from __future__ import annotations

from collections.abc import Sequence

from bot.domain.merging import Criterion, Review, ReviewDecision, ReviewState
from bot.policy.merge_facts import Asked, MergeFacts, counted, listed, override_mend

_SHORT = 12


def approvals(facts: MergeFacts) -> Criterion:
    """Enough people approve of what the head is now, and none of them is a party to it."""
    ours, theirs = facts.config.validation.required_approvals, facts.rules.approvals
    needed = max(ours, theirs)
    sources = ["`validation.required_approvals`"] if ours >= theirs else []
    sources += [facts.rules.source] if theirs >= ours and theirs else []
    asked = Asked("approvals", listed(sources))
    if not needed:
        return asked.idle("none is required")
    count = approving(facts)
    left_out = [
        f"that of `{it.author.login}` does not count: {reason}"
        for it in _approvals(facts)
        if (reason := _no_party_to(facts, it))
    ]
    given = f" by {_people(count)}" if count else ""
    value = "; ".join([f"{len(count)} of {counted(needed, 'approval')}{given}", *left_out])
    if len(count) >= needed:
        return asked.met(value)
    if facts.may_be_our_update:
        mend = "GitHub tells within moments whether the new head is the base merged in for it."
        return asked.waiting(value, mend, facts.update_given_up)
    missing = counted(needed - len(count), "more person has", "more people have")
    return asked.unmet(value, f"{missing} to approve this commit. {override_mend(asked.name)}")


def approving(facts: MergeFacts) -> Sequence[Review]:
    """The approvals that count: of the head's own work, by somebody who is no party to it."""
    return [it for it in _approvals(facts) if not _no_party_to(facts, it)]


def changes_requested(facts: MergeFacts) -> Criterion:
    """Whoever last asked for changes stands in the way, until they approve or it is dismissed."""
    asked = Asked("changes_requested", "reviews")
    wanting = [it for it in last_words(facts) if it.state is ReviewState.CHANGES_REQUESTED]
    if not wanting:
        return asked.met("nobody wants changes")
    people = _people(wanting)
    verb = "approves" if len(wanting) == 1 else "approve"
    return asked.unmet(
        f"changes are requested by {people}",
        f"It holds once {people} {verb}, or the review is dismissed. {override_mend(asked.name)}",
    )


def code_review(facts: MergeFacts) -> Criterion:
    """What GitHub itself makes of the reviews by its own rules."""
    asked = Asked("code_review", "GitHub's rules (code owners, approval of the last push)")
    match facts.situation.review_decision:
        case None:
            return asked.idle("GitHub asks for no review")
        case ReviewDecision.APPROVED:
            return asked.met("GitHub counts it as reviewed")
        case ReviewDecision.REVIEW_REQUIRED:
            return asked.unmet(
                "GitHub misses a review", "Ask a code owner, or somebody who may write, for one."
            )
        case ReviewDecision.CHANGES_REQUESTED:
            return asked.unmet(
                "for GitHub, changes are requested",
                "It holds once who asked for them approves, or the review is dismissed.",
            )


def conversations(facts: MergeFacts) -> tuple[Criterion, ...]:
    """Every conversation is resolved, where that is a rule."""
    if not facts.rules.conversations:
        return ()
    asked = Asked("conversations", facts.rules.source)
    unresolved = facts.situation.unresolved_conversations
    if not unresolved:
        return (asked.met("all are resolved"),)
    value = f"{counted(unresolved, 'conversation is', 'conversations are')} not resolved"
    return (asked.unmet(value, "Answer and resolve them on the pull request."),)


def last_words(facts: MergeFacts) -> Sequence[Review]:
    """One review for each reviewer, who is known by id."""
    return tuple({it.author.id: it for it in facts.situation.reviews}.values())


def _approvals(facts: MergeFacts) -> Sequence[Review]:
    return [it for it in last_words(facts) if it.state is ReviewState.APPROVED]


def _no_party_to(facts: MergeFacts, review: Review) -> str:
    """Why an approval does not count, as a clause; empty where it does."""
    author = review.author
    starters = {it.request.asked_by.id for it in facts.runs}
    if author.id == facts.pull.author.id:
        return "it is their own pull request"
    if author.is_bot:
        return "it is a bot's"
    if author.id in starters and not facts.config.validation.count_starter_approval:
        return "they started the agent run (`validation.count_starter_approval`)"
    if not facts.same_work(review.commit_sha):
        return f"it is stale, being of `{review.commit_sha[:_SHORT]}`"
    return ""


def _people(reviews: Sequence[Review]) -> str:
    return listed([f"`{it.author.login}`" for it in reviews])

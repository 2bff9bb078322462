"""Merge queues: the same check on the head of a group."""

from __future__ import annotations

from bot.domain.effects import Decision, ValidationOrder
from bot.domain.events import MergeGroupDestroyed, MergeGroupFormed
from bot.policy.requests import cancel, request
from bot.ports.handlers import Context, Needs


async def validate_merge_group(event: MergeGroupFormed, needs: Needs, context: Context) -> Decision:
    """Validate a group's head. Whoever queued it may write: its code is trusted as theirs."""
    known = await needs.validations.of_commit(event.repository.id, event.head_sha)
    order = ValidationOrder(
        repository=event.repository,
        head_sha=event.head_sha,
        ref=event.head_ref,
        base_branch=event.base_branch,
        base_sha=event.base_sha,
        number=None,
        url="",
        trusted=True,
    )
    return request(order, known, context.id)


async def cancel_merge_group(
    event: MergeGroupDestroyed, needs: Needs, context: Context
) -> Decision:
    """Cancel what nobody waits for any more."""
    del context
    known = await needs.validations.of_commit(event.repository.id, event.head_sha)
    of_groups = [it for it in known if it.order.number is None and not it.ended]
    return cancel(of_groups, f"the merge group is gone: {event.reason}")

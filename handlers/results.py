"""Results of our own long work."""

from __future__ import annotations

from dataclasses import replace

from bot.domain.effects import Decision, Effect, LeaveEvent
from bot.domain.events import PullRequestTouched, ValidationEnded
from bot.domain.validation_records import ValidationRecord
from bot.policy.agent_queue import shown
from bot.policy.ended import EndedFacts, decide
from bot.ports.handlers import Context, Needs


async def conclude_validation(event: ValidationEnded, needs: Needs, context: Context) -> Decision:
    """Conclude a validation whose job ended, or try it again where the machine was at fault."""
    del context
    record = await needs.validations.get(event.validation_id)
    if record is None:
        return Decision("there is no such validation")
    job = await needs.jobs.get(event.job_id)
    config = (await needs.configuration(event.repository, "")).parsed.config
    decision = decide(
        EndedFacts(
            record=record,
            job_id=event.job_id,
            result=job.result if job else None,
            infrastructure_retries=config.validation.infrastructure_retries,
            now=needs.clock.now(),
        )
    )
    looks = (
        LeaveEvent(PullRequestTouched(event.repository, it)) for it in sorted(record.pull_requests)
    )
    told = await _told(event, record, needs)
    return replace(decision, effects=(*decision.effects, *told, *looks))


async def _told(
    event: ValidationEnded, record: ValidationRecord, needs: Needs
) -> tuple[Effect, ...]:
    """The status comments of the runs whose pull requests wait for it."""
    runs = [
        run
        for number in sorted(record.pull_requests)
        for run in await needs.runs.of_issue(event.repository.id, number)
    ]
    return shown(event.repository, (number for run in runs for number in run.numbers))

"""Results of our own long work."""

from __future__ import annotations

from bot.domain.effects import Decision
from bot.domain.events import ValidationEnded
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
    return decide(
        EndedFacts(
            record=record,
            job_id=event.job_id,
            result=job.result if job else None,
            infrastructure_retries=config.validation.infrastructure_retries,
            now=needs.clock.now(),
        )
    )

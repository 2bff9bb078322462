"""What a model is asked for: to explain failures, and to explore. Without a key both say so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bot.adapters.gemini import (
    CALLS,
    DEFAULT_ENDPOINT,
    DEFAULT_MODEL,
    EXPLORING_CALLS,
    Gemini,
    GeminiExplorer,
    GeminiReviewer,
)
from bot.adapters.pacing import Pace, SharedPace
from bot.adapters.render import TemplateRenderer
from bot.ports.clock import Clock
from bot.services.analysis import Analyst
from bot.services.exploring import Explorations
from bot.settings import Settings


@dataclass(frozen=True)
class Advisers:
    """Whoever asks a model."""

    analyst: Analyst
    explorations: Explorations


@asynccontextmanager
async def advisers(
    settings: Settings, renderer: TemplateRenderer, clock: Clock
) -> AsyncIterator[Advisers]:
    """Those of this process, who pace their questions together."""
    if not settings.gemini_api_key:
        yield Advisers(Analyst(None, renderer, clock), Explorations(None, renderer, clock))
        return
    said = "Gemini's limit is reached"
    pace = SharedPace(clock, windows=CALLS, said=said)
    explorers = SharedPace(clock, windows=EXPLORING_CALLS, said=said)

    async def both(name: str) -> None:
        await explorers(name)
        await pace(name)

    def gemini(paced: Pace) -> Gemini:
        model = settings.gemini_model or DEFAULT_MODEL
        endpoint = settings.gemini_api_endpoint or DEFAULT_ENDPOINT
        return Gemini(paced, settings.gemini_api_key, model, endpoint)

    try:
        yield Advisers(
            Analyst(GeminiReviewer(gemini(pace)), renderer, clock),
            Explorations(GeminiExplorer(gemini(both)), renderer, clock),
        )
    finally:
        await explorers.close()
        await pace.close()

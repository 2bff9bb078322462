"""What a model is asked for: to explain failures, and to explore. Without a key both say so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass

from bot.adapters.gemini import (
    CALLS,
    DEFAULT_ENDPOINT,
    DEFAULT_MODEL,
    Gemini,
    GeminiExplorer,
    GeminiReviewer,
)
from bot.adapters.pacing import SharedPace
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
    pace = SharedPace(clock, windows=CALLS, said="Gemini's limit is reached")
    try:
        gemini = Gemini(
            pace,
            settings.gemini_api_key,
            settings.gemini_model or DEFAULT_MODEL,
            settings.gemini_api_endpoint or DEFAULT_ENDPOINT,
        )
        yield Advisers(
            Analyst(GeminiReviewer(gemini), renderer, clock),
            Explorations(GeminiExplorer(gemini), renderer, clock),
        )
    finally:
        await pace.close()

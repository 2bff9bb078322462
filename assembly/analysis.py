"""The analyst: with a model's key it asks the model why a validation failed, without it says so."""

from __future__ import annotations

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

from bot.adapters.gemini import CALLS, DEFAULT_ENDPOINT, DEFAULT_MODEL, Gemini, GeminiReviewer
from bot.adapters.pacing import SharedPace
from bot.adapters.render import TemplateRenderer
from bot.ports.clock import Clock
from bot.services.analysis import Analyst
from bot.settings import Settings


@asynccontextmanager
async def analysts(
    settings: Settings, renderer: TemplateRenderer, clock: Clock
) -> AsyncIterator[Analyst]:
    """One for this process, which paces its questions by itself."""
    if not settings.gemini_api_key:
        yield Analyst(None, renderer, clock)
        return
    pace = SharedPace(clock, windows=CALLS, said="Gemini's limit is reached")
    try:
        gemini = Gemini(
            pace,
            settings.gemini_api_key,
            settings.gemini_model or DEFAULT_MODEL,
            settings.gemini_api_endpoint or DEFAULT_ENDPOINT,
        )
        yield Analyst(GeminiReviewer(gemini), renderer, clock)
    finally:
        await pace.close()

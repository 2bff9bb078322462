"""``explain``: why a pull request is not merged, in a terminal, as GitHub is told it."""

from __future__ import annotations

import asyncio
import re
from pathlib import Path

import pytest

from tests.flow.agency import Agency, agency
from tests.product import Command, Product

pytestmark = pytest.mark.database


async def explain(it: Agency, mongodb: str, folder: Path, name: str) -> Command:
    """The command, as whoever runs the bot gives it."""
    settings = it.bot.it.settings
    environment = {
        "MONGODB_URI": mongodb,
        "MONGODB_DATABASE": settings.mongodb_database,
        "GITHUB_APP_ID": str(settings.github_app_id),
        "GITHUB_PRIVATE_KEY": settings.github_private_key,
        "GITHUB_WEBHOOK_SECRET": settings.github_webhook_secret,
        "GITHUB_API_URL": settings.github_api_url,
        "GITHUB_URL": settings.github_url,
        "SECRET_KEY": settings.secret_keys[0],
    }
    return await asyncio.to_thread(Product(folder, environment=environment).run, "explain", name)


async def test_it_tells_what_the_check_tells(mongodb: str, tmp_path: Path) -> None:
    async with agency(mongodb, tmp_path, with_agent=False) as it:
        on = it.bot.on
        pull = await on.github.open_pull_request(on.shop, "add-quantities", author=on.alice)
        check = await it.bot.concluded(pull.head_sha)
        await it.bot.idle()
        told = await explain(it, mongodb, tmp_path / "cli", f"octo/shop#{pull.number}")
        assert told.process.returncode == 1, told.errors
        assert told.output.startswith("octo/shop#1: 1 criterion keeps it back: auto_merge.")
        assert "❌ auto_merge: merging is not automatic here" in told.output
        assert "→ Write `/codegen merge`" in told.output
        names = re.findall(r"(?m)^\S+ (\w+): ", told.output)
        assert set(names) == set(
            re.findall(r"(?m)^\| \S+ \| <code>(\w+)</code> \|", check.text or "")
        )
        await it.say(pull.number, "/codegen merge")
        await it.shows(pull.number, "Merged into main")
        told = await explain(
            it, mongodb, tmp_path / "cli", f"https://x/octo/shop/pull/{pull.number}"
        )
        assert (told.process.returncode, "Merged as" in told.output) == (0, True), told.errors


@pytest.mark.parametrize(
    ("name", "said"),
    [
        pytest.param("octo/shop", "owner/repository#12", id="no number"),
        pytest.param("octo/other#1", "Is the App installed there", id="another repository"),
        pytest.param("octo/shop#99", "no pull request #99", id="another number"),
    ],
)
async def test_what_can_not_be_told_says_why(
    mongodb: str, tmp_path: Path, name: str, said: str
) -> None:
    async with agency(mongodb, tmp_path, with_agent=False) as it:
        on = it.bot.on
        await on.github.open_pull_request(on.shop, "add-quantities", author=on.alice)
        await it.bot.idle()
        told = await explain(it, mongodb, tmp_path / "cli", name)
        assert told.process.returncode == 2
        assert said in told.errors
        assert "Traceback" not in told.errors

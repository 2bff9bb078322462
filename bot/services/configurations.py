"""A repository's configuration: its file on a branch or commit, parsed once for each content."""

from __future__ import annotations

from cachetools import LRUCache

from bot.domain.config_parser import ParsedConfig, parse
from bot.domain.repo_config import CONFIG_PATHS
from bot.domain.repositories import Repository
from bot.ports.github import GitHub
from bot.ports.handlers import Configuration

MOST_CONTENTS = 1_000


class Configurations:
    """Reads files every time (GitHub answers 304 for what has not changed), parses them once."""

    def __init__(self, github: GitHub) -> None:
        self._github = github
        self._parsed: LRUCache[tuple[str, str], ParsedConfig] = LRUCache(MOST_CONTENTS)

    async def of(self, repository: Repository, ref: str = "") -> Configuration:
        """The configuration at a branch or commit, empty for the default branch."""
        for path in CONFIG_PATHS:
            file = await self._github.read_file(repository, path, ref)
            if file is None:
                continue
            key = (file.path, file.blob_sha)
            if key not in self._parsed:
                text = file.content.decode("utf-8-sig", errors="replace")
                self._parsed[key] = parse(text, path)
            return Configuration(self._parsed[key], path, file.blob_sha)
        return Configuration(ParsedConfig())

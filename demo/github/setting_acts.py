"""What a repository's administrators set: which branches are protected, and how it is merged.

GitHub tells Apps nothing of it that this one has asked to hear.
"""

from __future__ import annotations

from dataclasses import replace

from demo.github.merging_state import Requirements, Ruleset
from demo.github.state import RepositoryState
from demo.github.telling import Telling

QUEUE = Requirements(queue=True)


class SettingActs(Telling):
    """Each changes the repository at once."""

    def protect(
        self, repository: RepositoryState, branch: str, requirements: Requirements | None
    ) -> None:
        """Protect a branch in the classic way, or no longer (None)."""
        repository.protections.pop(branch, None)
        if requirements is not None:
            repository.protections[branch] = requirements

    def add_ruleset(
        self,
        repository: RepositoryState,
        requirements: Requirements,
        *branches: str,
        name: str = "rules",
    ) -> Ruleset:
        """Have a ruleset for the branches of these names or patterns: the default one, for none."""
        made = Ruleset(next(self.state.ids), name, branches or ("~DEFAULT_BRANCH",), requirements)
        repository.rulesets[made.id] = made
        return made

    def remove_ruleset(self, repository: RepositoryState, ruleset: Ruleset) -> None:
        """Have it no longer."""
        del repository.rulesets[ruleset.id]

    def allow_merging(self, repository: RepositoryState, *methods: str) -> None:
        """Allow these ways of merging, and no others: ``merge``, ``squash``, ``rebase``."""
        repository.allowed_methods = set(methods)

    def turn_on_queue(
        self, repository: RepositoryState, *branches: str, requirements: Requirements = QUEUE
    ) -> Ruleset:
        """Have a merge queue for branches, with what must hold for each group."""
        return self.add_ruleset(repository, replace(requirements, queue=True), *branches)

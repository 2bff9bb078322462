"""What other Apps and people report of commits: check runs of theirs, and statuses."""

from __future__ import annotations

from demo.github import check_objects, checks
from demo.github.check_states import latest_runs
from demo.github.diffs import Diffs
from demo.github.merging_state import AppState, StatusState
from demo.github.pushes import commit_of, refs_of
from demo.github.queue_acts import QueueActs
from demo.github.rules import applying
from demo.github.state import CheckRunState, RepositoryState, User, iso, now

STATES = frozenset({"error", "failure", "pending", "success"})


class CheckActs(QueueActs):
    """Each does what GitHub does then, and sends what GitHub sends."""

    async def report_check(
        self,
        repository: RepositoryState,
        sha: str,
        name: str,
        *,
        app: AppState,
        conclusion: str | None = "success",
        status: str = "in_progress",
    ) -> CheckRunState:
        """Have a check run of another App: completed, or (no conclusion) in that status."""
        told = {"name": name, "head_sha": await repository.commit(sha), "status": status}
        run = checks.create(self.state, repository.id, told, app)
        run.details_url = f"{self.url}/{repository.full_name}/runs/{run.id}"
        await self._tell_of_run(repository, run, "created")
        if conclusion is not None:
            await self.finish_check(repository, run, conclusion)
        return run

    async def finish_check(
        self, repository: RepositoryState, run: CheckRunState, conclusion: str
    ) -> None:
        """Complete another App's check run, and its suite where it is the last."""
        assert run.app is not None
        checks.update(run, {"conclusion": conclusion})
        await self._tell_of_run(repository, run, "completed")
        known = latest_runs(self.state, repository.id, run.head_sha)
        suite = [it for it in known if it.app is run.app]
        if all(it.status == "completed" for it in suite):
            await self._tell_of_suite(repository, run.app, suite)
        await self.checks_changed(repository, run.head_sha)

    async def set_status(
        self,
        repository: RepositoryState,
        sha: str,
        context: str,
        state: str,
        *,
        creator: User,
        description: str = "",
        target_url: str = "",
    ) -> StatusState:
        """Set a commit status: ``error``, ``failure``, ``pending`` or ``success``.

        Raises Invalid, LookupError.
        """
        if state not in STATES:
            raise checks.Invalid("state: is none")
        status = StatusState(
            next(self.state.ids),
            repository.id,
            await repository.commit(sha),
            context,
            state,
            description,
            target_url,
            creator,
            now(),
        )
        self.state.statuses.append(status)
        await self._tell_of_status(repository, status)
        await self.checks_changed(repository, status.sha)
        return status

    async def _tell_of_run(
        self, repository: RepositoryState, run: CheckRunState, action: str
    ) -> None:
        assert run.app is not None
        payload = {"action": action, "check_run": check_objects.check_run(self._objects, run)}
        await self.send("check_run", payload, repository, run.app.account)

    async def _tell_of_suite(
        self, repository: RepositoryState, app: AppState, runs: list[CheckRunState]
    ) -> None:
        sha = runs[0].head_sha
        branch = next(iter(await self._branches_at(repository, sha)), None)
        commit = await commit_of(repository, sha, self.url)
        suite = check_objects.check_suite(self._objects, repository, app, runs, commit, branch)
        payload = {"action": "completed", "check_suite": suite}
        await self.send("check_suite", payload, repository, app.account)

    async def _tell_of_status(self, repository: RepositoryState, status: StatusState) -> None:
        commit = await Diffs(self._objects).commit(repository, status.sha)
        at = {"sha": status.sha, "url": commit["url"]}
        told = check_objects.status(self._objects, repository, status)
        names = ("id", "state", "description", "target_url", "context", "created_at", "avatar_url")
        payload = {name: told[name] for name in names} | {
            "sha": status.sha,
            "name": repository.full_name,
            "commit": commit,
            "branches": [
                {"name": it, "commit": at, "protected": bool(applying(repository, it))}
                for it in await self._branches_at(repository, status.sha)
            ],
            "updated_at": iso(status.created_at),
        }
        await self.send("status", payload, repository, status.creator)

    @staticmethod
    async def _branches_at(repository: RepositoryState, sha: str) -> list[str]:
        refs = await refs_of(repository)
        heads = (ref for ref, at in refs.items() if at == sha and ref.startswith("refs/heads/"))
        return [ref.removeprefix("refs/heads/") for ref in heads]

"""Every index of every collection, with what it is for. They are made and verified at start."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

from pymongo import ASCENDING, DESCENDING, IndexModel

INDEXES: Final[Mapping[str, tuple[IndexModel, ...]]] = {
    "inbox": (
        # Of each key one item at a time, whoever claims.
        IndexModel("key", unique=True, partialFilterExpression={"state": "leased"}, name="serial"),
        # The next one of the next repository.
        IndexModel(
            [
                ("state", ASCENDING),
                ("repository_id", ASCENDING),
                ("due_at", ASCENDING),
                ("key", ASCENDING),
            ],
            name="next",
        ),
        IndexModel([("state", ASCENDING), ("lease_until", ASCENDING)], name="leases"),
        IndexModel([("state", ASCENDING), ("received_at", DESCENDING)], name="listing"),
        IndexModel("forget_at", expireAfterSeconds=0, name="retention"),
    ),
    "jobs": (
        IndexModel("lane", unique=True, partialFilterExpression={"state": "running"}, name="lane"),
        IndexModel(
            [("state", ASCENDING), ("repository_id", ASCENDING), ("not_before", ASCENDING)],
            name="next",
        ),
        IndexModel([("state", ASCENDING), ("lease_until", ASCENDING)], name="leases"),
        IndexModel("forget_at", expireAfterSeconds=0, name="retention"),
    ),
    "projects": (
        IndexModel("repository_id", unique=True, name="repository"),
        IndexModel("name_folded", name="name"),
        IndexModel("installation_id", name="installation"),
    ),
    "agent_runs": (
        IndexModel(
            [("repository_id", ASCENDING), ("number", ASCENDING), ("created_at", DESCENDING)],
            name="issue",
        ),
        IndexModel(
            [("repository_id", ASCENDING), ("pull_request", ASCENDING)], name="pull_request"
        ),
        IndexModel(
            [("status", ASCENDING), ("repository_id", ASCENDING), ("created_at", ASCENDING)],
            name="unended",
        ),
    ),
    "validation_pipelines": (
        IndexModel(
            [("repository_id", ASCENDING), ("head_sha", ASCENDING), ("attempt", ASCENDING)],
            unique=True,
            name="attempt",
        ),
        IndexModel(
            [("repository_id", ASCENDING), ("pull_requests", ASCENDING), ("ended", ASCENDING)],
            name="pull_request",
        ),
        IndexModel([("ended", ASCENDING), ("check_concluded", ASCENDING)], name="unended"),
    ),
    "pull_requests": (
        IndexModel(
            [("repository_id", ASCENDING), ("base_branch", ASCENDING), ("queued_at", ASCENDING)],
            name="line",
        ),
        IndexModel([("is_open", ASCENDING), ("looked_at", ASCENDING)], name="unfinished"),
    ),
    "artifacts.files": (IndexModel("metadata.kept_until", name="retention"),),
    "evaluated_bases": (IndexModel("forget_at", expireAfterSeconds=0, name="retention"),),
    "events": (
        IndexModel([("subject", ASCENDING), ("at", DESCENDING)], name="subject"),
        IndexModel("forget_at", expireAfterSeconds=0, name="retention"),
    ),
    "log_chunks": (
        IndexModel([("job_id", ASCENDING), ("_id", ASCENDING)], name="job"),
        IndexModel("forget_at", expireAfterSeconds=0, name="retention"),
    ),
}

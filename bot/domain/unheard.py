"""GitHub's events that nobody here listens to, each with the reason. A test walks them all."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final

_BY_TIMER = "branch rules are read when a merge is judged, and again by timer"
_LATER_DEPLOYMENT = "deployments are not there yet"
_NO_CODE = "no code and no check changes"
_ADMINISTRATION = "people and permissions are asked for when they matter"
_NOT_OURS = "belongs to other products"

UNHEARD: Final[Mapping[str, str]] = {
    "branch_protection_rule": _BY_TIMER,
    "code_scanning_alert": _NOT_OURS,
    "commit_comment": _NO_CODE,
    "create": "a push tells of the same branch",
    "delete": "a push tells of the same branch",
    "dependabot_alert": _NOT_OURS,
    "deploy_key": _ADMINISTRATION,
    "deployment": _LATER_DEPLOYMENT,
    "deployment_review": _LATER_DEPLOYMENT,
    "deployment_status": _LATER_DEPLOYMENT,
    "discussion": _NO_CODE,
    "discussion_comment": _NO_CODE,
    "fork": "a fork's pull request tells of itself",
    "github_app_authorization": "sign-in is not there yet",
    "gollum": _NO_CODE,
    "label": _NO_CODE,
    "marketplace_purchase": _NOT_OURS,
    "member": _ADMINISTRATION,
    "membership": _ADMINISTRATION,
    "meta": "the webhook is looked at by doctor",
    "milestone": _NO_CODE,
    "org_block": _ADMINISTRATION,
    "organization": _ADMINISTRATION,
    "package": _NOT_OURS,
    "page_build": _NOT_OURS,
    "project": _NO_CODE,
    "project_card": _NO_CODE,
    "project_column": _NO_CODE,
    "projects_v2_item": _NO_CODE,
    "public": "repository.publicized tells the same",
    "release": _NO_CODE,
    "repository_dispatch": _NOT_OURS,
    "repository_import": "the installation's events tell of new repositories",
    "repository_vulnerability_alert": _NOT_OURS,
    "security_advisory": _NOT_OURS,
    "sponsorship": _NOT_OURS,
    "star": _NO_CODE,
    "team": _ADMINISTRATION,
    "team_add": _ADMINISTRATION,
    "watch": _NO_CODE,
    "workflow_dispatch": _NOT_OURS,
    "workflow_job": _NOT_OURS,
    "workflow_run": _LATER_DEPLOYMENT,
}

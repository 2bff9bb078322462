"""What is asked of GitHub by GraphQL, and GitHub's published schema of it."""

from __future__ import annotations

from functools import cache
from typing import Any

from graphql import GraphQLSchema, build_schema

from demo.github.state import User
from tests.contract.github_calls import call_at
from tests.octokit import packages
from tests.stand_in import Stage

PULL_REQUEST = """
id number title body url state isDraft merged mergedAt mergeCommit { oid } createdAt updatedAt
headRefOid headRefName headRepository { databaseId } baseRefName baseRefOid
baseRef { target { oid } }
author { __typename login ... on User { databaseId } ... on Bot { databaseId } }
maintainerCanModify mergeable mergeStateStatus reviewDecision
isInMergeQueue isMergeQueueEnabled mergeQueueEntry { position state }
labels(first: 100) { nodes { name } }
latestOpinionatedReviews(first: 100, writersOnly: true) {
  nodes { author { login ... on User { databaseId } } state submittedAt commit { oid } }
}
reviewThreads(first: 100) {
  totalCount pageInfo { hasNextPage endCursor } nodes { isResolved }
}
closingIssuesReferences(first: 20) { nodes { number repository { databaseId } } }
commits(last: 1) { nodes { commit { oid statusCheckRollup {
  state
  contexts(first: 100) { pageInfo { hasNextPage endCursor } nodes { __typename
    ... on CheckRun { databaseId name status conclusion startedAt completedAt
      isRequired(pullRequestNumber: $number) checkSuite { app { databaseId slug } } }
    ... on StatusContext { context state createdAt isRequired(pullRequestNumber: $number)
      creator { login } } } }
} } } }
"""
ONE = f"""
query ($owner: String!, $name: String!, $number: Int!) {{
  repository(owner: $owner, name: $name) {{
    mergeCommitAllowed squashMergeAllowed rebaseMergeAllowed deleteBranchOnMerge
    pullRequest(number: $number) {{ {PULL_REQUEST} }}
  }}
  rateLimit {{ cost remaining resetAt }}
}}
"""
ALL = """
query ($owner: String!, $name: String!, $base: String, $after: String, $size: Int!) {
  repository(owner: $owner, name: $name) {
    pullRequests(first: $size, states: OPEN, baseRefName: $base, after: $after) {
      totalCount pageInfo { hasNextPage endCursor } nodes { number mergeable state }
    }
  }
}
"""
ENQUEUE = """
mutation ($input: EnqueuePullRequestInput!) {
  enqueuePullRequest(input: $input) {
    clientMutationId mergeQueueEntry { position state pullRequest { number } headCommit { oid } }
  }
}
"""


@cache
def published() -> GraphQLSchema:
    """All of GitHub's schema, as it is published."""
    text = (packages() / "@octokit/graphql-schema/schema.graphql").read_text()
    return build_schema(text, assume_valid=True)


async def ask(on: Stage, query: str, *, by: User | None = None, **variables: Any) -> Any:
    """What is answered to a query about the shop."""
    named = {"owner": on.shop.owner.login, "name": on.shop.name, **variables}
    body = {"query": query, "variables": named}
    status, answered = await call_at(on, "POST", "/graphql", body, by=by)
    assert status == 200
    return answered


async def pull_request(on: Stage, number: int) -> dict[str, Any]:
    """What is answered about a pull request, without a fault."""
    answered = await ask(on, ONE, number=number)
    assert "errors" not in answered
    found: dict[str, Any] = answered["data"]["repository"]["pullRequest"]
    return found

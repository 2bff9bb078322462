"""GraphQL: where it is, what is asked of it, and what its errors mean."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any, Final

from bot.ports.github import Forbidden, GitHubProblem, NotFound, Unprocessable

Json = Mapping[str, Any]

A_PAGE: Final = 100
"""GitHub's most for a connection."""
UNSEEN: Final = frozenset({"closingIssuesReferences", "headRepository"})
"""What may lie in repositories that the App does not reach: GitHub tells null, and an error."""


def endpoint_of(api_url: str) -> str:
    """GraphQL's address beside a REST API's: Enterprise Server has it elsewhere."""
    return f"{api_url.removesuffix('/v3')}/graphql"


def is_query(body: bytes) -> bool:
    """Whether a request reads only; what is no plain query counts as a mutation."""
    return body.startswith(b'{"query": "query ')


def data_of(told: Json) -> Json:
    """The data of an answer.

    Raises NotFound, Forbidden or another GitHubProblem by the first error that matters. A thing
    that was asked for by an alias and is not there is null, and not in the way of the others.
    """
    data: Json | None = told.get("data")
    for error in told.get("errors") or ():
        path = error.get("path") or ()
        if data and UNSEEN.intersection(path):
            continue
        if data and len(path) == len(("repository", "p7")) and error.get("type") == "NOT_FOUND":
            continue
        raise _problem(error)
    if data is None:
        raise GitHubProblem("GraphQL: an answer without data", 200)
    return data


def _problem(error: Json) -> GitHubProblem:
    kind = str(error.get("type") or "")
    message = f"GraphQL: {str(error.get('message') or kind or 'an error without a word')[:1000]}"
    kinds: Mapping[str, tuple[type[GitHubProblem], int]] = {
        "NOT_FOUND": (NotFound, 404),
        "FORBIDDEN": (Forbidden, 403),
        "INSUFFICIENT_SCOPES": (Forbidden, 403),
        "UNPROCESSABLE": (Unprocessable, 422),
    }
    problem, status = kinds.get(kind, (GitHubProblem, 200))
    return problem(message, status)


_CONTEXTS: Final = f"""contexts(first: {A_PAGE}, after: $after) {{
  pageInfo {{ hasNextPage endCursor }}
  nodes {{
    __typename
    ... on CheckRun {{
      databaseId name status conclusion isRequired(pullRequestNumber: NUMBER)
      checkSuite {{ app {{ databaseId slug }} }}
    }}
    ... on StatusContext {{ context state isRequired(pullRequestNumber: NUMBER) }}
  }}
}}"""

_THREADS: Final = f"""reviewThreads(first: {A_PAGE}, after: $after) {{
  pageInfo {{ hasNextPage endCursor }}
  nodes {{ isResolved }}
}}"""

_ACTOR: Final = """{
  __typename login
  ... on Bot { databaseId }
  ... on Organization { databaseId }
  ... on User { databaseId }
}"""

_SITUATION: Final = f"""pullRequest(number: NUMBER) {{
  id number title body url state isDraft updatedAt maintainerCanModify
  author {_ACTOR}
  headRefName headRefOid headRepository {{ databaseId }}
  baseRefName baseRefOid
  mergeable merged mergedAt mergeCommit {{ oid }}
  isInMergeQueue isMergeQueueEnabled
  reviewDecision
  labels(first: {A_PAGE}) {{ nodes {{ name }} }}
  latestOpinionatedReviews(first: {A_PAGE}, writersOnly: true) {{
    nodes {{ author {_ACTOR} state submittedAt commit {{ oid }} }}
  }}
  closingIssuesReferences(first: {A_PAGE}) {{ nodes {{ number repository {{ databaseId }} }} }}
  {_THREADS}
  commits(last: 1) {{
    nodes {{
      commit {{
        oid
        statusCheckRollup {{ {_CONTEXTS} }}
      }}
    }}
  }}
}}""".replace(", after: $after", "")

_IN_REPOSITORY: Final = "query ($owner: String!, $name: String!"

ENQUEUE: Final = """mutation ($pull: ID!, $head: GitObjectID!) {
  enqueuePullRequest(input: {pullRequestId: $pull, expectedHeadOid: $head}) {
    mergeQueueEntry { id }
  }
}"""

NUMBERS: Final = f"""{_IN_REPOSITORY}, $base: String!, $after: String) {{
  repository(owner: $owner, name: $name) {{
    databaseId
    pullRequests(first: {A_PAGE}, after: $after, states: OPEN, baseRefName: $base) {{
      pageInfo {{ hasNextPage endCursor }}
      nodes {{ number }}
    }}
  }}
}}"""

MORE_THREADS: Final = f"""{_IN_REPOSITORY}, $number: Int!, $after: String) {{
  repository(owner: $owner, name: $name) {{
    pullRequest(number: $number) {{ {_THREADS} }}
  }}
}}"""

MORE_CONTEXTS: Final = f"""{_IN_REPOSITORY}, $number: Int!, $head: GitObjectID!, $after: String) {{
  repository(owner: $owner, name: $name) {{
    object(oid: $head) {{
      ... on Commit {{ statusCheckRollup {{ {_CONTEXTS.replace("NUMBER", "$number")} }} }}
    }}
  }}
}}"""


def situations(numbers: Sequence[int]) -> str:
    """The query for all that merges of these pull requests hang on, each by its alias.

    ``isRequired`` wants the number of a pull request, so that a list of them can't ask for it.
    """
    each = "\n".join(
        f"{alias(number)}: {_SITUATION.replace('NUMBER', str(int(number)))}" for number in numbers
    )
    return f"""{_IN_REPOSITORY}) {{
  repository(owner: $owner, name: $name) {{
    databaseId mergeCommitAllowed squashMergeAllowed rebaseMergeAllowed
    {each}
  }}
}}"""


def alias(number: int) -> str:
    """What a pull request is called in an answer."""
    return f"p{int(number)}"

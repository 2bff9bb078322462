"""The forms that values of the configuration file must have, each with its own words.

Every form is a type for a field of ``bot.domain.repo_config``; a value that does not have it
raises ValueError with a sentence that completes "``key`` …" (``must be …``).
"""

from __future__ import annotations

import re
import warnings
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Any
from urllib.parse import urlsplit

from pydantic import AfterValidator, BeforeValidator, Field, GetCoreSchemaHandler
from pydantic import GetJsonSchemaHandler as JsonSchemaHandler
from pydantic.json_schema import JsonSchemaValue
from pydantic_core import CoreSchema, core_schema


@dataclass(frozen=True)
class Form:
    """Text that matches ``pattern`` as a whole; ``means`` completes "must be …"."""

    pattern: str
    means: str

    def check(self, value: str) -> str:
        """The value itself. Raises ValueError where it does not have the form."""
        if re.fullmatch(self.pattern, value) is None:
            raise ValueError(f"must be {self.means}")
        return value

    def __get_pydantic_core_schema__(
        self, source: Any, handler: GetCoreSchemaHandler
    ) -> CoreSchema:
        return core_schema.no_info_after_validator_function(self.check, handler(source))

    def __get_pydantic_json_schema__(
        self, schema: CoreSchema, handler: JsonSchemaHandler
    ) -> JsonSchemaValue:
        return {**handler(schema), "pattern": f"^(?:{self.pattern})$"}


def _decimal(value: object) -> object:
    """Refuses what YAML 1.1 reads as octal or sexagesimal and people do not."""
    if isinstance(value, str) and re.fullmatch(r"[+-]?0[0-9_]+", value):
        raise ValueError("must be a decimal number, without a leading zero")
    return value


def _http_url(value: str) -> str:
    if value and not _is_http_url(value):
        raise ValueError("must be a URL that begins with http:// or https://")
    return value


def _is_http_url(value: str) -> bool:
    if re.search(r"[\s\x00-\x1f]", value):
        return False
    try:
        parts = urlsplit(value)
        port = parts.port
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and bool(parts.hostname) and port != 0


OWN_HOSTS = frozenset({"127.0.0.1", "localhost", "0.0.0.0", "::1"})  # noqa: S104 (read, not bound)
"""What a health check's URL may call the application's own machine."""


def _own_url(value: str) -> str:
    if not value or re.fullmatch(r"/[^\s\x00-\x1f]*", value):
        return value
    if not _is_http_url(value):
        raise ValueError("must be a path that begins with / or a URL on the application's own port")
    if urlsplit(value).hostname not in OWN_HOSTS:
        raise ValueError("must be on the application's own port: write the path alone")
    return value


def _regular_expression(value: str) -> str:
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            re.compile(value)
    except (re.error, RecursionError, OverflowError) as fault:
        raise ValueError(f"must be a regular expression: {fault}") from None
    return value


_DAY = "(?:Mon|Tue|Wed|Thu|Fri|Sat|Sun)"
_TIME = r"(?:[01][0-9]|2[0-3]):[0-5][0-9]"
_ZONE = r"[A-Za-z][A-Za-z0-9_+-]*(?:/[A-Za-z0-9_+-]+)*"
MERGE_WINDOW = re.compile(
    rf"(?P<days>{_DAY}(?:-{_DAY})?(?:,{_DAY}(?:-{_DAY})?)*)"
    rf" (?P<start>{_TIME})-(?P<end>{_TIME}) (?P<zone>{_ZONE})"
)
"""``DAYS START-END ZONE``: days and ranges of days with commas, 24-hour times, an IANA zone.

``Mon-Fri 09:00-17:00 Europe/Berlin`` · ``Mon-Thu,Sat 22:00-06:00 UTC`` (over midnight). Only the
zone's form is looked at: which zones exist is a question of the machine.
"""


def _merge_window(value: str) -> str:
    if not value:
        return value
    found = MERGE_WINDOW.fullmatch(value)
    if found is None:
        raise ValueError("must be like `Mon-Fri 09:00-17:00 Europe/Berlin`")
    if found["start"] == found["end"]:
        raise ValueError("must end at another time than it starts")
    return value


def first_repeated(values: Iterable[str]) -> str | None:
    """The first value that was there before, None where all are distinct."""
    seen: set[str] = set()
    for value in values:
        if value in seen:
            return value
        seen.add(value)
    return None


def _distinct(values: Sequence[str]) -> Sequence[str]:
    repeated = first_repeated(values)
    if repeated is not None:
        raise ValueError(f"must not name `{repeated}` twice")
    return values


Distinct = AfterValidator(_distinct)
Text = Annotated[str, Form(r"[^\u0000]*", "text without NUL characters")]
Name = Annotated[str, Form(r"[^\u0000-\u001f]+", "a name on one line")]
Line = Annotated[str, Form(r"[^\u0000-\u001f]*", "text on one line")]
VariableName = Annotated[
    str, Form("[A-Za-z_][A-Za-z0-9_]*", "a name of letters, digits and _, no digit first")
]
Label = Annotated[
    str,
    Form("[a-z0-9](?:[a-z0-9-]{0,61}[a-z0-9])?", "lower-case letters, digits and - (a DNS label)"),
]
HostName = Annotated[
    str,
    Form(
        r"(?=.{1,253}$)[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?"
        r"(?:\.[A-Za-z0-9](?:[A-Za-z0-9-]*[A-Za-z0-9])?)+",
        "a host name such as packages.example.com, without scheme, port or path",
    ),
]
_IMAGE = "[A-Za-z0-9][A-Za-z0-9._/:@-]{0,254}"
Image = Annotated[str, Form(_IMAGE, "an image's reference such as postgres:17")]
OptionalImage = Annotated[str, Form(f"(?:{_IMAGE})?", "an image's reference such as node:22")]
RelativePath = Annotated[
    str,
    Form(r"(?!/)(?!(?:.*/)?\.\.(?:/|$))[^\u0000-\u001f]+", "a path inside the repository"),
]
PagePath = Annotated[str, Form(r"/[^\s]*", "a path that begins with /")]
HttpUrl = Annotated[str, AfterValidator(_http_url)]
OwnUrl = Annotated[str, AfterValidator(_own_url)]
RegularExpression = Annotated[str, Field(max_length=500), AfterValidator(_regular_expression)]
MergeWindow = Annotated[str, AfterValidator(_merge_window)]
Decimal = BeforeValidator(_decimal)
Port = Annotated[int, Field(ge=1, le=65535), Decimal]
Count = Annotated[int, Field(ge=0, le=1000), Decimal]
Positive = Annotated[int, Field(ge=1, le=1000), Decimal]
Minutes = Annotated[int, Field(ge=1, le=1440), Decimal]

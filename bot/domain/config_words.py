"""What is wrong with a value, in words that complete "``key`` …"."""

from __future__ import annotations

import re
from difflib import get_close_matches

from pydantic_core import ErrorDetails

_FIXED = {
    "missing": "is missing",
    "string_type": "must be text",
    "int_type": "must be a whole number",
    "int_parsing": "must be a whole number",
    "int_parsing_size": "must be a smaller number",
    "int_from_float": "must be a whole number",
    "float_type": "must be a number",
    "float_parsing": "must be a number",
    "finite_number": "must be a finite number",
    "bool_type": "must be true or false",
    "bool_parsing": "must be true or false",
    "tuple_type": "must be a list",
    "mapping_type": "must be a mapping",
    "dict_type": "must be a mapping",
    "model_type": "must be a mapping",
    "model_attributes_type": "must be a mapping",
    "conflict": "{message}",
    "greater_than": "must be above {gt}",
    "greater_than_equal": "must be at least {ge}",
    "less_than_equal": "must be at most {le}",
    "too_short": "needs at least {min_length}",
    "too_long": "has more than {max_length}",
    "string_too_long": "has more than {max_length} characters",
}


def explain(error: ErrorDetails) -> tuple[str, str]:
    """What is wrong, and what was probably meant (empty where nothing is near)."""
    kind, context = error["type"], error.get("ctx", {})
    nearest = ""
    if kind == "literal_error":
        choices = re.findall(r"'([^']*)'", str(context.get("expected", "")))
        reason = f"must be one of {', '.join(choices)}"
        nearest = next(iter(get_close_matches(str(error["input"])[:60], choices, n=1)), "")
    elif kind == "value_error":
        reason = str(context.get("error", error["msg"]))
    elif kind in _FIXED:
        reason = _FIXED[kind].format(**context)
    else:
        reason = error["msg"]
    return reason + _shown(error), nearest


def _shown(error: ErrorDetails) -> str:
    """The value at fault, where it is short enough to help and no more than a word or two."""
    value = error["input"]
    if error["type"] in {"missing", "conflict", "too_short"} or not isinstance(value, str):
        return ""
    if "environment_variables" in error["loc"]:
        return ""  # somebody may have put a secret there
    flat = value.replace("`", "'").replace("\n", " ")
    return f", not `{flat[:60]}{'…' if len(flat) > 60 else ''}`" if flat.strip() else ", not empty"

"""The section ``web_evaluation``: pages, flows and budgets of what is looked at in a browser."""

from __future__ import annotations

from typing import Annotated, Self, TypeVar

from pydantic import ConfigDict, Field, model_validator

from bot.domain.config_forms import Count, Decimal, Distinct, Name, PagePath, Text
from bot.domain.config_section import Section

Chosen = TypeVar("Chosen", bound=Section)


def _exactly_one(section: Chosen, rule: str) -> Chosen:
    given = [key for key in section.model_fields_set if getattr(section, key) is not None]
    if len(given) != 1:
        raise ValueError(f"must {rule}")
    return section


class SelectorText(Section):
    """An element of the page and a text."""

    selector: Name = Field(description="Which element.")
    text: Text = Field(description="The text to enter or choose.")


class Expectation(Section):
    """What must be seen; exactly one of them."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    text: Name | None = Field(default=None, description="Text on the page.")
    selector: Name | None = Field(default=None, description="An element that is visible.")
    url: Name | None = Field(default=None, description="Where the browser is: a path or a URL.")
    status: Annotated[int, Field(ge=100, le=599), Decimal] | None = Field(
        default=None, description="HTTP status of the last page."
    )

    @model_validator(mode="after")
    def _one(self) -> Self:
        return _exactly_one(self, "expect exactly one of text, selector, url and status")


class FlowStep(Section):
    """One thing that a flow does; exactly one verb."""

    model_config = ConfigDict(json_schema_extra={"minProperties": 1, "maxProperties": 1})

    goto: PagePath | None = Field(default=None, description="Opens a path.")
    click: Name | None = Field(default=None, description="Clicks an element.")
    fill: SelectorText | None = Field(default=None, description="Enters a text into an element.")
    select: SelectorText | None = Field(
        default=None, description="Chooses an option of an element."
    )
    press: Name | None = Field(default=None, description="Presses a key.")
    expect: Expectation | None = Field(default=None, description="Fails unless this is seen.")
    wait_for: Name | None = Field(default=None, description="Waits until an element is visible.")
    screenshot: Name | None = Field(default=None, description="Takes a picture under this name.")

    @model_validator(mode="after")
    def _one(self) -> Self:
        return _exactly_one(self, f"have exactly one of {', '.join(FlowStep.model_fields)}")


class Flow(Section):
    """A way through the application that must work."""

    name: Name = Field(description="What the flow shows.")
    steps: Annotated[tuple[FlowStep, ...], Field(min_length=1, max_length=200)] = Field(
        description="What is done, in order."
    )


class WebBudgets(Section):
    """Limits of the web evaluation; a gate only where worse than the base, unless absolute.

    Where no base is known, those that the file itself sets are absolute.
    """

    lcp_ms: Annotated[int, Field(ge=1, le=600_000), Decimal] = Field(
        default=4000, description="Largest contentful paint, in milliseconds."
    )
    cls: Annotated[float, Field(ge=0, le=100, allow_inf_nan=False)] = Field(
        default=0.25, description="Cumulative layout shift."
    )
    console_errors: Count = Field(default=0, description="Errors in the browser's console.")
    failed_requests: Count = Field(default=0, description="Requests of the page that failed.")
    accessibility_serious: Count = Field(
        default=0, description="Serious and critical findings of the accessibility check."
    )
    absolute: bool = Field(
        default=False, description="Whether the limits hold even where the base is worse."
    )


class WebEvaluation(Section):
    """What is looked at in a browser."""

    enabled: bool = Field(
        default=True,
        description="False where there is no web page; the check is then not applicable.",
    )
    pages: Annotated[tuple[PagePath, ...], Distinct] = Field(
        default=("/",), description="Paths that are opened and measured."
    )
    flows: tuple[Flow, ...] = Field(
        default=(), description="Ways through the application that must work."
    )
    task: Text = Field(
        default="",
        description=(
            "A goal in plain words for the exploring agent, which tries it in the browser after "
            "the application's own stages have passed: at most 15 steps, 3 minutes and 120,000 "
            "tokens. Needs a Gemini key; advice, never the verdict."
        ),
    )
    budgets: WebBudgets = Field(
        default_factory=WebBudgets, description="Limits of what is measured."
    )

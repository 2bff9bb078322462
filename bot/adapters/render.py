"""The renderer: results in, Markdown, HTML and plain text out, by the templates of ``templates/``.

Markdown templates are safe by default as HTML ones are: what no filter has defused becomes prose.
"""

from __future__ import annotations

import re
import textwrap
from collections.abc import Callable, Mapping
from dataclasses import replace
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined
from markupsafe import Markup, escape

from bot.adapters import markdown
from bot.adapters.course_view import shown_course, shown_explanation
from bot.adapters.exploration_view import shown_exploration
from bot.adapters.picture_links import whole_report
from bot.adapters.report_view import view
from bot.adapters.review_view import shown_analysis
from bot.adapters.run_view import shown_run, shown_status
from bot.domain.agent_runs import AgentRun
from bot.domain.analysis import AnalysisOutcome, AnalysisPromptView
from bot.domain.check_runs import MAXIMUM_TEXT_BYTES
from bot.domain.commands import COMMANDS
from bot.domain.conversations import STATUS_MARKER
from bot.domain.effects import Reply
from bot.domain.exploring import Exploration, ExploringPromptView
from bot.domain.log_text import one_line, plain
from bot.domain.merging import Explanation
from bot.domain.pull_request_records import PullRequestRecord
from bot.domain.validation_records import ValidationRecord
from bot.domain.validations import ValidationResult
from bot.policy.check_view import check_view
from bot.ports.renderer import FailureView, PromptView, StatusView

TEMPLATES = Path(__file__).resolve().parents[2] / "templates"
WIDTH = 100
"""Columns of the report for a terminal."""

_LOGIN = re.compile(r"[A-Za-z0-9][A-Za-z0-9_-]{0,38}")
_SPAN = re.compile(r"`([^`\n]+)`")


class TemplateRenderer:
    """Fulfils ``bot.ports.renderer``, and the prompts of reviewer and explorer."""

    def __init__(self, templates: Path = TEMPLATES) -> None:
        loader = FileSystemLoader(templates)
        self._markdown = _environment(loader, finalize=markdown.defused)
        self._markdown.filters |= {
            "cell": markdown.cell,
            "cell_code": markdown.cell_code,
            "fence": markdown.fence,
            "inline_code": markdown.inline_code,
            "prose": markdown.prose,
            "quoted": markdown.quoted,
            "written": markdown.Defused,
        }
        self._html = _environment(loader, autoescape=True)
        self._html.filters["code_spans"] = code_spans
        self._text = _environment(loader)
        self._text.filters |= {"line": one_line, "hang": hang, "clip": clip, "plain": plain}

    def report_markdown(self, result: ValidationResult, *, title: str = "") -> str:
        """The report as GitHub-flavoured Markdown."""
        template = self._markdown.get_template("checks/report.md.j2")
        return _tidy(template.render(report=view(result, title)))

    def check_summary(self, result: ValidationResult, url: str) -> str:
        """See the port."""
        return self._check("checks/summary.md.j2", result, url)

    def check_detail(self, result: ValidationResult, url: str) -> str:
        """See the port."""
        return self._check("checks/detail.md.j2", result, url)

    def _check(self, name: str, result: ValidationResult, url: str) -> str:
        report = view(result, "")
        text = _tidy(self._markdown.get_template(name).render(report=report))
        link = whole_report(url, report.web)
        if len((text + link).encode()) <= MAXIMUM_TEXT_BYTES:
            return text + link if name.startswith("checks/summary") else text
        return markdown.within_bytes(text, MAXIMUM_TEXT_BYTES - len(link.encode())) + link

    def check_text(
        self, record: ValidationRecord, course: PullRequestRecord | None, url: str
    ) -> str:
        """See the port."""
        explanation = course.explanation if course is not None else None
        if explanation is None or explanation.head_sha != record.order.head_sha:
            return record.detail
        template = self._markdown.get_template("checks/explanation.md.j2")
        told = _tidy(template.render(explanation=shown_explanation(explanation)))
        if course is not None and course.merged_at is not None:
            told = f"### {shown_course(course).headline}\n"
        rest = f"\n\n… the rest stands on [the page of this validation]({url}) …\n"
        room = MAXIMUM_TEXT_BYTES - len(rest.encode())
        whole = f"{told}\n{record.detail}" if record.detail else told
        fits = len(whole.encode()) <= MAXIMUM_TEXT_BYTES
        return whole if fits else markdown.within_bytes(whole, room) + rest

    def explanation_text(self, name: str, explanation: Explanation) -> str:
        """See the port."""
        template = self._text.get_template("terminal/explanation.txt.j2")
        return _tidy(template.render(name=name, explanation=shown_explanation(explanation)))

    def stop(self, record: PullRequestRecord) -> tuple[str, str]:
        """See the port."""
        stop = record.stop
        assert stop is not None, "nothing has stopped"
        told = f"{stop.head_sha[:12]}:{stop.rule.value}:{len(record.attempts)}"
        marker = f"<!-- codegenapp:stop:{told} -->"
        template = self._markdown.get_template("comments/stop.md.j2")
        person = stop.person if _LOGIN.fullmatch(stop.person) else ""
        course = replace(shown_course(record), merge=None)
        text = _tidy(template.render(person=person, stop=stop, course=course))
        return marker, markdown.within_bytes(f"{marker}\n\n{text}", MAXIMUM_TEXT_BYTES)

    def reply(
        self,
        reply: Reply,
        records: Mapping[str, ValidationRecord],
        urls: Mapping[str, str],
        runs: Mapping[str, AgentRun],
    ) -> str:
        """See the port."""
        template = self._markdown.get_template("comments/reply.md.j2")
        titles = {it.id: check_view(it, "").title for it in records.values()}
        shown = {it.id: shown_run(it, it.updated_at) for it in runs.values()}
        text = _tidy(
            template.render(
                reply=reply,
                commands=COMMANDS,
                titles=titles,
                urls=urls,
                runs=shown,
                shown_explanation=shown_explanation,
            )
        )
        whole = f"{reply.comment.reply_marker}\n\n{text}"
        return markdown.within_bytes(whole, MAXIMUM_TEXT_BYTES)

    def status(self, view: StatusView) -> str:
        """See the port."""
        template = self._markdown.get_template("comments/status.md.j2")
        text = _tidy(template.render(status=shown_status(view)))
        return markdown.within_bytes(f"{STATUS_MARKER}\n\n{text}", MAXIMUM_TEXT_BYTES)

    def prompt(self, view: PromptView) -> str:
        """See the port."""
        text = self._text.get_template("prompts/run.md.j2").render(view=view)
        return text.strip("\n") + "\n"

    def failure(self, view: FailureView, fence: str) -> str:
        """See the port."""
        template = self._text.get_template("prompts/follow_up.md.j2")
        return template.render(failure=view, fence=fence).strip("\n")

    def analysis_rules(self, view: AnalysisPromptView) -> str:
        """See ``bot.ports.reviewer.AnalysisPrompts``."""
        return self._text.get_template("prompts/analysis_rules.md.j2").render(view=view).strip()

    def analysis_prompt(self, view: AnalysisPromptView) -> str:
        """See ``bot.ports.reviewer.AnalysisPrompts``."""
        return self._text.get_template("prompts/analysis.md.j2").render(view=view).strip()

    def exploring_rules(self, view: ExploringPromptView) -> str:
        """See ``bot.ports.explorer.ExploringPrompts``."""
        return self._text.get_template("prompts/exploring_rules.md.j2").render(view=view).strip()

    def exploring_prompt(self, view: ExploringPromptView) -> str:
        """See ``bot.ports.explorer.ExploringPrompts``."""
        return self._text.get_template("prompts/exploring.md.j2").render(view=view).strip()

    def exploration_markdown(self, exploration: Exploration) -> str:
        """The part of a report that tells what came of an exploration; empty where none began."""
        shown = shown_exploration(exploration)
        if shown is None:
            return ""
        template = self._markdown.get_template("checks/exploration.md.j2")
        return _tidy(template.render(exploration=shown))

    def review_markdown(self, outcome: AnalysisOutcome) -> str:
        """The part of a report that tells what came of the analysis."""
        template = self._markdown.get_template("checks/review.md.j2")
        return template.render(analysis=shown_analysis(outcome)).strip("\n") + "\n"

    def report_html(
        self,
        result: ValidationResult,
        *,
        title: str = "",
        log_url: str = "",
        artifacts_at: str = "",
    ) -> str:
        """The report as one page that loads nothing but our pictures, and runs no script."""
        template = self._html.get_template("pages/report.html.j2")
        shown = view(result, title)
        return template.render(report=shown, log_url=log_url, artifacts_at=artifacts_at)

    def validation_page(self, record: ValidationRecord, log: str) -> str:
        """See the port."""
        shown = check_view(record, "")
        order = record.order
        template = self._html.get_template("pages/validation.html.j2")
        return template.render(
            title=one_line(shown.title),
            reason=one_line(_below(shown.title, record)),
            facts=f"{order.repository.full_name} · commit {order.head_sha[:12]}",
            code=record.verdict.value if record.verdict else "",
            ended=record.ended,
            log=plain(log),
        )

    def absent_page(self) -> str:
        """See the port."""
        return self._html.get_template("pages/validation.html.j2").render(
            title="Not found",
            reason="There is no such validation, its time is over, or its link is not whole.",
            facts="",
            code="error",
            ended=True,
            log="",
        )

    def report_text(self, result: ValidationResult, *, title: str = "") -> str:
        """The report for a terminal of ``WIDTH`` columns, without colour."""
        template = self._text.get_template("terminal/report.txt.j2")
        text = _tidy(template.render(report=view(result, title)))
        return "\n".join(line.rstrip() for line in text.split("\n"))


def _below(title: str, record: ValidationRecord) -> str:
    """What a page without a report says below its title."""
    if not record.ended:
        return record.reason or "Its report stands here when it is through."
    return "Nothing was run." if record.reason in title else record.reason


def _environment(
    loader: FileSystemLoader,
    *,
    autoescape: bool = False,
    finalize: Callable[[object], object] | None = None,
) -> Environment:
    return Environment(
        loader=loader,
        autoescape=autoescape,  # noqa: S701  Markdown and text have gates of their own
        finalize=finalize,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )


def code_spans(text: str) -> Markup:
    """A text for HTML; what stands between backticks becomes code."""
    parts = _SPAN.split(text)
    return Markup("").join(
        Markup("<code>{}</code>").format(part) if odd % 2 else escape(part)
        for odd, part in enumerate(parts)
    )


def hang(text: str, indent: int = 0) -> str:
    """A text wrapped to ``WIDTH`` columns, all lines but the first indented."""
    return "\n".join(
        textwrap.wrap(
            text,
            WIDTH - indent,
            break_long_words=True,
            break_on_hyphens=False,
        )
    ).replace("\n", "\n" + " " * indent)


def clip(text: str, indent: int = 0) -> str:
    """Lines of a log, indented and cut to ``WIDTH`` columns."""
    room = WIDTH - indent
    lines = (line.expandtabs(4) for line in text.split("\n"))
    return "\n".join(
        (" " * indent + (line if len(line) <= room else line[: room - 1] + "…")).rstrip()
        for line in lines
    )


_FENCED = re.compile(r"(?m)^(`{3,})text\n.*?^\1$", re.DOTALL)


def _tidy(text: str) -> str:
    """At most one empty line in a row, none at the ends; fenced blocks are left as they are."""
    kept: list[str] = []
    last = 0
    for block in _FENCED.finditer(text):
        kept += (re.sub(r"\n{3,}", "\n\n", text[last : block.start()]), block[0])
        last = block.end()
    kept.append(re.sub(r"\n{3,}", "\n\n", text[last:]))
    return "".join(kept).strip("\n") + "\n"

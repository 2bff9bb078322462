"""Text from outside, defused for GitHub-flavoured Markdown.

Nothing that a command prints may mention, close, link, load or lay out anything. GitHub looks for
mentions and references after it has resolved entities and escapes, so they are split by an empty
HTML comment, which leaves no trace on the page.
"""

from __future__ import annotations

import re

from markdown_it import MarkdownIt

from bot.domain.log_text import one_line, plain


class Defused(str):
    """Markdown that may be written as it is."""

    __slots__ = ()


_SPLIT = "<!-- -->"
_SPECIAL = re.compile(
    r"""
    (?P<html> [&<>] )
    | (?P<bar> [|\\] )                       # neither may be escaped by a backslash in a table
    | (?P<mark> [*`~\[\]] | (?<![^\W_])_ | _(?![^\W_]) )
    | (?P<reference> @ | \# | (?<![^\W_]) (?i: GH- ) (?=\d) | (?<=:)// | (?<![^\W_]) (?i: www\. ) )
    """,
    re.VERBOSE,
)
_LOOSE = re.compile(
    r"""
    (?P<html> [&<>|\\] )                    # a backslash would escape what we write
    | (?P<mark> [`~\[] )
    | (?P<reference>
        @ | \# (?=\d) | (?<![^\W_]) (?i: GH- ) (?=\d) | (?<=:)// | (?<![^\W_]) (?i: www\. )
      )
    """,
    re.VERBOSE,
)
"""What is special where a text keeps its own layout."""
_blocks = MarkdownIt("commonmark", {"html": False, "maxNesting": 20}).disable(["reference"])
"""As GitHub reads a text whose HTML and links are escaped."""
_DRAWN = frozenset({"mermaid", "math", "geojson", "topojson", "stl"})
"""Words behind a fence that make GitHub draw what is in it."""
_LANGUAGE = re.compile(r" ?[\w+#.-]{1,40}")
MOST_READINGS = 10
_ENTITIES = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "|": "&#124;", "\\": "&#92;"}
_BLOCK = re.compile(r"(?:[-+=]|\d{1,9}[.)])(?=\s|$|[-=])")
_SPAN = re.compile(r"`([^`\n]+)`")
_IN_CODE = re.compile(
    r"""
    [&<>|\\`*~\[]
    | (?<![^\W_])_ | _(?![^\W_])
    | (?P<reference> [@\#] | :(?=//) | (?<=(?i:\bgh))- | (?<=(?i:\bwww))\. )
    """,
    re.VERBOSE,
)
_BACKTICKS = re.compile(r"`+")


def prose(text: str) -> Defused:
    """A text as one line of words; what stands between backticks becomes code."""
    if isinstance(text, Defused):
        return text
    parts = _SPAN.split(one_line(text))
    words = [inline_code(part) if odd % 2 else _words(part) for odd, part in enumerate(parts)]
    said = "".join(words)
    block = _BLOCK.match(said)
    if block is None:
        return Defused(said)
    end = block.end()
    return Defused(f"{said[: end - 1]}\\{said[end - 1 :]}")


def inline_code(text: str) -> Defused:
    """A text as a code span, inert whatever backticks it has. For use outside tables."""
    text = one_line(text)
    if not text:
        return Defused("")
    fence = "`" * (_longest_run(text) + 1)
    pad = " " if text.startswith("`") or text.endswith("`") else ""
    return Defused(f"{fence}{pad}{text}{pad}{fence}")


def cell(text: str) -> Defused:
    """As ``prose``, for a cell of a table, where a bar ends even a code span."""
    parts = _SPAN.split(one_line(text))
    return Defused(
        "".join(cell_code(part) if odd % 2 else _words(part) for odd, part in enumerate(parts))
    )


def cell_code(text: str) -> Defused:
    """A text as code for a cell of a table."""
    text = one_line(text)
    if not text:
        return Defused("")
    coded = _IN_CODE.sub(
        lambda match: f"&#{ord(match[0])};{_SPLIT if match['reference'] else ''}", text
    )
    return Defused(f"<code>{coded}</code>")


def fence(text: str) -> Defused:
    """A text as a fenced block, whatever backticks it has."""
    text = plain(text).strip("\n")
    ticks = "`" * max(3, _longest_run(text) + 1)
    return Defused(f"{ticks}text\n{text}\n{ticks}")


def quoted(text: str) -> Defused:
    """A text of several lines as a quote that keeps its own layout: lists, emphasis, code.

    It mentions, links, loads and closes nothing, and ends where it ends, whatever it says.
    """
    # Behind "> " a tab is narrower than at the start of a line.
    lines = plain(text).expandtabs(4).strip("\n").split("\n")
    lines, code = _code_of(lines)
    shown = lines
    for _ in range(MOST_READINGS):
        shown = [line if at in code else _laid_out(line) for at, line in enumerate(lines)]
        # What was written may be read otherwise than what it was made of.
        still = _code_of(shown)[1]
        if code <= still:
            break
        code &= still
    else:
        shown = [_laid_out(line) for line in lines]
    return Defused("\n".join(f"> {line}".rstrip(" ") for line in shown))


def _code_of(lines: list[str]) -> tuple[list[str], set[int]]:
    """Lines whose fences have no words that make GitHub draw; and the numbers of those in code."""
    kept, code = list(lines), set[int]()
    for token in _blocks.parse("\n".join(lines)):
        if token.type not in {"fence", "code_block"} or token.map is None:
            continue
        code.update(range(*token.map))
        word = token.info.strip().split(" ")[0].lower()
        if token.info and (word in _DRAWN or not _LANGUAGE.fullmatch(token.info)):
            at = token.map[0]
            kept[at] = kept[at].replace(token.info, "", 1)
    return kept, code


def _laid_out(line: str) -> str:
    parts = _SPAN.split(line)
    return "".join(
        _LOOSE.sub(_escaped, part)
        if odd % 2 == 0
        else cell_code(part)  # a bar ends a cell even in code
        if "|" in part
        else inline_code(part)
        for odd, part in enumerate(parts)
    )


def defused(value: object) -> object:
    """The last gate of a Markdown template: text that no filter has seen becomes prose."""
    return prose(value) if isinstance(value, str) else value


def within_bytes(markdown: str, limit: int) -> str:
    """A Markdown text cut to so many bytes of UTF-8, its open fence and fold closed."""
    if len(markdown.encode()) <= limit:
        return markdown
    said = "\n\n… the rest was left out …\n"
    longest = max((len(match[0]) for match in re.finditer(r"(?m)^`{3,}", markdown)), default=0)
    folds = "\n</details>" * markdown.count("<details>")
    room = limit - len(said.encode()) - longest - len(folds) - 2
    cut = markdown.encode()[: max(0, room)].decode(errors="ignore")
    cut = cut[: cut.rfind("\n") + 1] or cut
    ticks = ""
    for match in re.finditer(r"(?m)^(`{3,})(.*)$", cut):
        if not ticks:
            ticks = match[1]
        elif len(match[1]) >= len(ticks) and not match[2].strip():
            ticks = ""
    open_folds = max(0, cut.count("<details>") - cut.count("</details>"))
    ending = (f"{ticks}\n" if ticks else "") + said + "\n</details>" * open_folds
    return cut + ending


def _words(text: str) -> str:
    return _SPECIAL.sub(_escaped, text)


def _escaped(match: re.Match[str]) -> str:
    found = match[0]
    if match["mark"]:
        return f"\\{found}"
    if match["reference"]:
        # "//" and "www." are split before their end, the others after it.
        return f"{_SPLIT}{found}" if found == "//" else f"{found[:-1]}{_split_last(found)}"
    return _ENTITIES[found]


def _split_last(found: str) -> str:
    return f"{_SPLIT}." if found.endswith(".") else f"{found[-1]}{_SPLIT}"


def _longest_run(text: str) -> int:
    return max((len(run) for run in _BACKTICKS.findall(text)), default=0)

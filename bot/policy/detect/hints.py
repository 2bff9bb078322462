"""Hints of files that say how an application is run elsewhere: Dockerfile, Procfile, Makefile."""

from __future__ import annotations

import json
import re
import shlex
from dataclasses import dataclass

from bot.policy.detect.found import Found
from bot.policy.detect.source_code import port_in_command, reads_port_variable
from bot.policy.detect.tree import Tree

_MAKEFILES = ("GNUmakefile", "makefile", "Makefile")
_TARGET = re.compile(r"^(build|test|check|install)\s*:(?!=)", re.MULTILINE)
_PROCESS = re.compile(r"^(\w+):\s*(.+?)\s*$", re.MULTILINE)
PROCFILE_PORT = 8000


@dataclass(frozen=True)
class Hints:
    """What the files say, None where they say nothing. ``image`` is the Dockerfile's base."""

    image: str | None = None
    exposed: Found[int] | None = None
    command: Found[str] | None = None
    web: Found[str] | None = None
    web_port: Found[int] | None = None
    make_build: Found[str] | None = None
    make_test: Found[str] | None = None


def read_hints(tree: Tree) -> Hints:
    """All hints of a tree."""
    image, exposed, command = _dockerfile(tree.text("Dockerfile"))
    web, web_port = _procfile(tree.text("Procfile"))
    makefile = tree.first(*_MAKEFILES)
    targets = set(_TARGET.findall(tree.text(makefile))) if makefile else set()
    test = "test" if "test" in targets else "check" if "check" in targets else None
    return Hints(
        image=image,
        exposed=Found(exposed, "Dockerfile") if exposed else None,
        command=Found(command, "Dockerfile") if command else None,
        web=Found(web, "Procfile") if web else None,
        web_port=Found(web_port, "Procfile") if web_port else None,
        make_build=Found("make build", makefile) if makefile and "build" in targets else None,
        make_test=Found(f"make {test}", makefile) if makefile and test else None,
    )


def _procfile(text: str) -> tuple[str | None, int | None]:
    """The command of ``web``, after that of ``release``, and the port that it listens on."""
    processes = dict(_PROCESS.findall(text))
    web = processes.get("web")
    if web is None:
        return None, None
    port = port_in_command(web)
    if port is None and (reads_port_variable(web) or "gunicorn" in web):
        port = PROCFILE_PORT
    release = processes.get("release")
    return (f"{release} && {web}" if release else web), port


def _dockerfile(text: str) -> tuple[str | None, int | None, str | None]:
    """Base image, exposed port and command of the last stage."""
    image: str | None = None
    exposed: int | None = None
    entrypoint: list[str] | str = []
    command: list[str] | str = []
    for word, rest in _instructions(text):
        if word == "FROM":
            image = _base(rest)
            exposed, entrypoint, command = None, [], []
        elif word == "EXPOSE" and exposed is None:
            found = re.match(r"(\d{1,5})(?:/tcp)?(?=\s|$)", rest)
            exposed = int(found[1]) if found and 0 < int(found[1]) < 65536 else None
        elif word == "ENTRYPOINT":
            entrypoint = _form(rest)
        elif word == "CMD":
            command = _form(rest)
    return image, exposed, _joined(entrypoint, command)


def _instructions(text: str) -> list[tuple[str, str]]:
    """The instructions with continued lines joined and comments left out."""
    lines = [line for line in text.splitlines() if not line.lstrip().startswith("#")]
    joined = re.sub(r"\\[ \t]*\n", " ", "\n".join(lines))
    found = re.findall(r"^[ \t]*([A-Za-z]+)[ \t]+(.+?)[ \t]*$", joined, re.MULTILINE)
    return [(word.upper(), rest) for word, rest in found]


def _base(rest: str) -> str | None:
    words = [word for word in rest.split() if not word.startswith("--")]
    return words[0] if words and words[0] != "scratch" and "$" not in words[0] else None


def _form(rest: str) -> list[str] | str:
    """The words of the exec form, the text of the shell form."""
    try:
        words = json.loads(rest)
    except (ValueError, RecursionError):
        return rest
    return [str(word) for word in words] if isinstance(words, list) else rest


def _joined(entrypoint: list[str] | str, command: list[str] | str) -> str | None:
    if isinstance(entrypoint, str):
        return entrypoint
    if isinstance(command, str):
        return command if not entrypoint else shlex.join([*entrypoint, "sh", "-c", command])
    return shlex.join([*entrypoint, *command]) or None

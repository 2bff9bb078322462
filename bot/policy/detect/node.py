"""Node projects: package.json, its lock file and scripts, and what its framework is known to do."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from functools import cached_property
from typing import Any

from bot.policy.detect.found import Detected, Found, Missing
from bot.policy.detect.node_frameworks import (
    ANGULAR,
    ANGULAR_ARGUMENTS,
    SERVER_PORT,
    SERVERS,
    Framework,
    framework_of,
)
from bot.policy.detect.node_tools import PackageManager, package_manager
from bot.policy.detect.source_code import (
    health_route,
    other_route,
    port_in_command,
    port_in_source,
    reads_port_variable,
)
from bot.policy.detect.static import serve
from bot.policy.detect.tree import Tree, table

_LIFECYCLE = frozenset({"preinstall", "install", "postinstall", "prepare", "prepublish"})
_RUNS_FILE = re.compile(
    r"(?:^|[\s;&])(?:node|nodemon|tsx|ts-node|bun|babel-node)(?:\s+-\S+)*\s+(\.?/?[\w./-]+)"
)
_SERVER_FILES = ("server.js", "server.mjs", "app.js", "index.js", "index.mjs", "src/index.js")
_LISTENS = re.compile(r"\.listen\(|createServer\(|serve\(")


def detect_node(tree: Tree, exposed: Found[int] | None = None) -> Detected | None:
    """A project with a package.json at its root; ``exposed`` is its Dockerfile's port."""
    manifest = tree.json("package.json")
    if not tree.has("package.json"):
        return None
    return _Project(tree, manifest, package_manager(tree, manifest), exposed).detected()


@dataclass(frozen=True)
class _Start:
    """How it is started; ``port`` None is still to be found, ``source`` is the program's text."""

    command: Found[str]
    port: Found[int] | None = None
    source: str = ""
    source_path: str = ""


@dataclass(frozen=True)
class _Project:
    tree: Tree
    manifest: Mapping[str, Any]
    tool: PackageManager
    exposed: Found[int] | None

    @cached_property
    def scripts(self) -> dict[str, str]:
        found = table(self.manifest, "scripts")
        return {name: it for name, it in found.items() if isinstance(it, str) and it.strip()}

    @cached_property
    def dependencies(self) -> dict[str, str]:
        runtime = table(self.manifest, "dependencies")
        found = {**runtime, **table(self.manifest, "devDependencies")}
        return {name: str(version) for name, version in found.items()}

    @cached_property
    def framework(self) -> Framework | None:
        return framework_of(self.dependencies)

    def detected(self) -> Detected:
        found = Detected(
            stack=self._stack(),
            install=self.tool.install,
            build=self._script("build"),
            test=self._test(),
            notes=self.tool.notes,
            locked=bool(self.tool.lock),
            needs_source=self._needs_source(),
        )
        start = self._start()
        if start is None:
            sentence = (
                "no start command was found: package.json has no script `start` or `preview`, and "
                "no server file; set `deployment.start_command`"
            )
            missing = Missing("start_command", sentence)
            return replace(found, missing=(*self._missing_test(), missing))
        port = start.port or self._port(start)
        health = health_route(start.source)
        origin = start.source_path or start.command.origin
        missing_port = Missing(
            "port", f"`{start.command.value}` names no port; set `deployment.port`"
        )
        return replace(
            found,
            start=start.command,
            port=port,
            health_path=Found(health or "/", origin if health else "nothing else is known"),
            fallback_path="/" if health else other_route(start.source),
            missing=(*self._missing_test(), *(() if port else (missing_port,))),
        )

    def _stack(self) -> str:
        server = next((name for it, name in SERVERS.items() if it in self.dependencies), "")
        kind = self.framework.name if self.framework else server
        return f"{kind} ({self.tool.name})" if kind else f"Node.js ({self.tool.name})"

    def _script(self, name: str, arguments: str = "") -> Found[str] | None:
        if name not in self.scripts:
            return None
        return Found(self.tool.script(name, arguments), "package.json")

    def _test(self) -> Found[str] | None:
        script = self.scripts.get("test", "")
        if "no test specified" in script:
            return None
        watching = re.search(r"(?:^|\s)ng test(?:\s|$)", script) and "--watch" not in script
        return self._script("test", "--watch=false" if watching else "")

    def _missing_test(self) -> tuple[Missing, ...]:
        if self._test() is not None:
            return ()
        sentence = "package.json has no script `test`; add one or set `deployment.test_command`"
        return (Missing("test_command", sentence),)

    def _needs_source(self) -> bool:
        local = ("file:", "link:", "portal:", "workspace:")
        return (
            not _LIFECYCLE.isdisjoint(self.scripts)
            or bool(self.manifest.get("workspaces"))
            or self.tree.has("pnpm-workspace.yaml")
            or any(version.startswith(local) for version in self.dependencies.values())
        )

    def _start(self) -> _Start | None:
        script = self.scripts.get("start", "")
        development = bool(script and self.framework and self.framework.is_development(script))
        if script and not (development and self._built()):
            return self._started_by(script)
        if "preview" in self.scripts:
            return self._preview()
        return self._built() or self._server_file()

    def _started_by(self, script: str) -> _Start:
        """The script ``start``; a development server is told to listen on 127.0.0.1."""
        framework, arguments, port = self.framework, "", None
        development = framework is not None and framework.is_development(script)
        if framework is ANGULAR and development:
            arguments, port = ANGULAR_ARGUMENTS, ANGULAR.port
        elif framework and framework.arguments and (development or " preview" in script):
            arguments, port = framework.arguments, framework.port
        command = Found(self.tool.script("start", arguments), "package.json")
        path = self._program_of(script)
        return _Start(
            command,
            Found(port, "package.json") if port else None,
            self.tree.text(path or ""),
            path or "",
        )

    def _preview(self) -> _Start:
        script, framework = self.scripts["preview"], self.framework
        if framework and framework.arguments and framework.serve.split()[0] in script:
            command = self.tool.script("preview", framework.arguments)
            return _Start(Found(command, "package.json"), Found(framework.port, "package.json"))
        return _Start(Found(self.tool.script("preview"), "package.json"))

    def _built(self) -> _Start | None:
        """How what ``build`` makes is served: by the framework's program, or as plain files."""
        framework = self.framework
        if framework is None or "build" not in self.scripts:
            return None
        origin = f"package.json: {framework.name}"
        port = Found(framework.port, origin)
        if "preview" in self.scripts and framework.arguments:
            return self._preview()
        if framework.serve:
            own = framework.serve.startswith("node ")
            command = framework.serve if own else self.tool.program(framework.serve)
            return _Start(Found(command, origin), port)
        if framework.output:
            return _Start(Found(serve(framework.output, framework.port), origin), port)
        return None

    def _server_file(self) -> _Start | None:
        """``main`` or a usual server file, if its text shows that it listens."""
        main = self.manifest.get("main")
        named = main.removeprefix("./") if isinstance(main, str) else ""
        for path in (named, *_SERVER_FILES):
            source = self.tree.text(path)
            if path and self.tree.has(path) and _LISTENS.search(source):
                return _Start(Found(f"node {path}", path), None, source, path)
        return None

    def _program_of(self, script: str) -> str | None:
        """The source of the program that a script runs; of a compiled one where it is there."""
        found = _RUNS_FILE.search(script)
        if found is None:
            return self.tree.first(*_SERVER_FILES) if self._is_server() else None
        path = found[1].removeprefix("./")
        stem = re.sub(r"\.[cm]?[jt]s$", "", path)
        inside = re.sub(r"^(?:dist|build|out|lib)/", "src/", stem)
        names = [f"{it}{ending}" for it in (stem, inside) for ending in (".ts", ".js", ".mjs")]
        return self.tree.first(path, *names, f"{stem}/index.js", f"{inside}/main.ts")

    def _is_server(self) -> bool:
        """Whether it, or a member of its workspace, has a server's library."""
        declared = [self.dependencies]
        if self.manifest.get("workspaces") or self.tree.has("pnpm-workspace.yaml"):
            members = [it for it in self.tree.files if it.endswith("/package.json")]
            declared += [table(self.tree.json(it), "dependencies") for it in members]
        return any(not SERVERS.keys().isdisjoint(names) for names in declared)

    def _port(self, start: _Start) -> Found[int] | None:
        """The port: of the script, of the program's text, of the Dockerfile, of the framework."""
        script = self.scripts.get("preview" if " preview" in start.command.value else "start", "")
        named = port_in_command(script)
        if named:
            return Found(named, "package.json")
        source = port_in_source(start.source)
        if source:
            return Found(source, start.source_path)
        if self.exposed:
            return self.exposed
        if self.framework:
            return Found(self.framework.port, f"{self.framework.name}'s default")
        if self._is_server() or reads_port_variable(start.source):
            return Found(SERVER_PORT, "given as PORT")
        return None

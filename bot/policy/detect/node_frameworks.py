"""What is known of Node frameworks: their port, what they build, and how the build is served.

Their own ``start`` or ``dev`` is often a development server, which is neither what is deployed
nor what listens on 127.0.0.1; where a build is there, it is served instead.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True)
class Framework:
    """``package`` in the dependencies tells it.

    ``development`` matches a script that starts its development server. ``serve`` is its own
    program for a build, empty where ``output``, a folder of plain files, is served instead.
    ``arguments`` make its preview script listen on 127.0.0.1 and ``port``.
    """

    package: str
    name: str
    port: int
    development: str
    output: str = ""
    serve: str = ""
    arguments: str = ""

    def is_development(self, script: str) -> bool:
        """Whether a script starts the development server."""
        return re.search(rf"(?:^|&&|\s)(?:{self.development})(?:\s|$)", script) is not None


_VITE = "--host 127.0.0.1 --port 4173"
_ASTRO = "--host 127.0.0.1 --port 4321"
_VITE_DEVELOPMENT = r"vite(?: dev| serve)?(?! build| preview)"

FRAMEWORKS = (
    Framework(
        "next", "Next.js", 3000, "next(?: dev)?(?! start| build)", serve="next start -p 3000"
    ),
    Framework("nuxt", "Nuxt", 3000, "nuxt(?:i)?(?: dev)", serve="node .output/server/index.mjs"),
    Framework(
        "astro", "Astro", 4321, "astro(?: dev)?(?! build| preview)", "dist",
        f"astro preview {_ASTRO}", _ASTRO,
    ),
    Framework(
        "@sveltejs/kit", "SvelteKit", 4173, _VITE_DEVELOPMENT, "", f"vite preview {_VITE}", _VITE
    ),
    Framework("gatsby", "Gatsby", 9000, "gatsby (?:develop|start)", "public"),
    Framework("@docusaurus/core", "Docusaurus", 3000, "docusaurus start", "build"),
    Framework("react-scripts", "Create React App", 3000, "react-scripts start", "build"),
    Framework("@vue/cli-service", "Vue CLI", 8080, "vue-cli-service serve", "dist"),
    Framework("@11ty/eleventy", "Eleventy", 8080, "eleventy .*--serve", "_site"),
    Framework("vite", "Vite", 4173, _VITE_DEVELOPMENT, "dist", f"vite preview {_VITE}", _VITE),
    Framework(
        "webpack-dev-server", "webpack", 8080, r"webpack(?:-dev-server| serve)(?: .*)?", "dist"
    ),
    Framework("parcel", "Parcel", 1234, "parcel(?: serve)?(?! build)", "dist"),
)  # fmt: skip
"""The more telling first: SvelteKit and Astro come with Vite."""

SERVERS = {
    "@nestjs/core": "NestJS", "express": "Express", "fastify": "Fastify", "koa": "Koa",
    "@hapi/hapi": "hapi", "hono": "Hono", "polka": "Polka", "restify": "restify",
}  # fmt: skip
SERVER_PORT = 3000
"""What a server is given as PORT, and most use anyway."""

ANGULAR = Framework("@angular/core", "Angular", 4200, "ng (?:serve|s)")
ANGULAR_ARGUMENTS = "--host 127.0.0.1 --port 4200"


def framework_of(dependencies: Collection[str]) -> Framework | None:
    """The framework that the dependencies tell."""
    return next((it for it in (ANGULAR, *FRAMEWORKS) if it.package in dependencies), None)

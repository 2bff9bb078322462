"""Pictures in comments: who is asked for them, and what is taken. Over local servers."""

from __future__ import annotations

import datetime as dt
import socket
import ssl
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from pathlib import Path

import aiohttp
import pytest
from aiohttp import web
from aiohttp.abc import AbstractResolver, ResolveResult
from aiohttp.test_utils import TestServer
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from bot.adapters.github.attachments import LARGEST, MOST_REDIRECTS, Attachments
from bot.ports.github import Image

PNG = b"\x89PNG\r\n\x1a\n" + b"picture"
JPEG = b"\xff\xd8\xff\xe0" + b"picture"
GIF = b"GIF89a" + b"picture"
WEBP = b"RIFF\x10\x00\x00\x00WEBP" + b"picture"
STORE = "private-user-images.githubusercontent.com"
BUCKET = "github-production-user-asset-6210df.s3.amazonaws.com"
ASSET = "/user-attachments/assets/one"


@dataclass
class Answers:
    """What a server says by path, and the paths that it was asked for."""

    bodies: dict[str, bytes] = field(default_factory=dict)
    redirects: dict[str, str] = field(default_factory=dict)
    status: int = 200
    chunked: bool = False
    asked: list[str] = field(default_factory=list)

    async def answer(self, request: web.Request) -> web.StreamResponse:
        self.asked.append(request.path)
        if request.path in self.redirects:
            location = {"Location": self.redirects[request.path]}
            return web.Response(status=302, headers=location)
        if request.path not in self.bodies:
            return web.Response(status=404, body=PNG)
        response = web.StreamResponse(status=self.status, headers={"Content-Type": "text/html"})
        if self.chunked:
            response.enable_chunked_encoding()
        else:
            response.content_length = len(self.bodies[request.path])
        await response.prepare(request)
        await response.write(self.bodies[request.path])
        await response.write_eof()
        return response

    def server(self) -> TestServer:
        application = web.Application()
        application.router.add_get("/{path:.*}", self.answer)
        return TestServer(application, host="127.0.0.1")


@dataclass
class Names(AbstractResolver):
    """Every name leads to one local server; the names that were looked up."""

    port: int
    asked: list[str] = field(default_factory=list)

    async def resolve(
        self, host: str, port: int = 0, family: socket.AddressFamily = socket.AF_INET
    ) -> list[ResolveResult]:
        self.asked.append(host)
        return [
            ResolveResult(
                hostname=host, host="127.0.0.1", port=self.port, family=family, proto=0, flags=0
            )
        ]

    async def close(self) -> None:
        """Nothing is open."""


@dataclass
class Rig:
    """GitHub's pages, everybody else (by HTTPS, under any name), and what asks them."""

    github: Answers
    url: str
    elsewhere: Answers
    names: Names
    neighbour: Answers
    neighbour_url: str
    attachments: Attachments

    async def image(self, url: str) -> Image | None:
        return await self.attachments.image(url)

    @property
    def asked_elsewhere(self) -> list[str]:
        return [*self.names.asked, *self.elsewhere.asked, *self.neighbour.asked]


@pytest.fixture(scope="module")
def tls(tmp_path_factory: pytest.TempPathFactory) -> ssl.SSLContext:
    """A server's side of TLS; who asks here looks at no name."""
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test")])
    begin = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(1)
        .not_valid_before(begin)
        .not_valid_after(begin + dt.timedelta(days=36_500))
        .sign(key, hashes.SHA256())
    )
    file: Path = tmp_path_factory.mktemp("tls") / "both.pem"
    file.write_bytes(
        key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
        + certificate.public_bytes(serialization.Encoding.PEM)
    )
    context = ssl.create_default_context(ssl.Purpose.CLIENT_AUTH)
    context.load_cert_chain(file)
    return context


@pytest.fixture
async def rig(tls: ssl.SSLContext) -> AsyncIterator[Rig]:
    github, elsewhere, neighbour = Answers(), Answers(), Answers()
    async with github.server() as page, neighbour.server() as beside:
        everybody = elsewhere.server()
        await everybody.start_server(ssl=tls)
        assert everybody.port is not None
        names = Names(everybody.port)
        connector = aiohttp.TCPConnector(resolver=names, ssl=False)
        url = str(page.make_url("")).rstrip("/")
        async with aiohttp.ClientSession(connector=connector) as session:
            beside_url = str(beside.make_url("")).rstrip("/")
            attachments = Attachments(session, f"{url}/")
            yield Rig(github, url, elsewhere, names, neighbour, beside_url, attachments)
        await everybody.close()


@pytest.mark.parametrize(
    ("content", "media_type"),
    [
        pytest.param(PNG, "image/png", id="PNG"),
        pytest.param(JPEG, "image/jpeg", id="JPEG"),
        pytest.param(GIF, "image/gif", id="GIF"),
        pytest.param(WEBP, "image/webp", id="WEBP"),
    ],
)
@pytest.mark.parametrize("chunked", [False, True], ids=["of known length", "in chunks"])
async def test_a_picture_is_known_by_its_content(
    rig: Rig, content: bytes, media_type: str, chunked: bool
) -> None:
    rig.github.bodies[ASSET] = content
    rig.github.chunked = chunked
    assert await rig.image(f"{rig.url}{ASSET}") == Image(media_type, content)
    assert (rig.github.asked, rig.asked_elsewhere) == ([ASSET], [])


@pytest.mark.parametrize(
    "content",
    [
        pytest.param(b"", id="nothing"),
        pytest.param(b"<svg xmlns='http://www.w3.org/2000/svg'/>", id="SVG"),
        pytest.param(b"<!doctype html>", id="a page"),
        pytest.param(b" " + PNG, id="PNG, but not at once"),
        pytest.param(PNG[:7], id="a piece of PNG's mark"),
        pytest.param(b"RIFF\x10\x00\x00\x00WAVEfmt ", id="RIFF that is sound"),
        pytest.param(b"%PDF-1.7", id="PDF"),
    ],
)
async def test_what_is_no_picture_is_not_taken(rig: Rig, content: bytes) -> None:
    rig.github.bodies[ASSET] = content
    assert await rig.image(f"{rig.url}{ASSET}") is None


async def test_what_is_not_there_is_not_taken(rig: Rig) -> None:
    assert await rig.image(f"{rig.url}{ASSET}") is None
    rig.github.bodies[ASSET] = PNG
    rig.github.status = 206
    assert await rig.image(f"{rig.url}{ASSET}") is None
    assert rig.github.asked == [ASSET] * 2


@pytest.mark.parametrize("chunked", [False, True], ids=["of known length", "in chunks"])
async def test_a_picture_is_taken_up_to_the_largest(rig: Rig, chunked: bool) -> None:
    rig.github.chunked = chunked
    largest = PNG.ljust(LARGEST, b"\0")
    rig.github.bodies = {ASSET: largest, f"{ASSET}2": largest + b"\0"}
    assert await rig.image(f"{rig.url}{ASSET}") == Image("image/png", largest)
    assert await rig.image(f"{rig.url}{ASSET}2") is None


async def test_who_does_not_answer_gives_no_picture(rig: Rig) -> None:
    async with aiohttp.ClientSession() as session:
        nobody = Attachments(session, "http://127.0.0.1:1")
        assert await nobody.image(f"http://127.0.0.1:1{ASSET}") is None


# ── who is asked ─────────────────────────────────────────────────────────────────────────────


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("{neighbour}" + ASSET, id="another port"),
        pytest.param("{url}/octo/shop/raw/main/x.png", id="another page"),
        pytest.param("{url}/user-attachments/files/one", id="another kind"),
        pytest.param("{url}.evil.example" + ASSET, id="a longer name"),
        pytest.param("{url}@evil.example" + ASSET, id="a name before the host"),
        pytest.param("https://evil.example" + ASSET, id="another host"),
        pytest.param("https://evil.example/?{url}" + ASSET, id="ours in its query"),
        pytest.param(f"http://{STORE}/x", id="a store without TLS"),
        pytest.param(f"https://{STORE}:8443/x", id="a store's other port"),
        pytest.param(f"https://{STORE}.evil.example/x", id="a store's name, longer"),
        pytest.param("https://evilgithubusercontent.com/x", id="a store's name, run together"),
        pytest.param("https://githubusercontent.com/x", id="a store's domain alone"),
        pytest.param(f"https://other.{BUCKET}/x", id="in the bucket's name"),
        pytest.param("https://other.s3.amazonaws.com/x", id="another bucket"),
        pytest.param(f"https://{STORE}@evil.example/x", id="a store before the host"),
        pytest.param(f"https://evil.example#@{STORE}/x", id="a store behind a #"),
        pytest.param(f"https://evil.example?@{STORE}/x", id="a store behind a ?"),
        pytest.param("file:///etc/passwd", id="a file"),
        pytest.param(f"file://{STORE}/etc/passwd", id="a store's file"),
        pytest.param("http://169.254.169.254/latest/meta-data", id="the machine's own metadata"),
        pytest.param(f"//{STORE}/x", id="no scheme"),
        pytest.param("", id="nothing"),
    ],
)
async def test_nobody_else_is_asked(rig: Rig, url: str) -> None:
    for answers in (rig.github, rig.elsewhere, rig.neighbour):
        answers.bodies = {ASSET: PNG, "/x": PNG, "/": PNG}
    assert await rig.image(url.format(url=rig.url, neighbour=rig.neighbour_url)) is None
    assert (rig.github.asked, rig.asked_elsewhere) == ([], [])


@pytest.mark.parametrize(
    "url",
    [
        pytest.param("https://[x", id="half an address"),
        pytest.param(f"https://{STORE}:99999/x", id="a port that is none"),
        pytest.param(f"https://{STORE}:a/x", id="a port of letters"),
        pytest.param("https://a\u2100b/x", id="a name that is none"),
    ],
)
async def test_an_address_that_is_none_gives_no_picture(rig: Rig, url: str) -> None:
    assert await rig.image(url) is None
    assert (rig.github.asked, rig.asked_elsewhere) == ([], [])


@pytest.mark.parametrize(
    "path",
    [
        pytest.param("/../../octo/x.png", id="up"),
        pytest.param("/%2e%2e/%2e%2e/octo/x.png", id="up, encoded"),
        pytest.param("/..%2f..%2focto%2fx.png", id="up, with an encoded slash"),
        pytest.param("/one/two", id="below"),
        pytest.param("/one?two", id="a query"),
        pytest.param("/one#two", id="a fragment"),
        pytest.param("/one%20two", id="anything encoded"),
        pytest.param("/one.png.png", id="two endings"),
        pytest.param("/..", id="dots alone"),
        pytest.param("/.png", id="an ending alone"),
        pytest.param("/", id="no name"),
        pytest.param("", id="nothing"),
        pytest.param("/" + "x" * 101, id="a name that is too long"),
    ],
)
async def test_nothing_but_a_name_of_an_attachment_is_asked_for(rig: Rig, path: str) -> None:
    rig.github.bodies["/octo/x.png"] = PNG
    assert await rig.image(f"{rig.url}/user-attachments/assets{path}") is None
    assert rig.github.asked == []


@pytest.mark.parametrize("name", ["0f9b1c7e-1d2a-4c8b-9e57-2f3b6a", "one.png", "a_B-9.JPEG"])
async def test_the_name_of_an_attachment_is_asked_for(rig: Rig, name: str) -> None:
    rig.github.bodies[f"/user-attachments/assets/{name}"] = PNG
    url = f"{rig.url}/user-attachments/assets/{name}"
    assert await rig.image(url) == Image("image/png", PNG)


@pytest.mark.parametrize("host", [STORE, "raw.githubusercontent.com", BUCKET])
async def test_githubs_stores_are_asked(rig: Rig, host: str) -> None:
    rig.elsewhere.bodies["/x"] = PNG
    assert await rig.image(f"https://{host}/x?jwt=1") == Image("image/png", PNG)
    assert rig.asked_elsewhere == [host, "/x"]


async def test_a_redirect_to_a_store_is_followed(rig: Rig) -> None:
    rig.github.redirects[ASSET] = f"https://{BUCKET}/a"
    rig.elsewhere.redirects["/a"] = f"https://{STORE}/b"
    rig.elsewhere.redirects["/b"] = "/c"
    rig.elsewhere.bodies["/c"] = WEBP
    assert await rig.image(f"{rig.url}{ASSET}") == Image("image/webp", WEBP)
    assert rig.names.asked[:2] == [BUCKET, STORE]
    assert rig.elsewhere.asked == ["/a", "/b", "/c"]


@pytest.mark.parametrize(
    "location",
    [
        pytest.param("https://evil.example/x", id="elsewhere"),
        pytest.param(f"http://{STORE}/x", id="a store without TLS"),
        pytest.param("{neighbour}/x", id="another port of this machine"),
        pytest.param("{url}/x", id="another page of GitHub"),
        pytest.param("/x", id="another page of GitHub, by its path"),
        pytest.param(ASSET, id="itself"),
        pytest.param("", id="nowhere"),
        pytest.param("file:///etc/passwd", id="a file"),
        pytest.param("https://[x", id="no address"),
        pytest.param(f"https://{STORE}:99999/x", id="no port"),
    ],
)
async def test_no_other_redirect_is_followed(rig: Rig, location: str) -> None:
    for answers in (rig.github, rig.elsewhere, rig.neighbour):
        answers.bodies = {"/x": PNG}
    to = location.format(url=rig.url, neighbour=rig.neighbour_url)
    rig.github.redirects[ASSET] = to
    assert await rig.image(f"{rig.url}{ASSET}") is None
    assert (rig.github.asked, rig.asked_elsewhere) == ([ASSET], [])


async def test_a_store_does_not_lead_out_again(rig: Rig) -> None:
    rig.github.redirects[ASSET] = f"https://{STORE}/a"
    rig.elsewhere.redirects["/a"] = "https://evil.example/x"
    rig.elsewhere.bodies["/x"] = PNG
    assert await rig.image(f"{rig.url}{ASSET}") is None
    assert rig.asked_elsewhere == [STORE, "/a"]


async def test_redirects_without_end_come_to_an_end(rig: Rig) -> None:
    rig.github.redirects[ASSET] = f"https://{STORE}/a"
    rig.elsewhere.redirects["/a"] = "/a"
    assert await rig.image(f"{rig.url}{ASSET}") is None
    assert rig.elsewhere.asked == ["/a"] * MOST_REDIRECTS

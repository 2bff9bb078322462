"""Which addresses and refs are taken, and where a submodule may be fetched from."""

from __future__ import annotations

import pytest

from bot.adapters.git.address import (
    LocalPath,
    Refused,
    Remote,
    address_beside,
    check_ref,
    check_revision,
    parse_address,
    shown,
    without_credentials,
)


@pytest.mark.parametrize(
    ("location", "url"),
    [
        ("https://github.com/o/r.git", "https://github.com/o/r.git"),
        ("HTTPS://GitHub.com:443/o/r", "https://github.com/o/r"),
        ("http://127.0.0.1:8080/r.git", "http://127.0.0.1:8080/r.git"),
        ("https://ada:secret@example.com/r", "https://example.com/r"),
        ("https://ada:p@ss@example.com/r", "https://example.com/r"),
        ("ssh://git@example.com:2222/r.git", "ssh://git@example.com:2222/r.git"),
        ("ssh://git:secret@example.com/r", "ssh://git@example.com/r"),
        ("git@github.com:o/r.git", "git@github.com:o/r.git"),
        ("example.com:r.git", "example.com:r.git"),
        ("https://[::1]:8443/r", "https://[::1]:8443/r"),
    ],
)
def test_takes_an_address_without_its_password(location: str, url: str) -> None:
    found = parse_address(location)
    assert isinstance(found, Remote)
    assert found.url == url
    assert "secret" not in repr(found)


@pytest.mark.parametrize(
    ("location", "path"),
    [
        ("/srv/app", "/srv/app"),
        (".", "."),
        ("./a:b", "./a:b"),
        ("app", "app"),
        ("/srv/a:b", "/srv/a:b"),
        ("file:///srv/my%20app", "/srv/my app"),
        ("file://localhost/srv/app", "/srv/app"),
    ],
)
def test_takes_a_path(location: str, path: str) -> None:
    assert parse_address(location) == LocalPath(path)


@pytest.mark.parametrize(
    "location",
    [
        "",
        "git://example.com/r",
        "ftp://example.com/r",
        "ext::sh -c 'touch /x'",
        "fd::17",
        "https::https://example.com/r",
        "file://example.com/r",
        "file://",
        "--upload-pack=touch",
        "-oProxyCommand=touch:r",
        "ssh://-oProxyCommand=touch/r",
        "ssh://-l@example.com/r",
        "ssh://example.com:-1/r",
        "x@-oProxyCommand=touch:r",
        "-l@example.com:r",
        "example.com:--upload-pack=touch",
        "https://example.com",
        "https:///r",
        "https://exa mple.com/r",
        "https://example.com\\@evil.example/r",
        "https://example.com/r\nx",
        "https://example.com/\x00r",
        "https://[::1/r",
    ],
)
def test_refuses_an_address(location: str) -> None:
    with pytest.raises(Refused):
        parse_address(location)


@pytest.mark.parametrize(
    ("origin", "address", "url"),
    [
        ("https://h/o/r.git", "../s.git", "https://h/o/s.git"),
        ("https://h/o/r.git", "../../p/s", "https://h/p/s"),
        ("https://h/o/r/", "./s", "https://h/o/r/s"),
        ("git@h:o/r.git", "../s.git", "git@h:o/s.git"),
        ("ssh://git@h:22/o/r", "../s", "ssh://git@h/o/s"),
        ("https://h/o/r", "https://h/p/s", "https://h/p/s"),
        ("https://h/o/r", "https://H:443/p/s", "https://h/p/s"),
        ("https://h/o/r", "git@h:p/s.git", "https://h/p/s.git"),
        ("https://h:8443/o/r", "ssh://git@h:2222/p/s.git", "https://h:8443/p/s.git"),
        ("git@h:o/r", "https://h/p/s", "https://h/p/s"),
        ("git@h:o/r", "other@h:p/s", "other@h:p/s"),
        ("http://h/o/r", "https://h/p/s", "https://h/p/s"),
    ],
)
def test_resolves_a_submodule_on_the_same_host(origin: str, address: str, url: str) -> None:
    above = parse_address(origin)
    assert isinstance(above, Remote)
    assert address_beside(above, address).url == url


@pytest.mark.parametrize(
    ("origin", "address", "words"),
    [
        ("https://h/o/r", "https://evil.example/s", "another host (evil.example)"),
        ("https://h/o/r", "https://h.evil.example/s", "another host"),
        ("https://h/o/r", "https://h@evil.example/s", "another host"),
        ("https://h/o/r", "git@evil.example:o/s", "another host"),
        ("https://h/o/r", "https://h:8443/o/s", "another port"),
        ("http://h:8080/o/r", "http://h:6379/s", "another port"),
        ("https://h/o/r", "http://h/o/s", "not encrypted"),
        ("git@h:o/r", "http://h/o/s", "not encrypted"),
        ("https://h/o/r", "/etc", "path of a machine"),
        ("https://h/o/r", "file:///etc", "path of a machine"),
        ("https://h/o/r", "../../../etc", "leads out"),
        ("https://h/o/r", "../../..", "leads nowhere"),
        ("https://h/o/r", "../s/../../../x", "leads nowhere"),
        ("https://h/o/r", "ext::sh -c touch", "helper::address"),
        ("https://h/o/r", "--upload-pack=touch", "begins with a dash"),
        ("https://h/o/r", "ssh://-oProxyCommand=x/s", "no host name"),
        ("https://h/o/r", "", "empty"),
    ],
)
def test_refuses_a_submodule(origin: str, address: str, words: str) -> None:
    above = parse_address(origin)
    assert isinstance(above, Remote)
    with pytest.raises(Refused) as raised:
        address_beside(above, address)
    assert words in str(raised.value)


def test_a_credential_stays_on_its_own_site() -> None:
    origin = parse_address("http://ada:secret@h/o/r")
    assert isinstance(origin, Remote)
    assert address_beside(origin, "../s").authorization == origin.authorization != ""
    assert address_beside(origin, "http://h/p/s").authorization == origin.authorization
    assert address_beside(origin, "https://h/p/s").authorization == ""
    assert address_beside(origin, "https://eve:x@h/p/s").authorization == ""


@pytest.mark.parametrize(
    "ref", ["main", "a/b-c.d", "refs/pull/7/head", "v1.0", "é", "0" * 40, "a@b"]
)
def test_takes_a_ref(ref: str) -> None:
    check_ref(ref)


@pytest.mark.parametrize(
    "ref",
    ["", "-x", "--upload-pack=x", "a b", "a\nb", "a:b", "a..b", "a~1", "a^", "a?", "a*", "a[",
     "a\\b", "@", "a@{1}", "/a", "a/", "a//b", "a.lock", ".a", "a/.b", "a.", "\x7f", "a" * 1025],
)  # fmt: skip
def test_refuses_a_ref(ref: str) -> None:
    with pytest.raises(Refused):
        check_ref(ref)


@pytest.mark.parametrize("revision", ["HEAD~1", "main^{commit}", "v1", "main@{0}"])
def test_a_local_repository_may_be_asked_for_any_revision(revision: str) -> None:
    check_revision(revision)


@pytest.mark.parametrize("revision", ["", "--git-dir=/x", "a\nb", "\x00"])
def test_refuses_a_revision(revision: str) -> None:
    with pytest.raises(Refused):
        check_revision(revision)


def test_shows_names_on_one_line_and_addresses_without_credentials() -> None:
    assert shown("a\nb\x1b[31m\udcff") == "a\\nb\\x1b[31m\\udcff"
    assert shown("é" * 100) == "é" * 77 + "…"
    text = "fatal: https://ada:p@ss@h/x and ssh://git@h/y"
    assert without_credentials(text) == "fatal: https://h/x and ssh://h/y"

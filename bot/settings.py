"""The settings of the product: the only reader of the environment, used by ``app.py`` alone."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Self, TypeVar
from urllib.parse import urlsplit

import platformdirs

T = TypeVar("T")
INDEX_VARIABLES = ("PIP_INDEX_URL", "PIP_EXTRA_INDEX_URL", "NPM_CONFIG_REGISTRY", "YARN_REGISTRY")
CA_VARIABLES = ("SSL_CERT_FILE", "REQUESTS_CA_BUNDLE", "CURL_CA_BUNDLE")
SHORTEST_SECRET_KEY = 16
NEVER_SHOWN = frozenset(
    {
        "CODEGEN_API_TOKEN",
        "GEMINI_API_KEY",
        "GITHUB_PRIVATE_KEY",
        "GITHUB_WEBHOOK_SECRET",
        "MONGODB_URI",
        "SECRET_KEY",
    }
)
CA_PATH = "/etc/ssl/certs/ca-certificates.crt"


class SettingsError(Exception):
    """Every variable that is missing or bad, one sentence each, all at once."""

    def __init__(self, faults: tuple[str, ...]) -> None:
        super().__init__("\n".join(faults))
        self.faults = faults


@dataclass(frozen=True)
class Settings:
    """What the environment says. Sizes are in the unit that the name says."""

    home: Path
    github_app_id: int | None
    github_private_key: str = field(repr=False)
    github_webhook_secret: str = field(repr=False)
    github_api_url: str
    github_url: str
    codegen_org_id: int | None
    codegen_api_token: str = field(repr=False)
    codegen_api_url: str
    gemini_api_key: str = field(repr=False)
    gemini_model: str
    gemini_api_endpoint: str
    mongodb_uri: str = field(repr=False)
    mongodb_database: str
    max_concurrent_validations: int
    secret_keys: tuple[str, ...] = field(repr=False)
    public_url: str
    host: str
    port: int
    retention_days: int
    artifacts_max_gb: float
    docker_host: str | None
    sandbox_image: str
    snapshot_cache_gb: float
    validation_timeout_minutes: int
    auto_cleanup_hours: int
    log_level: str
    log_format: str
    ca_bundle: Path | None
    index_variables: Mapping[str, str]
    environ: Mapping[str, str] = field(repr=False)

    @classmethod
    def from_env(cls, environ: Mapping[str, str]) -> Self:
        """Read all settings. Raises SettingsError that names every fault at once."""
        reader = _Reader(environ)
        settings = cls(
            home=reader.get("CODEGENAPP_HOME", _default_home(), Path),
            github_app_id=reader.get("GITHUB_APP_ID", None, _positive(int)),
            github_private_key=reader.get("GITHUB_PRIVATE_KEY", "", _private_key),
            github_webhook_secret=reader.get("GITHUB_WEBHOOK_SECRET", "", str),
            github_api_url=reader.get("GITHUB_API_URL", "https://api.github.com", _url),
            github_url=reader.get("GITHUB_URL", "https://github.com", _url),
            codegen_org_id=reader.get("CODEGEN_ORG_ID", None, _positive(int)),
            codegen_api_token=reader.get("CODEGEN_API_TOKEN", "", str),
            codegen_api_url=reader.get("CODEGEN_API_URL", "https://api.codegen.com", _url),
            gemini_api_key=reader.get("GEMINI_API_KEY", "", str),
            gemini_model=reader.get("GEMINI_MODEL", "", str),
            gemini_api_endpoint=reader.get("GEMINI_API_ENDPOINT", "", _url),
            mongodb_uri=reader.get("MONGODB_URI", "", _mongodb_uri),
            mongodb_database=reader.get("MONGODB_DATABASE", "codegenapp", str),
            max_concurrent_validations=reader.get("MAX_CONCURRENT_VALIDATIONS", 5, _positive(int)),
            secret_keys=reader.get("SECRET_KEY", (), _secret_keys),
            public_url=reader.get("PUBLIC_URL", "", _url),
            host=reader.get("HOST", "127.0.0.1", str),
            port=reader.get("PORT", 8080, _port),
            retention_days=reader.get("RETENTION_DAYS", 90, _positive(int)),
            artifacts_max_gb=reader.get("ARTIFACTS_MAX_GB", 20.0, _positive(float)),
            docker_host=reader.get("DOCKER_HOST", None, _docker_host),
            sandbox_image=reader.get("SANDBOX_IMAGE", "", str),
            snapshot_cache_gb=reader.get("SNAPSHOT_CACHE_GB", 20.0, _positive(float)),
            validation_timeout_minutes=reader.get("VALIDATION_TIMEOUT_MINUTES", 30, _positive(int)),
            auto_cleanup_hours=reader.get("AUTO_CLEANUP_HOURS", 24, _positive(int)),
            log_level=reader.get("LOG_LEVEL", "", _one_of("debug", "info", "warning", "error")),
            log_format=reader.get("LOG_FORMAT", "console", _one_of("console", "json")),
            ca_bundle=_ca_bundle(environ),
            index_variables=_index_variables(environ),
            environ=environ,
        )
        if reader.faults:
            raise SettingsError(tuple(reader.faults))
        return settings

    def missing_for_serve(self) -> tuple[str, ...]:
        """What `serve` needs and does not have, one sentence each."""
        wanted: dict[str, tuple[object, str]] = {
            "GITHUB_APP_ID": (self.github_app_id, "the App's number, from its settings page"),
            "GITHUB_PRIVATE_KEY": (self.github_private_key, "its private key (PEM), or its path"),
            "GITHUB_WEBHOOK_SECRET": (
                self.github_webhook_secret,
                "the secret of its webhook; without one anybody could send deliveries",
            ),
        }
        if self.codegen_org_id is not None or self.codegen_api_token:
            wanted["CODEGEN_ORG_ID"] = (self.codegen_org_id, "the agent's organisation, a number")
            wanted["CODEGEN_API_TOKEN"] = (self.codegen_api_token, "a token of that organisation")
        if self.mongodb_uri:
            wanted["SECRET_KEY"] = (
                self.secret_keys and self.secret_keys[0],
                "a random text that all processes share (with the embedded MongoDB it is made)",
            )
        return tuple(
            f"{name} is not set: {meaning}"
            for name, (value, meaning) in wanted.items()
            if not value
        )

    def secret(self, name: str) -> str | None:
        """The value of an environment variable that the user named as a secret."""
        return self.environ.get(name)


class _Reader:
    """Reads one variable after the other and collects what is wrong with them."""

    def __init__(self, environ: Mapping[str, str]) -> None:
        self._environ = environ
        self.faults: list[str] = []

    def get(self, name: str, default: T, parse: Callable[[str], T]) -> T:
        text = self._text(name)
        if not text:
            return default
        try:
            return parse(text)
        except ValueError as fault:
            shown = name if name in NEVER_SHOWN else f"{name}={text!r}"
            self.faults.append(f"{shown}: {fault}")
            return default

    def _text(self, name: str) -> str:
        text = self._environ.get(name, "")
        path = self._environ.get(f"{name}_FILE", "")
        if text or not path:
            return text
        try:
            return Path(path).read_text().strip()
        except OSError as fault:
            self.faults.append(f"{name}_FILE={path!r}: {fault.strerror}")
            return ""


def _default_home() -> Path:
    return Path(platformdirs.user_data_dir("codegenapp", appauthor=False))


def _docker_host(text: str) -> str:
    if not text.startswith(("unix://", "tcp://", "http://", "https://", "ssh://")):
        raise ValueError("wants an address such as unix:///var/run/docker.sock")
    return text


def _positive(kind: Callable[[str], T]) -> Callable[[str], T]:
    def parse(text: str) -> T:
        try:
            value = kind(text)
        except ValueError:
            raise ValueError("wants a number above 0") from None
        if not value > 0:  # type: ignore[operator]  # T is int or float wherever this is used
            raise ValueError("wants a number above 0")
        return value

    return parse


def _private_key(text: str) -> str:
    r"""A PEM text, or the path of one; in one line, its line ends may be written ``\n``."""
    if text.lstrip().startswith("-----BEGIN"):
        return text.replace("\\n", "\n")
    try:
        return Path(text).read_text()
    except OSError as fault:
        raise ValueError(f"is neither a PEM text nor a file: {fault.strerror}") from None


def _url(text: str) -> str:
    parts = urlsplit(text)
    if parts.scheme not in {"http", "https"} or not parts.hostname:
        raise ValueError("wants an address such as https://host")
    return text.rstrip("/")


def _mongodb_uri(text: str) -> str:
    if not text.startswith(("mongodb://", "mongodb+srv://")):
        raise ValueError("wants an address such as mongodb://host:27017/?replicaSet=rs0")
    return text


def _secret_keys(text: str) -> tuple[str, ...]:
    keys = tuple(key.strip() for key in text.split(",") if key.strip())
    if any(len(key) < SHORTEST_SECRET_KEY for key in keys):
        raise ValueError(f"wants at least {SHORTEST_SECRET_KEY} characters for each key")
    return keys


def _port(text: str) -> int:
    if not text.isdigit() or not int(text) < 65536:
        raise ValueError("wants a port, 0 to 65535")
    return int(text)


def _one_of(*words: str) -> Callable[[str], str]:
    def parse(text: str) -> str:
        if text.lower() not in words:
            raise ValueError(f"wants one of {', '.join(words)}")
        return text.lower()

    return parse


def _ca_bundle(environ: Mapping[str, str]) -> Path | None:
    """The certificates that this machine trusts: what its own tools are told, or the system's."""
    named = [environ[name] for name in CA_VARIABLES if environ.get(name)]
    return next((Path(path) for path in [*named, CA_PATH] if Path(path).is_file()), None)


def _index_variables(environ: Mapping[str, str]) -> dict[str, str]:
    """The addresses of package indexes to forward into PREPARE; never paths of this machine."""
    given = {name: environ.get(name, "") for name in INDEX_VARIABLES}
    return {name: url for name, url in given.items() if _is_open_address(url)}


def _is_open_address(url: str) -> bool:
    """Whether an address is one of the network, with no password in it: boxes get to see it."""
    try:
        parts = urlsplit(url)
    except ValueError:
        return False
    return parts.scheme in {"http", "https"} and "@" not in parts.netloc

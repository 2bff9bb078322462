"""Links to reports: plain for public repositories, signed and for a time for private ones."""

from __future__ import annotations

import hashlib
import hmac
from collections.abc import Sequence
from datetime import timedelta
from urllib.parse import urlencode

from bot.domain.validation_records import ValidationRecord
from bot.ports.clock import Clock


class ReportLinks:
    """Makes and checks links. The first key signs, any key is taken: keys can be replaced."""

    def __init__(
        self, public_url: str, keys: Sequence[str], retention: timedelta, clock: Clock
    ) -> None:
        self._public_url = public_url.rstrip("/")
        self._keys = [key.encode() for key in keys]
        self._retention = retention
        self._clock = clock

    def plain(self, record: ValidationRecord) -> str:
        """A validation's address, without what lets one in: for where everybody reads it."""
        return f"{self._public_url}/validations/{record.id}"

    def to(self, record: ValidationRecord) -> str:
        """The link to a validation's page; the same one each time."""
        url = self.plain(record)
        if not record.order.repository.private:
            return url
        expires = int((record.created_at + self._retention).timestamp())
        signature = _signature(self._keys[0], record.id, expires)
        return f"{url}?{urlencode({'expires': expires, 'signature': signature})}"

    def allows(self, record: ValidationRecord, expires: str, signature: str) -> bool:
        """Whether a page may be shown to who has this link."""
        if not record.order.repository.private:
            return True
        if not expires.isdigit() or int(expires) < self._clock.now().timestamp():
            return False
        good = [_signature(key, record.id, int(expires)) for key in self._keys]
        return any(hmac.compare_digest(it, signature) for it in good)


def _signature(key: bytes, validation_id: str, expires: int) -> str:
    said = f"validation\x1f{validation_id}\x1f{expires}".encode()
    return hmac.new(key, said, hashlib.sha256).hexdigest()

"""Channels as people make, change and try them. Addresses go in and never come out again."""

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from typing import Any

from fastflow.kernel.notifications.domain.channel import (
    Channel,
    ChannelSettings,
    check_name,
    check_settings,
    check_urls,
    kind_of,
    require_valid,
)
from fastflow.kernel.notifications.domain.errors import AddressesUnreadable, ChannelInUse, ChannelNotFound
from fastflow.kernel.notifications.domain.message import Message
from fastflow.kernel.notifications.domain.rule import Severity
from fastflow.kernel.notifications.ports import ChannelStore, Cipher, RuleFilter, RuleStore, Sender
from fastflow.kit.clock import Clock
from fastflow.kit.identity import Actor, Role
from fastflow.kit.pages import DEFAULT_PAGE_SIZE, Page, decode_cursor, encode_cursor
from fastflow.kit.secret_text import SecretText

_MANY = 1000
_SETTINGS = tuple(ChannelSettings.__dataclass_fields__)


@dataclass(frozen=True, kw_only=True)
class Trial:
    """What became of a test message.

    Attributes:
        problem: why it did not reach every address; None: it did.
    """

    channel: Channel
    problem: str | None


class ChannelService:
    """Channels: making them needs the role admin, for an address is a credential; trying them operator."""

    def __init__(
        self, *, store: ChannelStore, rules: RuleStore, cipher: Cipher, sender: Sender, clock: Clock, url: str | None
    ) -> None:
        self._store = store
        self._rules = rules
        self._cipher = cipher
        self._sender = sender
        self._clock = clock
        self._url = url

    def list(self, *, actor: Actor, cursor: str | None = None, limit: int = DEFAULT_PAGE_SIZE) -> Page[Channel]:
        """One page by name.

        Raises:
            InvalidInput: the cursor was not given out by this list.
        """
        actor.require_somewhere(Role.VIEWER)
        after = str(decode_cursor(cursor, (str,))[0]) if cursor else ""
        found = self._store.load_page(after_name=after, limit=limit + 1)
        next_cursor = encode_cursor(found[limit - 1].name) if len(found) > limit else None
        return Page(items=found[:limit], next_cursor=next_cursor)

    def get(self, name: str, *, actor: Actor) -> Channel:
        """The channel.

        Raises:
            ChannelNotFound: there is none.
        """
        actor.require_somewhere(Role.VIEWER)
        return self._get(name)

    def create(self, name: str, urls: Sequence[SecretText], settings: ChannelSettings, *, actor: Actor) -> Channel:
        """A new channel. Its addresses are looked at by Apprise; nothing is sent.

        Raises:
            InvalidChannel: names every field that is wrong.
            ChannelExists: the name is taken.
        """
        actor.require(Role.ADMIN)
        kinds = self._check(chain(check_name(name), check_settings(settings)), urls)
        now, by = self._clock.now(), actor.name[:200]
        channel = Channel(
            **{field: getattr(settings, field) for field in _SETTINGS},
            name=name,
            kinds=kinds,
            created_at=now,
            created_by=by,
            updated_at=now,
            updated_by=by,
        )
        self._store.add(channel, self._encrypt(urls), actor=actor)
        return channel

    def change(
        self, name: str, urls: Sequence[SecretText] | None, changes: Mapping[str, Any], *, actor: Actor
    ) -> Channel:
        """Give it other addresses, another behaviour, or both.

        Args:
            name: of a channel.
            urls: None: they stay.
            changes: field of `ChannelSettings` -> its new value.
            actor: needs the role admin.

        Raises:
            ChannelNotFound: there is none.
            InvalidChannel: names every field that is wrong.
        """
        actor.require(Role.ADMIN)
        before = self._get(name)
        after = replace(before, **changes, updated_at=self._clock.now(), updated_by=actor.name[:200])
        require_valid(check_settings(after))
        if urls is not None:
            after = replace(after, kinds=self._check(iter(()), urls))
        self._store.change(after, None if urls is None else self._encrypt(urls), actor=actor)
        return self._get(name)

    def delete(self, name: str, *, actor: Actor, force: bool = False) -> None:
        """Remove it; what waits for it is given up, with the reason.

        Raises:
            ChannelNotFound: there is none.
            ChannelInUse: rules send to it, and it is not forced.
        """
        actor.require(Role.ADMIN)
        self._get(name)
        rules = self._rules.load_page(RuleFilter(channel=name), after_id="", limit=_MANY)
        if rules and not force:
            named = ", ".join(rule.label for rule in rules[:5])
            raise ChannelInUse(f"Rules send to the channel {name}: {named}.")
        if not self._store.delete(name, actor=actor, at=self._clock.now()):
            raise ChannelNotFound(name)

    def test(self, name: str, *, actor: Actor) -> Trial:
        """Send a message now, whatever the hour, and say what became of it.

        Raises:
            ChannelNotFound: there is none.
            AddressesUnreadable: its addresses cannot be decrypted.
        """
        actor.require_somewhere(Role.OPERATOR)
        self._get(name)
        where = f"\nServer: {self._url}" if self._url else ""
        body = f"This is a test of the channel {name}, asked for by {actor.name}.{where}\n\nNothing needs to be done."
        message = Message(title=f"[TEST] Fast-Flow: channel {name}", body=body)
        delivery = self._sender.send(self.reveal(name), message, Severity.INFO)
        self._store.note_test(name, delivery.problem, actor=actor, at=self._clock.now())
        return Trial(channel=self._get(name), problem=delivery.problem)

    def reveal(self, name: str) -> Sequence[SecretText]:
        """The addresses, for sending alone.

        Raises:
            ChannelNotFound: there is none.
            AddressesUnreadable: they cannot be decrypted.
        """
        ciphertext = self._store.load_ciphertext(name)
        if ciphertext is None:
            raise ChannelNotFound(name)
        text = self._cipher.decrypt(ciphertext)
        if text is None:
            raise AddressesUnreadable(f"The addresses of the channel {name} cannot be decrypted.")
        return [SecretText(url) for url in json.loads(text.reveal())]

    def _check(self, problems: Iterator[tuple[str, str]], urls: Sequence[SecretText]) -> tuple[str, ...]:
        """The kinds of the addresses.

        Raises:
            InvalidChannel: there are problems, the given ones or of the addresses.
        """
        require_valid(chain(problems, check_urls([url.reveal() for url in urls])))
        unusable = self._sender.check(urls)
        require_valid(("urls", f"number {place + 1}: {problem}") for place, problem in sorted(unusable.items()))
        return tuple(sorted({kind_of(url.reveal()) or "" for url in urls}))

    def _encrypt(self, urls: Sequence[SecretText]) -> str:
        return self._cipher.encrypt(SecretText(json.dumps([url.reveal().strip() for url in urls])))

    def _get(self, name: str) -> Channel:
        found = self._store.find([name]).get(name) if name.isprintable() else None
        if found is None:
            raise ChannelNotFound(name)
        return found

"""What can be done with secrets and parameters."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import replace

from fastflow.kernel.secrets.domain.errors import SecretNotAllowed, UnknownSecret, WrongEncryptionKey
from fastflow.kernel.secrets.domain.records import Revealed, Rotation, Secret, SecretChange, SecretVersion
from fastflow.kernel.secrets.domain.rules import check_key, check_pipelines, check_value
from fastflow.kernel.secrets.ports import Cipher, CiphertextHolder, SecretStore
from fastflow.kit.clock import Clock
from fastflow.kit.errors import Forbidden, InvalidInput
from fastflow.kit.identity import Actor, Role
from fastflow.kit.pages import DEFAULT_PAGE_SIZE, Page, decode_cursor, encode_cursor
from fastflow.kit.secret_text import SecretText

_BATCH = 100


class SecretService:
    """Secrets and parameters: encrypted, versioned, given to the pipelines that may read them."""

    def __init__(
        self, store: SecretStore, cipher: Cipher, clock: Clock, *, holders: Sequence[CiphertextHolder] = ()
    ) -> None:
        self._store = store
        self._cipher = cipher
        self._clock = clock
        self._holders = holders

    def list(self, *, cursor: str | None = None, limit: int = DEFAULT_PAGE_SIZE, actor: Actor) -> Page[Secret]:
        """One page by key: parameters with their value, secrets without. Those that none of the actor's pipelines may
        read are left out.

        Raises:
            InvalidInput: the cursor was not given out by this list.
        """
        after = str(decode_cursor(cursor, (str,))[0]) if cursor else ""
        found = self._store.load(after_key=after, limit=limit + 1)
        next_cursor = encode_cursor(found[limit - 1].key) if len(found) > limit else None
        seen = [_as_seen_by(actor, secret) for secret in found[:limit] if _is_seen_by(actor, secret)]
        return Page(items=self._with_parameter_values(seen), next_cursor=next_cursor)

    def get(self, key: str, *, actor: Actor) -> Secret:
        """The secret without its value, or the parameter with it.

        Raises:
            UnknownSecret: there is none, or none of the actor's pipelines may read it.
        """
        known = self._get(key)
        if not _is_seen_by(actor, known):
            raise _unknown(key)
        return self._with_parameter_values([_as_seen_by(actor, known)])[0]

    def create(
        self,
        key: str,
        value: SecretText,
        *,
        is_parameter: bool = False,
        pipelines: tuple[str, ...] | None = None,
        actor: Actor,
    ) -> Secret:
        """A new secret or parameter.

        Raises:
            InvalidInput: the key, the value or the list of pipelines is not usable.
            Forbidden: the actor does not administer every pipeline that may read it.
            SecretExists: the key is taken.
            WrongEncryptionKey: the secrets there are were encrypted with another key, such as another server's.
        """
        _require_admin_of(actor, pipelines)
        self._prove_key()
        now = self._clock.now()
        secret = Secret(
            key=check_key(key),
            is_parameter=is_parameter,
            pipelines=check_pipelines(pipelines),
            version=1,
            created_at=now,
            updated_at=now,
        )
        ciphertext = self._cipher.encrypt(check_value(value, is_parameter=is_parameter))
        added = self._store.add(secret, ciphertext, actor=actor)
        return replace(added, value=value) if is_parameter else added

    def change(self, key: str, change: SecretChange, *, actor: Actor) -> Secret:
        """A new version of the value, a new allow-list, or both at once. Former versions stay for `rerun --exact`.

        Raises:
            InvalidInput: the value or the list is not usable, or nothing is to be changed.
            Forbidden: the actor does not administer every pipeline that may read it, before and after.
            UnknownSecret: there is no such secret.
        """
        if change.value is None and not change.sets_pipelines:
            raise _nothing_to_change()
        known = self._get(key)
        _require_admin_of(actor, known.pipelines)
        if change.sets_pipelines:
            _require_admin_of(actor, change.pipelines)
        check_pipelines(change.pipelines)
        ciphertext = None
        if change.value is not None:
            ciphertext = self._cipher.encrypt(check_value(change.value, is_parameter=known.is_parameter))
        changed = self._store.change(key, change, ciphertext, actor=actor, at=self._clock.now())
        return self._with_parameter_values([changed])[0]

    def delete(self, key: str, *, actor: Actor) -> None:
        """Remove it with every version; runs that need one of them can no longer be repeated exactly.

        Raises:
            UnknownSecret: there is no such secret.
            Forbidden: the actor does not administer every pipeline that may read it.
        """
        _require_admin_of(actor, self._get(key).pipelines)
        self._store.delete(key, actor=actor, at=self._clock.now())

    def versions(self, key: str, *, actor: Actor) -> Sequence[SecretVersion]:
        """Every version, newest first, without values.

        Raises:
            UnknownSecret: there is no such secret, or none of the actor's pipelines may read it.
        """
        if not _is_seen_by(actor, self._get(key)):
            raise _unknown(key)
        return self._store.load_versions(key)

    def current_versions(self, pipeline_name: str, keys: Collection[str]) -> dict[str, int]:
        """The versions that a run submitted now is given.

        Raises:
            UnknownSecret: some do not exist; names them.
            SecretNotAllowed: some may not be read by this pipeline; names them.
        """
        known = self._allowed(pipeline_name, keys)
        return {key: known[key].version for key in keys}

    def reveal(self, pipeline_name: str, versions: Mapping[str, int]) -> Revealed:
        """The values of exactly these versions, for the launch of a run.

        Raises:
            UnknownSecret: some do not exist any more; names them.
            SecretNotAllowed: some may not be read by this pipeline (any more); names them.
            WrongEncryptionKey: some cannot be decrypted; names them.
        """
        known = self._allowed(pipeline_name, versions)
        ciphertexts = self._store.load_ciphertexts(versions)
        missing = {key: version for key, version in versions.items() if key not in ciphertexts}
        if missing:
            told = ", ".join(f"{key} version {version}" for key, version in missing.items())
            raise UnknownSecret(
                f"These versions of secrets do not exist any more: {told}.",
                fields={key: f"version {version} does not exist any more" for key, version in missing.items()},
            )
        opened = {key: self._cipher.decrypt(ciphertexts[key]) for key in versions}
        values = {key: value.reveal() for key, value in opened.items() if value is not None}
        if len(values) < len(opened):
            raise self._wrong_key([key for key in opened if key not in values], len(opened))
        masked = tuple(values[key] for key in versions if not known[key].is_parameter)
        return Revealed(values=values, masked=masked)

    def reveal_to_server(self, key: str) -> SecretText:
        """The current value of a secret that is the server's own: one that no pipeline may read.

        Raises:
            UnknownSecret: there is no such secret.
            SecretNotAllowed: pipelines may read it, and with it what the server alone is to be trusted with.
            WrongEncryptionKey: it cannot be decrypted.
        """
        known = self._get(key)
        if known.is_parameter or known.pipelines != ():
            raise SecretNotAllowed(
                f"Pipelines may read {key}, so it cannot be the server's own.",
                hint=f"Keep it from them: `PUT /secrets/{key}` with `pipelines`: [], or delete it and set it with "
                "`fastflow secrets set KEY --server-only`.",
                fields={"key": "may be read by pipelines"},
            )
        text = self._store.load_ciphertexts({key: known.version}).get(key)
        value = None if text is None else self._cipher.decrypt(text)
        if value is None:
            raise self._wrong_key([key], 1)
        return value

    def verify_key(self) -> None:
        """Prove, at the start, that the current value of every secret can be decrypted, and what other rooms keep.

        Raises:
            WrongEncryptionKey: some cannot; names them and the remedy.
        """
        unreadable: list[str] = []
        checked, after = 0, ""
        while found := self._store.load(after_key=after, limit=_BATCH):
            after = found[-1].key
            ciphertexts = self._store.load_ciphertexts({secret.key: secret.version for secret in found})
            checked += len(ciphertexts)
            unreadable += [key for key, text in ciphertexts.items() if self._cipher.decrypt(text) is None]
        for holder in self._holders:
            held = holder.load_ciphertexts()
            checked += len(held)
            unreadable += [label for label, text in held.items() if self._cipher.decrypt(text) is None]
        if unreadable:
            raise self._wrong_key(sorted(unreadable), checked)

    def rotate(self, *, actor: Actor) -> Rotation:
        """Encrypt every version anew that is not under the first key, in batches.

        May be stopped and repeated at any moment: what is done stays done. When it has come to its end the former keys
        are needed no more.

        Raises:
            WrongEncryptionKey: a version cannot be decrypted; all before it are done.
        """
        checked = encrypted_anew = 0
        after = ("", 0)
        while batch := self._store.load_batch(after, _BATCH):
            after = (batch[-1].key, batch[-1].version)
            changed = []
            for old in batch:
                if self._cipher.is_current(old.text):
                    continue
                value = self._cipher.decrypt(old.text)
                if value is None:
                    raise self._wrong_key([f"{old.key} version {old.version}"], checked + len(batch))
                changed.append((old, self._cipher.encrypt(value)))
            checked += len(batch)
            if changed:
                encrypted_anew += self._store.replace(changed)
        for holder in self._holders:
            for label, text in holder.load_ciphertexts().items():
                checked += 1
                encrypted_anew += self._renew(holder, label, text, checked)
        self._store.note_rotation(checked=checked, encrypted_anew=encrypted_anew, actor=actor, at=self._clock.now())
        return Rotation(checked=checked, encrypted_anew=encrypted_anew)

    def _renew(self, holder: CiphertextHolder, label: str, text: str, checked: int) -> bool:
        if self._cipher.is_current(text):
            return False
        value = self._cipher.decrypt(text)
        if value is None:
            raise self._wrong_key([label], checked)
        return holder.replace_ciphertext(label, text, self._cipher.encrypt(value))

    def _prove_key(self) -> None:
        """Before anything is encrypted: servers that share a database but not the key must not mix two."""
        first = self._store.load(after_key="", limit=1)
        ciphertexts = self._store.load_ciphertexts({secret.key: secret.version for secret in first})
        foreign = [key for key, text in ciphertexts.items() if self._cipher.decrypt(text) is None]
        if foreign:
            raise self._wrong_key(foreign, len(first))

    def _get(self, key: str) -> Secret:
        known = self._store.find([key]) if key.isprintable() else {}
        if key not in known:
            raise _unknown(key)
        return known[key]

    def _allowed(self, pipeline_name: str, keys: Collection[str]) -> Mapping[str, Secret]:
        known = self._store.find(keys)
        missing = [key for key in keys if key not in known]
        if missing:
            raise UnknownSecret(
                f"The pipeline {pipeline_name!r} needs secrets that do not exist: {', '.join(missing)}.",
                fields=dict.fromkeys(missing, "does not exist"),
            )
        refused = [key for key in keys if not known[key].allows(pipeline_name)]
        if refused:
            raise SecretNotAllowed(
                f"The pipeline {pipeline_name!r} may not read: {', '.join(refused)}.",
                fields=dict.fromkeys(refused, f"is not allowed for {pipeline_name}"),
            )
        return known

    def _with_parameter_values(self, secrets: Sequence[Secret]) -> Sequence[Secret]:
        wanted = {secret.key: secret.version for secret in secrets if secret.is_parameter}
        ciphertexts = self._store.load_ciphertexts(wanted)
        opened = {key: self._cipher.decrypt(text) for key, text in ciphertexts.items()}
        return [replace(secret, value=opened.get(secret.key)) for secret in secrets]

    def _wrong_key(self, keys: Sequence[str], checked: int) -> WrongEncryptionKey:
        named = ", ".join(keys[:5]) + (f" and {len(keys) - 5} more" if len(keys) > 5 else "")
        return WrongEncryptionKey(
            f"{len(keys)} of {checked} secrets cannot be decrypted with {self._cipher.describe()}: {named}.",
            hint="Set ENCRYPTION_KEY to the key they were encrypted with (several are separated by commas), or put the "
            "key file back from a backup. If that key is lost, delete what is named, with `fastflow secrets rm KEY`, "
            "`fastflow channels rm NAME` or `fastflow webhooks rm`.",
            fields={"ENCRYPTION_KEY": "does not fit what the database holds"},
        )


def _is_seen_by(actor: Actor, secret: Secret) -> bool:
    return actor.reach() is None or secret.pipelines is None or any(map(actor.may_touch, secret.pipelines))


def _as_seen_by(actor: Actor, secret: Secret) -> Secret:
    """Without the names of pipelines that the actor may not know."""
    if secret.pipelines is None or actor.reach() is None:
        return secret
    return replace(secret, pipelines=tuple(filter(actor.may_touch, secret.pipelines)))


def _require_admin_of(actor: Actor, pipelines: Collection[str] | None) -> None:
    """Whoever administers some pipelines decides about what these alone may read."""
    if actor.reach(Role.ADMIN) is None:
        return
    if pipelines and all(actor.may_touch(name, Role.ADMIN) for name in pipelines):
        return
    raise Forbidden(
        f"{actor.name} does not administer every pipeline that may read this secret.",
        code="secret_beyond_grant",
        hint="Limit it (`pipelines`) to pipelines that you administer, or ask an administrator of everything.",
    )


def _unknown(key: str) -> UnknownSecret:
    return UnknownSecret(f"There is no secret {key[:80]!r}.")


def _nothing_to_change() -> InvalidInput:
    return InvalidInput(
        "There is nothing to change.",
        code="empty_change",
        hint="Send `value`, `pipelines` or both.",
        fields={"value": "is missing", "pipelines": "is missing"},
    )

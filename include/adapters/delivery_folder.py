"""The folder of one delivery: is it all there, and what is in it.

Each file is read once, from a descriptor that follows no link, and what was read is what is
checked and kept: a file that is changed afterwards changes nothing.
"""

from __future__ import annotations

import errno
import hashlib
import json
import os
import secrets
import shutil
import stat
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from include.adapters.delivery_signature import (
    SignedStatement,
    read_envelope,
    read_stated,
    verify_statement,
)
from include.adapters.import_rows import MIB
from include.rsp.canonical import digest_bytes
from include.rsp.delivered import (
    FILE_NAME,
    MOST_FILES,
    SIGNATURE,
    STATEMENT,
    DeliveredFile,
    DeliveredResults,
)
from include.rsp.errors import InvalidDocument, Refused, StoreUnavailable
from include.rsp.records import TrustRoot

MOST_STATEMENT_BYTES = MIB
MOST_FILE_BYTES = 512 * MIB
MOST_BYTES = 1024 * MIB


@dataclass(frozen=True, slots=True)
class SignedResults:
    """A delivery whose signature and files were checked; `files` by their names."""

    name: str
    signed: SignedStatement
    files: Mapping[str, bytes]

    @property
    def stated(self) -> DeliveredResults:
        """What its producer states."""
        return self.signed.stated


def read_delivery(folder: Path, trust: TrustRoot | None) -> SignedResults:
    """The delivery in a folder.

    It is taken only if (1) the statement is there, and a key of the trust root with the role
    `evaluator` signed it; (2) nothing lies there that it does not list; (3) every listed file is
    there, and is what it says.

    Raises:
        Refused: a file is missing (`missing_file`), too large (`too_large`), longer or shorter or
            other than listed (`wrong_digest`), not listed (`unlisted_file`), no plain file
            (`odd_file`); the folder is none (`odd_folder`); or the signature is none that counts
            (`bad_signature`, `other_statement`).
        InvalidDocument: statement or signature does not read.
        StoreUnavailable: the folder cannot be read.
    """
    try:
        opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC)
    except OSError as error:
        if error.errno == errno.EIO:
            raise StoreUnavailable(f"{folder} cannot be read: {error.strerror}.") from error
        raise Refused(
            "odd_folder", f"{folder.name} cannot be read: {error.strerror} (expected a folder)."
        ) from error
    try:
        content = _read(opened, STATEMENT, MOST_STATEMENT_BYTES)
        envelope = read_envelope(
            _read(opened, SIGNATURE, MOST_STATEMENT_BYTES), where=f"{folder.name}/{SIGNATURE}"
        )
        signed = verify_statement(content, envelope, trust)  # (1)
        _check_names(os.listdir(opened), {one.name for one in signed.stated.files})  # (2)
        files = {one.name: _checked(opened, one) for one in _within_bounds(signed.stated)}  # (3)
    finally:
        os.close(opened)
    return SignedResults(folder.name, signed, files)


def _within_bounds(stated: DeliveredResults) -> list[DeliveredFile]:
    size = sum(one.bytes for one in stated.files)
    if size > MOST_BYTES:
        raise Refused("too_large", f"The files have {size} bytes (at most {MOST_BYTES} in all).")
    return stated.files


def _check_names(there: list[str], listed: set[str]) -> None:
    extra = sorted(set(there) - listed - {STATEMENT, SIGNATURE})
    if extra:
        raise Refused(
            "unlisted_file",
            f"{extra[0]!r} lies in the folder and is not listed in {STATEMENT} (listed are "
            f"{sorted(listed)[:10]}). List it, as an attachment perhaps, and sign anew.",
        )


def _checked(folder: int, listed: DeliveredFile) -> bytes:
    content = _read(folder, listed.name, MOST_FILE_BYTES)
    if (len(content), digest_bytes(content)) != (listed.bytes, listed.sha256):
        raise Refused(
            "wrong_digest",
            f"{listed.name} has {len(content)} bytes and the digest {digest_bytes(content)} "
            f"(expected {listed.bytes} and {listed.sha256}, by its statement). Copy it again, or "
            "sign anew.",
        )
    return content


def _read(folder: int, name: str, most: int) -> bytes:
    flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC
    try:
        opened = os.open(name, flags, dir_fd=folder)
    except FileNotFoundError as error:
        raise Refused("missing_file", f"{name} is not there. Deliver it as well.") from error
    except OSError as error:
        raise Refused(
            "odd_file", f"{name} cannot be read: {error.strerror} (expected a plain file)."
        ) from error
    if not stat.S_ISREG(os.fstat(opened).st_mode):
        os.close(opened)
        raise Refused("odd_file", f"{name} is no plain file. Deliver the file itself.")
    with os.fdopen(opened, "rb") as file:
        content = file.read(most + 1)
    if len(content) > most:
        raise Refused("too_large", f"{name} has more than {most} bytes.")
    return content


def is_ready(folder: Path) -> bool:
    """Whether all that the statement lists has arrived, by name and size alone: a few stat calls.

    A statement that does not read is ready too: to be refused, with the reason.
    """
    try:
        if not (folder / SIGNATURE).is_file():
            return False
        with (folder / STATEMENT).open("rb") as file:
            content = file.read(MOST_STATEMENT_BYTES + 1)
    except OSError:
        return False
    try:
        listed = read_stated(content).files
    except InvalidDocument:
        return True
    return all(_size(folder / one.name) == one.bytes for one in listed)


def _size(path: Path) -> int | None:
    try:
        return path.lstat().st_size
    except OSError:
        return None


def fingerprint(folder: Path) -> str:
    """What stands for the folder's present content, from names, sizes and times of change."""
    try:
        with os.scandir(folder) as found:
            seen = sorted(
                (one.name, about.st_size, about.st_mtime_ns)
                for one in found
                if (about := one.stat(follow_symlinks=False))
            )
    except OSError:
        seen = []
    return f"{folder.name}:{hashlib.sha256(repr(seen).encode()).hexdigest()[:16]}"


def measured(folder: Path, draft: bytes) -> dict[str, object]:
    """A draft of a statement, with the size and digest of every file filled in that lacks them.

    Raises:
        InvalidDocument: the draft is no JSON object, or its `files` are no list of objects.
        Refused: a file is not there, is no plain file, is another than the draft says, or lies
            there and is not listed.
    """
    try:
        plain = json.loads(draft)
        files = plain["files"]
        names = [one["name"] for one in files]
    except (ValueError, KeyError, TypeError) as error:
        raise InvalidDocument(
            f"{folder / STATEMENT} is no draft of a statement: {error!r} (expected a JSON object "
            "whose files have names and kinds). docs/importing-results.md shows one."
        ) from error
    if len(names) > MOST_FILES or not all(
        isinstance(one, str) and FILE_NAME.fullmatch(one) for one in names
    ):
        raise InvalidDocument(f"The files are {names[:10]} (expected at most {MOST_FILES} names).")
    opened = os.open(folder, os.O_RDONLY | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _check_names(os.listdir(opened), set(names))
        for one in files:
            _measure(opened, one)
    finally:
        os.close(opened)
    return dict(plain)


def _measure(folder: int, one: dict[str, object]) -> None:
    """Fill in the size and digest of one file."""
    content = _read(folder, str(one["name"]), MOST_FILE_BYTES)
    found: dict[str, object] = {"sha256": digest_bytes(content), "bytes": len(content)}
    said = {name: one[name] for name in found if name in one}
    if said != {name: found[name] for name in said}:
        raise Refused(
            "wrong_digest",
            f"{one['name']} is {found} ({STATEMENT} says {said}). Deliver the file that was meant, "
            "or leave sha256 and bytes out to have them measured.",
        )
    one.update(found)


def copy_whole(folder: Path, inbox: Path) -> Path:
    """Copy a delivery into an inbox; it appears there whole, or not at all.

    Raises:
        Refused: one of that name is there already (`already_there`).
        StoreUnavailable: it cannot be copied.
    """
    target = inbox / folder.name
    beside = inbox / f".{folder.name}.{secrets.token_hex(4)}"
    if target.exists():
        raise Refused("already_there", f"{target} is there already. Deliver under another name.")
    try:
        shutil.copytree(folder, beside, symlinks=True)
        beside.rename(target)
    except OSError as error:
        shutil.rmtree(beside, ignore_errors=True)
        raise StoreUnavailable(f"Could not deliver to {target}: {error}") from error
    return target

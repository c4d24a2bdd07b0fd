"""Probes that read files: a configured limit, a signed artifact."""

from __future__ import annotations

import hashlib
import json
import os
import time
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    PublicFormat,
    load_pem_private_key,
)
from securesystemslib import dsse
from securesystemslib.signer import CryptoSigner

from include.adapters.probe_runner import run_probes
from include.adapters.probes.artifact import signature
from include.adapters.probes.configured_limit import egress_limit
from include.adapters.probing import Look, Seen
from include.rsp.attestation import PAYLOAD_TYPE
from include.rsp.errors import InvalidDocument
from tests.support.probing import planned

TC = [
    {"kind": "tbf", "dev": "eth0", "options": {"rate": 125_000, "burst": 1600}},
    {"kind": "tbf", "dev": "eth1", "options": {"rate": 250_000, "burst": 1600}},
]
"""The shape of what `tc -json qdisc show` prints: rates are bytes in a second."""


class TestLimit:
    """The limit of the bandwidth out."""

    @pytest.fixture(autouse=True)
    def folder(self, tmp_path: Path) -> None:
        self.path = tmp_path / "egress.json"

    def look(self, content: Any, **changed: Any) -> Seen:
        path = self.path.with_suffix(changed.pop("suffix", ".json"))
        path.write_text(content if isinstance(content, str) else json.dumps(content))
        plain = {
            "path": str(path), "pointer": "/egress/limit", "unit": "Mbit/s", "at_most": 10.0,
            **changed,
        }  # fmt: skip
        return egress_limit(Look(settings={k: v for k, v in plain.items() if v is not None}))

    @pytest.mark.parametrize("limit", [10, 0.5, "10 Mbit/s", "9.5Mbit/s", 1e-3])
    def test_a_limit_that_is_low_enough_is_shown(self, limit: Any) -> None:
        seen = self.look({"egress": {"limit": limit}})
        assert seen.shows, seen.statement

    @pytest.mark.parametrize(
        ("limit", "says"),
        [
            (10.001, "the limit is 10.001 Mbit/s"),
            (0, "0 means unlimited"),
            ("0 Mbit/s", "0 means unlimited"),
            (-1, "-1 is no limit"),
            (None, "there is none"),
            (True, "a bool is no number"),
            ([5], "a list is no number"),
            ("5", "no number with a unit"),
            ("unlimited", "no number with a unit"),
            ("-5 Mbit/s", "no number with a unit"),
            ("5 mbit/s", "it stands in mbit/s, not in Mbit/s"),
            ("5 MB/s", "it stands in MB/s"),
            (10**400, "is no limit"),
        ],
    )
    def test_one_that_is_not_is_not(self, limit: Any, says: str) -> None:
        seen = self.look({"egress": {"limit": limit}})
        assert not seen.shows
        assert says in seen.statement

    @pytest.mark.parametrize(
        "content",
        ["", "{", '{"egress": {"limit": NaN}}', '{"egress": {"limit": 99, "limit": 5}}',
         '{"egress": {}}', "[]", "5", '{"egress": {"limit": 1e999}}', "[" * 100_000],
    )  # fmt: skip
    def test_a_file_that_does_not_say_it_shows_nothing(self, content: str) -> None:
        assert not self.look(content).shows

    def test_yaml_is_read_as_policies_are(self) -> None:
        assert self.look("egress:\n  limit: 5\n", suffix=".yaml").shows
        assert not self.look("egress:\n  limit: 5\n  limit: 6\n", suffix=".yaml").shows
        assert not self.look("egress:\n  limit: .nan\n", suffix=".yaml").shows
        assert not self.look("egress:\n  limit: .inf\n", suffix=".yaml").shows

    def test_every_interface_of_tc_needs_one(self) -> None:
        tc = {"pointer": "/*/options/rate", "unit": "B/s", "at_most": 250_000.0}
        assert self.look(TC, **tc).shows
        assert not self.look(TC, **{**tc, "at_most": 200_000.0}).shows
        assert self.look(TC, **{**tc, "pointer": "/0/options/rate", "at_most": 200_000.0}).shows
        free = [*TC, {"kind": "fq_codel", "dev": "eth2", "options": {"limit": 10240}}]
        assert "there is none" in self.look(free, **tc).statement
        assert "there is none" in self.look([], **tc).statement

    def test_the_unit_that_the_file_names_has_to_be_the_expected_one(self) -> None:
        named = {"egress": {"limit": 5, "unit": "Mbit/s"}}
        assert self.look(named, unit_pointer="/egress/unit").shows
        for wrong in ({"limit": 5, "unit": "MB/s"}, {"limit": 5}):
            seen = self.look({"egress": wrong}, unit_pointer="/egress/unit")
            assert not seen.shows
            assert "the unit at '/egress/unit' is" in seen.statement

    def test_a_file_that_is_too_old_shows_nothing(self) -> None:
        good = {"egress": {"limit": 5}}
        assert self.look(good, max_age_seconds=60.0).shows
        os.utime(self.path, (time.time() - 61,) * 2)
        aged = {"path": str(self.path), "pointer": "/egress/limit", "unit": "Mbit/s",
                "at_most": 10.0, "max_age_seconds": 60.0}  # fmt: skip
        seen = egress_limit(Look(settings=aged))
        assert not seen.shows
        assert "written 61 s ago" in seen.statement

    def test_no_file_a_folder_and_one_that_never_ends_show_nothing(self, tmp_path: Path) -> None:
        os.mkfifo(tmp_path / "pipe.json")
        asked = {"pointer": "", "unit": "B/s", "at_most": 1.0}
        paths = {"none": "No such file", ".": "Is a directory", "pipe.json": "did not answer"}
        ran = run_probes(
            [planned("config.egress-limit", seconds=1.5, path=str(tmp_path / one), **asked)
             for one in paths]
        )  # fmt: skip
        for one, says in zip(ran, paths.values(), strict=True):
            assert not one.seen.shows
            assert says in one.seen.statement

    @pytest.mark.parametrize(
        ("changed", "says"),
        [
            ({"unit": "Mbit"}, "unit is 'Mbit'"),
            ({"unit": None}, "'unit' is None"),
            ({"at_most": 0.0}, "above 0"),
            ({"at_most": float("nan")}, "above 0"),
            ({"at_most": None}, "'at_most' is None"),
            ({"pointer": "limit"}, "no JSON pointer"),
            ({"pointer": None}, "'pointer' is None"),
            ({"atmost": 1.0}, "does not know"),
        ],
    )
    def test_a_wrong_setting_is_refused(self, changed: dict[str, Any], says: str) -> None:
        with pytest.raises(InvalidDocument, match=says):
            self.look({"egress": {"limit": 5}}, **changed)


PROVENANCE = "https://slsa.dev/provenance/v1"


class TestSignature:
    """The signature of an artifact."""

    @pytest.fixture(autouse=True)
    def artifact(self, tmp_path: Path) -> None:
        self.folder = tmp_path
        self.subject = tmp_path / "weights.bin"
        self.subject.write_bytes(b"weights" * 1000)
        self.signer = CryptoSigner.generate_ed25519()
        self.write_key(self.signer)

    def write_key(self, signer: CryptoSigner) -> None:
        public = load_pem_private_key(signer.private_bytes, None).public_key()
        pem = public.public_bytes(Encoding.PEM, PublicFormat.SubjectPublicKeyInfo)
        (self.folder / "key.pem").write_bytes(pem)

    def statement(self, **changed: Any) -> dict[str, Any]:
        digest = hashlib.sha256(self.subject.read_bytes()).hexdigest()
        return {
            "_type": "https://in-toto.io/Statement/v1",
            "subject": [{"name": "weights.bin", "digest": {"sha256": digest}}],
            "predicateType": PROVENANCE,
            "predicate": {},
            **changed,
        }

    def sign(
        self, said: Any, *signers: CryptoSigner, kind: str = PAYLOAD_TYPE, keyid: str | None = None
    ) -> dict[str, Any]:
        payload = said if isinstance(said, bytes) else json.dumps(said).encode()
        envelope = dsse.Envelope(payload, kind, {})
        for one in signers or (self.signer,):
            envelope.sign(one)
        plain: dict[str, Any] = envelope.to_dict()
        if keyid is not None:
            plain["signatures"][0]["keyid"] = keyid
        return plain

    def settings(self, **changed: Any) -> dict[str, Any]:
        return {
            "attestation": str(self.folder / "attestation.json"),
            "public_key": str(self.folder / "key.pem"),
            "predicate_type": PROVENANCE,
            "subject": str(self.subject),
            **changed,
        }

    def look(self, envelope: Any, **changed: Any) -> Seen:
        text = envelope if isinstance(envelope, str) else json.dumps(envelope)
        (self.folder / "attestation.json").write_text(text)
        return signature(Look(settings=self.settings(**changed)))

    @pytest.mark.parametrize("make", ["generate_ed25519", "generate_ecdsa", "generate_rsa"])
    def test_a_file_that_the_key_signed_is_shown(self, make: str) -> None:
        signer: CryptoSigner = getattr(CryptoSigner, make)()
        self.write_key(signer)
        seen = self.look(self.sign(self.statement(), signer))
        assert seen.shows, seen.statement
        assert seen.raw["sha256"] == hashlib.sha256(self.subject.read_bytes()).hexdigest()

    def test_key_ids_and_the_signatures_of_others_do_not_matter(self) -> None:
        other = CryptoSigner.generate_ed25519()
        assert self.look(self.sign(self.statement(), keyid="")).shows
        assert self.look(self.sign(self.statement(), keyid="cosign")).shows
        assert self.look(self.sign(self.statement(), other, self.signer)).shows
        another = self.statement()
        another["subject"].insert(0, {"name": "x", "digest": {"sha256": "0" * 64}})
        assert self.look(self.sign(another)).shows

    def test_one_byte_more_or_less_is_another_file(self) -> None:
        good = self.sign(self.statement())
        for content in (b"weights" * 1000 + b"x", b"", b"weights" * 999):
            self.subject.write_bytes(content)
            seen = self.look(good)
            assert not seen.shows
            assert "about other bytes" in seen.statement

    def test_another_key_s_signature_is_none(self) -> None:
        other = CryptoSigner.generate_ed25519()
        forged = self.sign(self.statement(), other, keyid=self.signer.public_key.keyid)
        for envelope in (self.sign(self.statement(), other), forged):
            seen = self.look(envelope)
            assert not seen.shows
            assert "none of its 1 signatures is of the key" in seen.statement

    def test_a_changed_statement_and_one_of_another_kind_show_nothing(self) -> None:
        changed = {**self.sign(self.statement()), "payload": self.sign({"a": 1})["payload"]}
        assert "none of its 1" in self.look(changed).statement
        for said, says in (
            (self.statement(predicateType="https://x/1"), "is a 'https://x/1'"),
            (self.statement(_type="https://x/Statement"), "https://x/Statement"),
            (self.statement(subject=[]), "about other bytes"),
            (self.statement(subject=[{"name": "weights.bin", "digest": {}}]), "about other bytes"),
            (self.statement(subject=None), "no in-toto statement"),
            (b"not JSON", "no in-toto statement"),
            ([], "no in-toto statement"),
        ):
            seen = self.look(self.sign(said))
            assert not seen.shows
            assert says in seen.statement

    @pytest.mark.parametrize(
        "envelope",
        ["", "[]", "{}", "{", '{"payload": "", "payloadType": "", "signatures": []}',
         {"payload": "e30=", "payloadType": PAYLOAD_TYPE, "signatures": []},
         {"payload": "e30=", "payloadType": PAYLOAD_TYPE, "signatures": [{"keyid": ""}]},
         {"payload": "e30=", "payloadType": PAYLOAD_TYPE, "signatures": [{"sig": "*"}]},
         {"payload": "*", "payloadType": PAYLOAD_TYPE, "signatures": [{"sig": "e30="}]}],
    )  # fmt: skip
    def test_what_is_no_envelope_shows_nothing(self, envelope: Any) -> None:
        seen = self.look(envelope)
        assert not seen.shows
        assert "no DSSE envelope" in seen.statement

    def test_another_payload_type_shows_nothing(self) -> None:
        assert "no in-toto" in self.look(self.sign(self.statement(), kind="text/plain")).statement

    def test_files_that_are_not_there_or_never_end_show_nothing(self) -> None:
        good = self.sign(self.statement())
        os.mkfifo(self.folder / "pipe")
        for name in ("attestation", "public_key", "subject"):
            for path in (self.folder / "none", self.folder, self.folder / "pipe"):
                seen = self.look(good, **{name: str(path)})
                assert not seen.shows
                assert "is no file" in seen.statement

    @pytest.mark.parametrize("pem", [b"", b"x", b"-----BEGIN PUBLIC KEY-----\n"])
    def test_what_is_no_key_shows_nothing(self, pem: bytes) -> None:
        (self.folder / "key.pem").write_bytes(pem)
        assert "no public key" in self.look(self.sign(self.statement())).statement

    def test_it_runs_in_a_process_of_its_own(self) -> None:
        assert self.look(self.sign(self.statement())).shows
        good, bad = run_probes(
            [planned("artifact.signature", **self.settings(**one))
             for one in ({}, {"predicate_type": "https://x/1"})]
        )  # fmt: skip
        assert good.seen.shows
        assert not bad.seen.shows

    def test_a_wrong_setting_is_refused(self) -> None:
        with pytest.raises(InvalidDocument, match="does not know"):
            self.look("", threshold=1.0)
        with pytest.raises(InvalidDocument, match="'subject' is None"):
            signature(Look(settings={k: v for k, v in self.settings().items() if k != "subject"}))

"""Answers that look right and are not: each must be rejected, and for the right reason. No host runs here.

The golden vectors come from shared/tests/vectors. The other forgeries are signed with the keys of a host that holds a
certificate of its own: what an attacker could do who operates one.
"""

import unittest
from pathlib import Path

import verify
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from kms_client import fingerprint_of, public_key
from verify import ACCEPTED, BELIEVED, DAY, Rejected, answer_pb, ask_pb, certificate_pb, signed_pb

VECTORS = Path(__file__).resolve().parents[2] / "shared" / "tests" / "vectors"
NOW = 1_800_000_000_000
ROOT, ISSUER, HOST, OTHER = (Ed25519PrivateKey.from_private_bytes(bytes([n]) * 32) for n in (1, 2, 3, 4))
PRODUCT, OTHER_PRODUCT, MACHINE, ORGANISATION = (bytes([n]) * 16 for n in (10, 11, 12, 13))


def sign(kind: str, message, key: Ed25519PrivateKey):
    name, payload = f"kms.{kind}.v1", message.SerializeToString()
    signature = key.sign(verify.dsse(name, payload))
    return signed_pb.Signed(
        payload_type=name, payload=payload, key_id=verify.key_id(public_key(key)), signature=signature
    )


def policy(**changed):
    numbers = {
        "validity_ms": 180 * DAY, "renew_interval_ms": 7 * DAY, "retry_interval_ms": DAY // 12, "renew_retry_ms": DAY // 12,
        "renew_retry_max_ms": DAY, "count_window_ms": 30 * DAY, "threshold": 25, "expiry_warning_ms": 30 * DAY,
        "clock_tolerance_ms": DAY // 6,
    }  # fmt: skip
    return certificate_pb.Policy(**(numbers | changed))


def certificate(**changed):
    values = {
        "id": bytes(16), "signing_key": public_key(HOST), "product": PRODUCT, "not_before": NOW - DAY,
        "organisation": certificate_pb.Organisation(id=ORGANISATION, name="Example Works"), "not_after": NOW + DAY,
        "policy": policy(),
    }  # fmt: skip
    return certificate_pb.HostCertificate(**(values | changed))


def chain(host=None, issuing=None, root=ROOT) -> bytes:
    host = host or certificate()
    if not issuing:
        return certificate_pb.Chain(host_certificate=sign("host-certificate", host, root)).SerializeToString()
    return certificate_pb.Chain(
        host_certificate=sign("host-certificate", host, ISSUER),
        issuing_certificate=sign("issuing-certificate", issuing, root),
    ).SerializeToString()


def issuing(**changed):
    values = {"id": bytes(16), "public_key": public_key(ISSUER), "not_before": NOW - DAY, "not_after": NOW + DAY}
    return certificate_pb.IssuingCertificate(**(values | changed))


def ask(**changed):
    values = {
        "product": PRODUCT,
        "nonce": bytes(16),
        "serial": 4,
        "fingerprint": b"f" * 16,
        "kind": ask_pb.ASK_KIND_ACTIVATE,
    }
    return ask_pb.Ask(**(values | changed))


def header(**changed):
    values = {
        "machine": MACHINE, "product": PRODUCT, "nonce": bytes(16), "serial": 5, "host_time": NOW, "ledger": bytes(16),
        "host": verify.derived_id("host", public_key(HOST)),
    }  # fmt: skip
    return answer_pb.Header(**(values | changed))


def lease(header, **changed):
    values = {
        "header": header, "expires_at": NOW + 180 * DAY, "renew_after": NOW + 7 * DAY, "threshold_met_at": NOW,
        "count": 25, "threshold": 25, "fingerprint": b"f" * 16,
    }  # fmt: skip
    return answer_pb.Lease(**(values | changed))


def outcome(signed, encoded: bytes, now: int = NOW, organisation: bytes = ORGANISATION, asked=None, roots=None) -> str:
    """What a client makes of an answer: `accepted`, `believed`, or the code for which it is rejected."""
    try:
        opened = verify.open_chain(encoded, roots or [public_key(ROOT)])
        answer = verify.open_answer(signed, opened)
        return verify.judge(answer, asked or ask(), MACHINE, opened, organisation, now)
    except Rejected as rejected:
        return rejected.code


class Forgeries(unittest.TestCase):
    def lease(
        self, wanted: str, head=None, *, key=HOST, encoded=None, now=NOW, organisation=ORGANISATION, asked=None, **more
    ):
        signed = sign("lease", lease(header(**(head or {})), **more), key)
        self.assertEqual(outcome(signed, encoded or chain(), now, organisation, asked), wanted)

    def test_what_is_right_is_accepted(self):
        self.lease(ACCEPTED)
        self.lease(ACCEPTED, organisation=b"")
        self.lease(ACCEPTED, encoded=chain(issuing=issuing()))
        self.lease(ACCEPTED, encoded=chain(issuing=issuing(products=[OTHER_PRODUCT, PRODUCT])))
        self.lease(ACCEPTED, encoded=chain(certificate(test=True), issuing(test=True)))

    def test_a_host_speaks_for_no_other_product(self):
        self.lease("ANSWER_MISMATCH", encoded=chain(certificate(product=OTHER_PRODUCT)))

    def test_a_host_speaks_for_no_other_host(self):
        self.lease("ANSWER_MISMATCH", {"host": verify.derived_id("host", public_key(OTHER))})
        self.lease("UNTRUSTED", key=OTHER)

    def test_a_chain_ends_in_a_root_and_each_certificate_signs_what_it_may(self):
        self.lease("UNTRUSTED", encoded=chain(root=OTHER))
        self.lease("UNTRUSTED", encoded=chain(issuing=issuing(), root=OTHER))
        self.lease("UNTRUSTED", encoded=chain(issuing=issuing(products=[OTHER_PRODUCT])))
        self.lease("UNTRUSTED", encoded=chain(issuing=issuing(test=True)))
        self.lease("UNTRUSTED", encoded=chain(certificate(signing_key=b"\1" + bytes(31))))

    def test_a_certificate_has_its_form(self):
        self.lease("UNTRUSTED", encoded=chain(certificate(id=b"short")))
        self.lease("UNTRUSTED", encoded=chain(issuing=issuing(id=b"short")))
        self.lease("UNTRUSTED", encoded=chain(issuing=issuing(products=[b"short", PRODUCT])))
        as_issuing = certificate_pb.Chain(
            host_certificate=sign("host-certificate", certificate(), ISSUER),
            issuing_certificate=sign("host-certificate", issuing(), ROOT),
        )
        self.lease("UNTRUSTED", encoded=as_issuing.SerializeToString())

    def test_an_envelope_has_its_form(self):
        for field, value in (("key_id", b"short"), ("signature", b"short"), ("payload_type", "kms.ask.v1")):
            signed = sign("lease", lease(header()), HOST)
            setattr(signed, field, value)
            self.assertEqual(outcome(signed, chain()), "ANSWER_MISMATCH")
        signed = sign("lease", lease(header()), HOST)
        signed.key_id = verify.key_id(public_key(OTHER))
        self.assertEqual(outcome(signed, chain()), "UNTRUSTED")

    def test_an_unknown_bit_is_refused_wherever_it_stands(self):
        self.lease("NEWER_PROTOCOL", {"must_understand": 1})
        self.lease("NEWER_PROTOCOL", encoded=chain(certificate(must_understand=2)))
        self.lease("NEWER_PROTOCOL", encoded=chain(issuing=issuing(must_understand=4)))

    def test_numbers_out_of_bounds_are_refused(self):
        bad = [
            {"validity_ms": 400 * DAY + 1}, {"validity_ms": 0}, {"count_window_ms": 400 * DAY + 1}, {"threshold": 0},
            {"threshold": 1_000_001}, {"clock_tolerance_ms": DAY + 1}, {"renew_interval_ms": 30 * DAY},
            {"renew_retry_ms": 2 * DAY}, {"expiry_warning_ms": 180 * DAY}, {"retry_interval_ms": -1},
        ]  # fmt: skip
        for numbers in bad:
            with self.subTest(numbers):
                self.lease("UNTRUSTED", encoded=chain(certificate(policy=policy(**numbers))))

    def test_a_lease_keeps_to_the_numbers_of_its_certificate(self):
        self.lease("BEYOND_LIMITS", threshold=1)
        self.lease(ACCEPTED, expires_at=NOW + 180 * DAY)
        self.lease("BEYOND_LIMITS", expires_at=NOW + 180 * DAY + 1)
        self.lease("BEYOND_LIMITS", expires_at=NOW, renew_after=NOW)
        self.lease(ACCEPTED, renew_after=NOW)
        self.lease("BEYOND_LIMITS", renew_after=NOW - 1)
        self.lease("BEYOND_LIMITS", expires_at=NOW + DAY, renew_after=NOW + DAY + 1)
        self.lease("BEYOND_LIMITS", threshold_met_at=NOW - 30 * DAY)
        self.lease(ACCEPTED, threshold_met_at=NOW - 30 * DAY + 1)
        self.lease("BEYOND_LIMITS", threshold_met_at=NOW + DAY // 6 + 1)

    def test_a_certificate_is_valid_from_its_first_instant_to_the_one_before_its_end(self):
        self.lease(ACCEPTED, encoded=chain(certificate(not_before=NOW)))
        self.lease("ANSWER_OUT_OF_TIME", encoded=chain(certificate(not_before=NOW + 1)))
        self.lease(ACCEPTED, encoded=chain(certificate(not_after=NOW + 1)))
        self.lease("ANSWER_OUT_OF_TIME", encoded=chain(certificate(not_after=NOW)))
        self.lease("ANSWER_OUT_OF_TIME", encoded=chain(issuing=issuing(not_after=NOW)))

    def test_a_lease_answers_our_ask_and_no_other(self):
        for field in ("machine", "nonce"):
            self.lease("ANSWER_MISMATCH", {field: b"x" * 16})
        self.lease("ANSWER_MISMATCH", fingerprint=b"g" * 16)
        self.lease("ANSWER_MISMATCH", asked=ask(kind=ask_pb.ASK_KIND_RELEASE))
        self.lease("OTHER_ORGANISATION", organisation=b"o" * 16)
        tolerance = DAY // 6
        self.lease(ACCEPTED, now=NOW + tolerance)
        self.lease("ANSWER_OUT_OF_TIME", now=NOW + tolerance + 1)
        self.lease("ANSWER_OUT_OF_TIME", now=NOW - tolerance - 1)

    def test_the_serial_goes_up_and_not_too_far(self):
        self.lease("ANSWER_MISMATCH", {"serial": 4})
        self.lease(ACCEPTED, {"serial": 4 + 2**20})
        self.lease("ANSWER_MISMATCH", {"serial": 5 + 2**20})
        self.lease(ACCEPTED, {"serial": 2**62}, asked=ask(serial=2**62 - 1))
        self.lease("ANSWER_MISMATCH", {"serial": 2**62 + 1}, asked=ask(serial=2**62 - 1))

    def test_other_answers_are_accepted_believed_or_nothing(self):
        waiting = sign("waiting", answer_pb.Waiting(header=header(), count=1, threshold=25), HOST)
        refusal = sign("refusal", answer_pb.Refusal(header=header(serial=4), code="CLOCK_SKEW"), HOST)
        released = sign("released", answer_pb.Released(header=header()), HOST)
        release, late = ask(kind=ask_pb.ASK_KIND_RELEASE), NOW + DAY // 2
        self.assertEqual(outcome(waiting, chain()), ACCEPTED)
        self.assertEqual(outcome(waiting, chain(), now=late), BELIEVED)
        self.assertEqual(outcome(waiting, chain(certificate(not_after=NOW))), BELIEVED)
        self.assertEqual(outcome(waiting, chain(), asked=release), "ANSWER_MISMATCH")
        self.assertEqual(outcome(refusal, chain(), now=late), BELIEVED)
        self.assertEqual(outcome(refusal, chain(), asked=ask(nonce=b"x" * 16)), "ANSWER_MISMATCH")
        self.assertEqual(outcome(released, chain()), "ANSWER_MISMATCH")
        self.assertEqual(outcome(released, chain(), asked=release), ACCEPTED)
        self.assertEqual(outcome(released, chain(), asked=release, now=late), "ANSWER_OUT_OF_TIME")

    def test_a_signature_for_one_type_is_none_for_another(self):
        signed = sign("lease", lease(header()), HOST)
        signed.payload_type = "kms.released.v1"
        self.assertEqual(outcome(signed, chain(), asked=ask(kind=ask_pb.ASK_KIND_RELEASE)), "UNTRUSTED")


class GoldenVectors(unittest.TestCase):
    def vector(self, name: str) -> dict:
        lines = (VECTORS / f"{name}.txt").read_text(encoding="utf-8").splitlines()
        return dict(line.split(" = ", 1) for line in lines if " = " in line and not line.startswith("#"))

    def setUp(self):
        self.roots = [bytes.fromhex(self.vector("chain")["root"])]

    def judged(self, name: str) -> str:
        """The answer of a vector, to the ask that the good lease answers."""
        good, fields = self.vector("lease"), self.vector(name)
        of_good = answer_pb.Lease.FromString(signed_pb.Signed.FromString(bytes.fromhex(good["signed"])).payload)
        asked = ask(
            product=of_good.header.product, nonce=of_good.header.nonce, serial=of_good.header.serial - 1,
            fingerprint=of_good.fingerprint,
        )  # fmt: skip
        signed = signed_pb.Signed.FromString(bytes.fromhex(fields["signed"]))
        try:
            opened = verify.open_chain(bytes.fromhex(fields["chain"]), self.roots)
            answer = verify.open_answer(signed, opened)
            return verify.judge(answer, asked, of_good.header.machine, opened, b"", of_good.header.host_time)
        except Rejected as rejected:
            return rejected.code

    def test_the_fingerprint_is_that_of_protocol_md(self):
        fingerprint = fingerprint_of(bytes(range(16)), "8f3b1c7e5a2d4f60918273645546372a")
        self.assertEqual(fingerprint.hex(), "b569a5e12c242ea0c08cee36d61aa086")

    def test_the_good_ones_are_good(self):
        for name in ("chain", "chain-with-issuer"):
            fields = self.vector(name)
            opened = verify.open_chain(bytes.fromhex(fields["chain"]), self.roots)
            self.assertIn(verify.derived_id("host", opened.host.signing_key).hex(), fields["yields"])
        self.assertEqual(
            [self.judged(name) for name in ("lease", "waiting", "refusal")], [ACCEPTED, ACCEPTED, BELIEVED]
        )

    def test_the_bad_ones_are_rejected(self):
        chains = sorted(path.stem for path in VECTORS.glob("bad-chain-*.txt"))
        leases = sorted(path.stem for path in VECTORS.glob("bad-lease-*.txt"))
        self.assertGreater(min(len(chains), len(leases)), 5)
        for name in chains:
            with self.subTest(name), self.assertRaises(Rejected):
                verify.open_chain(bytes.fromhex(self.vector(name)["chain"]), self.roots)
        for name in leases:
            with self.subTest(name):
                self.assertNotIn(self.judged(name), (ACCEPTED, BELIEVED))

    def test_verification_is_strict(self):
        """The vectors of asks show it best: a key and an R of small order, and an S that is not the smallest."""
        for name in (
            "small-order-key",
            "small-order-r",
            "non-canonical-s",
            "flipped-signature",
            "other-signer",
            "type-signed",
        ):
            signed = signed_pb.Signed.FromString(bytes.fromhex(self.vector(f"bad-ask-{name}")["signed"]))
            key = ask_pb.Ask.FromString(signed.payload).machine_key
            with self.subTest(name), self.assertRaises(Rejected):
                verify.open_signed(signed, "kms.ask.v1", key, "MALFORMED")
        signed = signed_pb.Signed.FromString(bytes.fromhex(self.vector("ask")["signed"]))
        verify.open_signed(signed, "kms.ask.v1", ask_pb.Ask.FromString(signed.payload).machine_key, "MALFORMED")


if __name__ == "__main__":
    unittest.main()

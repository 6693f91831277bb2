"""What a client checks before it believes an answer: docs/protocol.md 1 and 2.

Nothing here reads a file or a socket. Each function returns what it has verified, or raises `Rejected`.
"""

import hashlib
import re
import sys
import time
from dataclasses import dataclass
from pathlib import Path

import grpc
from cryptography.exceptions import InvalidSignature
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from google.protobuf.message import DecodeError

# The messages are compiled from the .proto files when this module is imported.
sys.path.insert(0, str(Path(__file__).resolve().parents[2] / "proto"))
answer_pb, ask_pb, certificate_pb, signed_pb = (
    grpc.protos(f"kms/v1/{name}.proto") for name in ("answer", "ask", "certificate", "signed")
)

DAY = 24 * 60 * 60 * 1000
MAX_SERIAL_STEP = 2**20
MAX_SERIAL = 2**62

# Ed25519 points of small order, by their y coordinate. A signature by such a key holds for any message.
P = 2**255 - 19
SMALL_ORDER_Y = {0, 1, P - 1} | {
    int.from_bytes(bytes.fromhex(y), "little") & (2**255 - 1)
    for y in (
        "c7176a703d4dd84fba3c0b760d10670f2a2053fa2c39ccc64ec7fd7792ac037a",
        "26e8958fc2b227b045c3f489f2ef98f0d5dfac05d3c63339b13802886d53fc05",
    )
}


class Rejected(Exception):
    """An answer that is not used, and the reason's code."""

    def __init__(self, code: str, why: str):
        super().__init__(f"{code}: {why}")
        self.code = code


def require(condition: bool, code: str, why: str) -> None:
    if not condition:
        raise Rejected(code, why)


def now_ms() -> int:
    return time.time_ns() // 1_000_000


# -- 1. Signed things --------------------------------------------------------------------------------------------------


def derived_id(kind: str, public_key: bytes) -> bytes:
    """The id of a `machine` or a `host`."""
    return hashlib.sha256(f"kms v1 {kind}".encode() + public_key).digest()[:16]


def key_id(public_key: bytes) -> bytes:
    return b"\x01" + hashlib.sha256(public_key).digest()[:15]


def dsse(payload_type: str, payload: bytes) -> bytes:
    """The bytes that are signed."""
    kind = payload_type.encode()
    return b"DSSEv1 %d %b %d %b" % (len(kind), kind, len(payload), payload)


def is_good_point(encoded: bytes) -> bool:
    y = int.from_bytes(encoded, "little") & (2**255 - 1)
    return len(encoded) == 32 and y < P and y not in SMALL_ORDER_Y


def open_signed(signed, payload_type: str, public_key: bytes, malformed: str) -> bytes:
    """The payload, if this key has signed it as this type. Only these bytes may be decoded."""
    require(signed.payload_type == payload_type, malformed, f"{signed.payload_type} is not {payload_type}")
    require(len(signed.key_id) == 16 and len(signed.signature) == 64, malformed, "a length is wrong")
    require(signed.key_id == key_id(public_key), "UNTRUSTED", "another key has signed")
    require(is_good_point(public_key) and is_good_point(signed.signature[:32]), "UNTRUSTED", "a point of small order")
    try:
        Ed25519PublicKey.from_public_bytes(public_key).verify(signed.signature, dsse(payload_type, signed.payload))
    except (InvalidSignature, ValueError):
        raise Rejected("UNTRUSTED", "the signature does not hold") from None
    return signed.payload


def decode(message, data: bytes, code: str):
    try:
        return message.FromString(data)
    except DecodeError:
        raise Rejected(code, f"no {message.DESCRIPTOR.name}") from None


# -- 2. The chain of trust ---------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class Chain:
    """A verified chain. `host` is the host certificate, `issuing` the issuing certificate or None."""

    encoded: bytes
    host: object
    issuing: object

    def valid_at(self, instant: int) -> bool:
        certificates = [self.host] + ([self.issuing] if self.issuing else [])
        return all(one.not_before <= instant < one.not_after for one in certificates)


def open_chain(encoded: bytes, roots: list[bytes]) -> Chain:
    """A chain that ends in one of the roots, in which each certificate signs what it may."""
    chain = decode(certificate_pb.Chain, encoded, "UNTRUSTED")
    signers, issuing = roots, None
    if chain.HasField("issuing_certificate"):
        root = signer_of(chain.issuing_certificate, roots)
        payload = open_signed(chain.issuing_certificate, "kms.issuing-certificate.v1", root, "UNTRUSTED")
        issuing = decode(certificate_pb.IssuingCertificate, payload, "UNTRUSTED")
        require(issuing.must_understand == 0, "NEWER_PROTOCOL", "the issuing certificate has an unknown bit")
        require(is_good_point(issuing.public_key), "UNTRUSTED", "the issuing key is none")
        ids = (issuing.id, *issuing.products)
        require(all(len(one) == 16 for one in ids), "UNTRUSTED", "an id has another length")
        signers = [issuing.public_key]
    signer = signer_of(chain.host_certificate, signers)
    payload = open_signed(chain.host_certificate, "kms.host-certificate.v1", signer, "UNTRUSTED")
    host = decode(certificate_pb.HostCertificate, payload, "UNTRUSTED")
    require(host.must_understand == 0, "NEWER_PROTOCOL", "the host certificate has an unknown bit")
    ids = (host.id, host.product, host.organisation.id)
    require(all(len(one) == 16 for one in ids), "UNTRUSTED", "an id has another length")
    require(is_good_point(host.signing_key), "UNTRUSTED", "the signing key is none")
    check_policy(host.policy)
    check_features(list(host.features))
    if issuing:
        products = list(issuing.products)
        require(not products or host.product in products, "UNTRUSTED", "issued for a product that is not the issuer's")
        require(host.test or not issuing.test, "UNTRUSTED", "a test issuer has issued a certificate without the mark")
    return Chain(encoded, host, issuing)


def signer_of(signed, keys: list[bytes]) -> bytes:
    for key in keys:
        if key_id(key) == signed.key_id:
            return key
    raise Rejected("UNTRUSTED", "no key that we trust has signed")


def check_policy(policy) -> None:
    """Upper bounds and contradictions. Lower bounds are the vendor's business."""
    p = policy
    lengths = (
        (p.validity_ms, 400 * DAY),
        (p.renew_interval_ms, 30 * DAY),
        (p.retry_interval_ms, 30 * DAY),
        (p.renew_retry_ms, 30 * DAY),
        (p.renew_retry_max_ms, 30 * DAY),
        (p.count_window_ms, 400 * DAY),
        (p.clock_tolerance_ms, DAY),
    )
    fits = (
        all(0 < value <= highest for value, highest in lengths)
        and 0 < p.threshold <= 1_000_000
        and p.renew_interval_ms <= p.validity_ms // 4
        and p.renew_interval_ms < p.count_window_ms
        and p.retry_interval_ms < p.count_window_ms
        and p.renew_retry_ms <= p.renew_retry_max_ms <= p.renew_interval_ms
        and 0 <= p.expiry_warning_ms < p.validity_ms
    )
    require(fits, "UNTRUSTED", "the certificate's numbers are out of bounds")


def check_features(features: list[str]) -> None:
    """At most 32 words of 1 to 32 bytes, each once, in the order of their bytes: one set has one form."""
    fits = len(features) <= 32 and all(re.fullmatch(r"[a-z0-9._-]{1,32}", feature) for feature in features)
    require(fits and features == sorted(set(features)), "UNTRUSTED", "the certificate's features are malformed")


# -- Three questions a client asks of an answer ------------------------------------------------------------------------

ANSWERS = {
    "kms.lease.v1": answer_pb.Lease,
    "kms.waiting.v1": answer_pb.Waiting,
    "kms.refusal.v1": answer_pb.Refusal,
    "kms.released.v1": answer_pb.Released,
}


def open_answer(signed, chain: Chain):
    """An answer of any kind, signed by the host that the chain names, for the product that the chain names."""
    message = ANSWERS.get(signed.payload_type)
    require(message is not None, "ANSWER_MISMATCH", f"{signed.payload_type} is no answer")
    payload = open_signed(signed, signed.payload_type, chain.host.signing_key, "ANSWER_MISMATCH")
    answer = decode(message, payload, "ANSWER_MISMATCH")
    header = answer.header
    require(header.must_understand == 0, "NEWER_PROTOCOL", "the answer has an unknown bit")
    # Without these two any host of the vendor could speak for any other, and for every product.
    signer = derived_id("host", chain.host.signing_key)
    require(header.host == signer, "ANSWER_MISMATCH", "the header names another host than the one that signed")
    require(header.product == chain.host.product, "ANSWER_MISMATCH", "the certificate is for another product")
    return answer


def check_lease(lease, chain: Chain) -> None:
    """Is this a lease? Its numbers are those of its own certificate."""
    at, policy = lease.header.host_time, chain.host.policy
    require(chain.valid_at(at), "ANSWER_OUT_OF_TIME", "the certificate was not valid then")
    require(lease.threshold == policy.threshold, "BEYOND_LIMITS", "threshold")
    require(at < lease.expires_at <= at + policy.validity_ms, "BEYOND_LIMITS", "expires_at")
    require(at <= lease.renew_after <= lease.expires_at, "BEYOND_LIMITS", "renew_after")
    evidence = lease.threshold_met_at
    fresh = at - policy.count_window_ms < evidence <= at + policy.clock_tolerance_ms
    require(fresh, "BEYOND_LIMITS", "threshold_met_at")


def check_header(header, ask, machine: bytes, chain: Chain, organisation: bytes) -> None:
    """Is this the answer to our ask, from a host of our organisation? `organisation` is empty before it is pinned."""
    ours = header.machine == machine and header.product == ask.product and header.nonce == ask.nonce
    require(ours, "ANSWER_MISMATCH", "this answers another ask")
    pinned = not organisation or chain.host.organisation.id == organisation
    require(pinned, "OTHER_ORGANISATION", f"this host belongs to {chain.host.organisation.name!r}")


def check_time(header, chain: Chain, now: int) -> None:
    near = abs(header.host_time - now) <= chain.host.policy.clock_tolerance_ms
    require(near, "ANSWER_OUT_OF_TIME", "the host's clock and ours differ")


def check_serial(header, ask) -> None:
    above = ask.serial < header.serial <= min(ask.serial + MAX_SERIAL_STEP, MAX_SERIAL)
    require(above, "ANSWER_MISMATCH", f"serial {header.serial} does not follow {ask.serial}")


ACCEPTED, BELIEVED = "accepted", "believed"


def judge(answer, ask, machine: bytes, chain: Chain, organisation: bytes, now: int) -> str:
    """What this answer to `ask` may change. `answer` comes from `open_answer`."""
    header, activating = answer.header, ask.kind == ask_pb.ASK_KIND_ACTIVATE
    if isinstance(answer, answer_pb.Lease):
        check_lease(answer, chain)
    check_header(header, ask, machine, chain, organisation)
    if isinstance(answer, answer_pb.Refusal):
        return BELIEVED
    wanted = isinstance(answer, answer_pb.Released) != activating
    require(wanted, "ANSWER_MISMATCH", "this answers another kind of ask")
    try:
        check_time(header, chain, now)
        if not isinstance(answer, answer_pb.Lease):
            require(chain.valid_at(now), "ANSWER_OUT_OF_TIME", "the certificate is not valid now")
    except Rejected:
        if isinstance(answer, answer_pb.Waiting):
            check_serial(header, ask)
            return BELIEVED
        raise
    check_serial(header, ask)
    if isinstance(answer, answer_pb.Lease):
        require(answer.fingerprint == ask.fingerprint, "ANSWER_MISMATCH", "the fingerprint is another machine's")
    return ACCEPTED


def may_keep(lease, chain: Chain, machine: bytes, product: bytes, fingerprint: bytes, now: int) -> bool:
    """May the machine keep using the lease that it holds? It has passed `open_answer` and `check_lease`."""
    ours = lease.header.machine == machine and lease.header.product == product
    same = not lease.fingerprint or not fingerprint or lease.fingerprint == fingerprint
    return ours and same and now < lease.expires_at

"""A machine that asks a host for its license: docs/protocol.md 1, 2, 3 and 7.

As a program it makes one ask and prints what came of it:

    python kms_client.py PRODUCT.toml STATE.json HOST:PORT [release]
"""

import hashlib
import hmac
import json
import os
import secrets
import sys
import tomllib
from dataclasses import asdict, dataclass, field
from pathlib import Path

import grpc
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from google.rpc import error_details_pb2, status_pb2

import verify
from verify import ACCEPTED, Rejected, answer_pb, ask_pb, signed_pb

activation_pb = grpc.protos("kms/v1/activation.proto")

# Reasons that a host gives without its signature. Any other known code in an unsigned error comes from no host.
UNSIGNED = {
    "TLS_REQUIRED", "TOO_MANY_BAD_ASKS", "TOO_LARGE", "MALFORMED", "PRODUCT_UNKNOWN", "SIGNATURE_BAD", "OVERLOADED",
    "LEDGER_FAILED", "SIGNER_FAILED", "STOPPING", "LEDGER_DAMAGED",
}  # fmt: skip
SIGNED = {
    "HOST_CLOCK", "CLOCK_SKEW", "CERTIFICATE_NOT_BEGUN", "CERTIFICATE_ENDED", "DISK_FULL", "BLOCKED", "REPLAYED",
    "COPIED", "CHAIN_NEEDED", "NEW_MACHINES_LIMITED",
}  # fmt: skip
CHAIN_NEEDED_TRIES = 3
KEYS_A_DAY = 3


@dataclass(frozen=True)
class Product:
    """What a product carries, from the file that `kms-vendor product file` writes."""

    id: bytes
    roots: list[bytes]
    organisation: bytes = b""

    @staticmethod
    def read(path: Path) -> "Product":
        file = tomllib.loads(path.read_text(encoding="utf-8"))
        roots = [bytes.fromhex(root) for root in file["roots"]]
        return Product(bytes.fromhex(file["id"]), roots, bytes.fromhex(file.get("organisation", "")))


@dataclass
class State:
    """What a machine keeps on its disk. Bytes are hexadecimal."""

    key: str
    next_key: str = ""  # made upon COPIED; it replaces `key` with its first lease
    serial: int = 0  # of the last accepted answer
    nonce: str = ""  # of the ask under way; saved before it is sent
    organisation: str = ""
    lease: str = ""  # the `Signed` that is held, exact bytes
    lease_chain: str = ""  # the chain under which it was issued
    lease_host: str = ""  # the address that gave it
    chain: str = ""  # the chain of the last accepted answer
    rekeyed_at: list[int] = field(default_factory=list)


@dataclass(frozen=True)
class Outcome:
    """What came of one ask. `kind` is lease, waiting, released, refused, unsigned or failed."""

    kind: str
    code: str = ""
    answer: object = None
    parameters: dict = field(default_factory=dict)

    def __str__(self) -> str:
        details = " ".join(f"{name}={value!r}" for name, value in self.parameters.items())
        return " ".join(part for part in (self.kind, self.code, details) if part)


def fingerprint(product: bytes) -> bytes:
    """What tells this installation from a copy of it elsewhere; empty where the machine has no id."""
    for path in (Path("/etc/machine-id"), Path("/var/lib/dbus/machine-id")):
        try:
            machine_id = path.read_text(encoding="ascii").strip().lower()
        except (OSError, UnicodeDecodeError):
            continue
        if len(machine_id) == 32 and all(digit in "0123456789abcdef" for digit in machine_id):
            return fingerprint_of(product, machine_id)
    return b""


def fingerprint_of(product: bytes, machine_id: str) -> bytes:
    return hmac.digest(product, machine_id.encode("ascii"), "sha256")[:16]


class Machine:
    """One installation of a product, and the file in which it keeps its state."""

    def __init__(self, product: Product, path: Path, fingerprint: bytes, clock=verify.now_ms):
        self.product, self.path, self.fingerprint, self.clock = product, path, fingerprint, clock
        if path.exists():
            self.state = State(**json.loads(path.read_text(encoding="utf-8")))
        else:
            self.state = State(key=secrets.token_hex(32), organisation=product.organisation.hex())

    def save(self) -> None:
        """Replaces the file at once or not at all. It holds the private key, so only its owner may read it."""
        new = self.path.with_suffix(".new")
        with open(os.open(new, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:
            json.dump(asdict(self.state), file)
            file.flush()
            os.fsync(file.fileno())
        new.replace(self.path)

    def held_lease(self):
        """The lease that the machine holds, if it may keep using it; otherwise None."""
        if not self.state.lease:
            return None
        try:
            chain = verify.open_chain(bytes.fromhex(self.state.lease_chain), self.product.roots)
            lease = verify.open_answer(signed_pb.Signed.FromString(bytes.fromhex(self.state.lease)), chain)
            verify.check_lease(lease, chain)
        except Rejected:
            return None
        machine = verify.derived_id("machine", public_key(self.key()))
        keep = verify.may_keep(lease, chain, machine, self.product.id, self.fingerprint, self.clock())
        return lease if keep else None

    def key(self) -> Ed25519PrivateKey:
        return Ed25519PrivateKey.from_private_bytes(bytes.fromhex(self.state.key))

    # -- The ask -------------------------------------------------------------------------------------------------------

    def activate(self, host: str) -> Outcome:
        """Activation and renewal are the same call."""
        outcome = self.call(host, "Activate", ask_pb.ASK_KIND_ACTIVATE, host != self.state.lease_host)
        for _ in range(CHAIN_NEEDED_TRIES):
            if outcome.code != "CHAIN_NEEDED" or outcome.kind != "refused":
                break
            outcome = self.call(host, "Activate", ask_pb.ASK_KIND_ACTIVATE, True)
        return outcome

    def release(self, host: str) -> Outcome:
        """Leaves the count at once."""
        return self.call(host, "Release", ask_pb.ASK_KIND_RELEASE, False)

    def build(self, kind: int, with_chain: bool):
        """The ask, and the request that carries it. The nonce is on the disk when this returns."""
        state = self.state
        if not state.nonce:
            state.nonce = secrets.token_hex(16)
        self.save()
        old = self.key()
        replacing = bool(state.next_key) and kind == ask_pb.ASK_KIND_ACTIVATE
        key = Ed25519PrivateKey.from_private_bytes(bytes.fromhex(state.next_key)) if replacing else old
        ask = ask_pb.Ask(
            machine_key=public_key(key),
            product=self.product.id,
            nonce=bytes.fromhex(state.nonce),
            asked_at=self.clock(),
            serial=state.serial,
            fingerprint=self.fingerprint,
            chain_digest=hashlib.sha256(bytes.fromhex(state.chain)).digest() if state.chain else b"",
            replaces=public_key(old) if replacing else b"",
            kept=True,
            kind=kind,
            library_version="python-example",
        )
        if state.lease:
            ask.held_lease.ParseFromString(bytes.fromhex(state.lease))
        payload = ask.SerializeToString()
        if kind == ask_pb.ASK_KIND_RELEASE:
            return ask, activation_pb.ReleaseRequest(ask=sign(key, payload))
        request = activation_pb.ActivateRequest(ask=sign(key, payload))
        if replacing:
            second = sign(old, payload)
            request.replaced_signature.key_id = second.key_id
            request.replaced_signature.signature = second.signature
        if state.lease and with_chain:
            request.held_chain = bytes.fromhex(state.lease_chain)
        return ask, request

    def call(self, host: str, method: str, kind: int, with_chain: bool) -> Outcome:
        ask, request = self.build(kind, with_chain)
        response = getattr(activation_pb, f"{method}Response")
        try:
            with grpc.insecure_channel(host) as channel:
                call = channel.unary_unary(
                    f"/kms.v1.ActivationService/{method}",
                    request_serializer=lambda message: message.SerializeToString(),
                    response_deserializer=response.FromString,
                )
                reply = call(request, timeout=10)
        except grpc.RpcError as error:
            return unsigned(error)
        try:
            return self.take(reply.answer, ask, host)
        except Rejected as rejected:
            return Outcome("failed", rejected.code, parameters={"cause": str(rejected)})

    # -- The answer ----------------------------------------------------------------------------------------------------

    def take(self, answer, ask, host: str) -> Outcome:
        """Verifies an answer, and keeps what it may change."""
        state, now = self.state, self.clock()
        chain = verify.open_chain(answer.chain or bytes.fromhex(state.chain), self.product.roots)
        machine = verify.derived_id("machine", ask.machine_key)
        message = verify.open_answer(answer.signed, chain)
        organisation = bytes.fromhex(state.organisation)
        verdict = verify.judge(message, ask, machine, chain, organisation, now)
        if isinstance(message, answer_pb.Refusal):
            if message.code == "COPIED" and chain.valid_at(now):
                self.take_new_key(now)
            parameters = {one.name: one.value for one in message.parameters}
            return Outcome("refused", message.code, message, parameters)
        kind = message.DESCRIPTOR.name.lower()
        if verdict != ACCEPTED:
            return Outcome(kind, "ANSWER_OUT_OF_TIME", message)
        state.serial, state.nonce, state.chain = message.header.serial, "", chain.encoded.hex()
        if kind == "lease":
            state.lease, state.lease_chain = answer.signed.SerializeToString().hex(), chain.encoded.hex()
            state.lease_host, state.organisation = host, chain.host.organisation.id.hex()
            if ask.replaces:
                state.key, state.next_key = state.next_key, ""
        elif kind == "released":
            state.lease = state.lease_chain = state.lease_host = ""
        self.save()
        return Outcome(kind, answer=message)

    def take_new_key(self, now: int) -> None:
        """Another machine lives under our identity: the next ask names a new one that replaces it."""
        today = [at for at in self.state.rekeyed_at if now - at < verify.DAY]
        if len(today) < KEYS_A_DAY:
            self.state.next_key, self.state.rekeyed_at = secrets.token_hex(32), today + [now]
            self.save()


def public_key(key: Ed25519PrivateKey) -> bytes:
    return key.public_key().public_bytes_raw()


def sign(key: Ed25519PrivateKey, payload: bytes):
    kind = "kms.ask.v1"
    signature = key.sign(verify.dsse(kind, payload))
    return signed_pb.Signed(
        payload_type=kind, payload=payload, key_id=verify.key_id(public_key(key)), signature=signature
    )


def unsigned(error: grpc.RpcError) -> Outcome:
    """An error that nobody has signed. It is shown, and changes nothing: anyone on the way could have written it."""
    for name, value in error.trailing_metadata() or ():
        if name == "grpc-status-details-bin":
            for detail in status_pb2.Status.FromString(value).details:
                info = error_details_pb2.ErrorInfo()
                if detail.Unpack(info) and info.domain == "kms" and info.reason not in SIGNED:
                    return Outcome("unsigned", info.reason, error, dict(info.metadata))
    if error.code() in (grpc.StatusCode.UNAVAILABLE, grpc.StatusCode.DEADLINE_EXCEEDED):
        return Outcome("failed", "HOST_UNREACHABLE", error, {"cause": error.details()})
    return Outcome("failed", "NOT_A_HOST", error, {"cause": error.details()})


def main(product_file: str, state_file: str, host: str, what: str = "activate") -> None:
    product = Product.read(Path(product_file))
    machine = Machine(product, Path(state_file), fingerprint(product.id))
    print(machine.release(host) if what == "release" else machine.activate(host))
    print("licensed" if machine.held_lease() else "not licensed")


if __name__ == "__main__":
    main(*sys.argv[1:])

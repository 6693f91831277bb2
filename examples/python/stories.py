"""Stories with a real host, told by the client of this folder. KMS_PROGRAMS names the folder of kms-host and kms-vendor."""

import json
import os
import shutil
import subprocess
import tempfile
import time
import unittest
from pathlib import Path

import verify
from kms_client import Machine, Product, activation_pb, ask_pb, public_key, sign

PROGRAMS = Path(os.environ["KMS_PROGRAMS"])
HOUR = 60 * 60 * 1000


def run(program: str, *arguments) -> str:
    command = [PROGRAMS / program, *map(str, arguments)]
    done = subprocess.run(command, check=False, capture_output=True, text=True, timeout=60)
    if done.returncode != 0:
        raise AssertionError(f"{program} {arguments}: {done.stdout}{done.stderr}")
    return done.stdout


class Site:
    """A vendor with two products, and an organisation whose host has a certificate for the first."""

    def __init__(self, folder: Path):
        self.folder, self.vendor, self.home = folder, folder / "vendor", folder / "host"
        run("kms-vendor", "init", "--dir", self.vendor)
        self.product, self.other_product = self.make_product("Atlas"), self.make_product("Globe")
        self.host, self.address = self.start_host("host")

    def make_product(self, name: str) -> Product:
        run("kms-vendor", "product", "add", name, "--threshold", 2, "--dir", self.vendor)
        file = self.folder / f"{name}.toml"
        run("kms-vendor", "product", "file", name, "--out", file, "--dir", self.vendor)
        return Product.read(file)

    def start_host(self, name: str, organisation: str = "Example Works"):
        home, certificate = self.folder / name, self.folder / f"{name}.certificate"
        run("kms-host", "init", "--data", home)
        issue = ["--product", "Atlas", "--organisation", organisation, "--out", certificate, "--dir", self.vendor]
        run("kms-vendor", "certificate", "issue", "--request", home / "host-request.pem", *issue)
        run("kms-host", "install-certificate", certificate, "--data", home)
        return self.serve(name)

    def serve(self, name: str):
        home = self.folder / name
        with open(self.folder / f"{name}.log", "w", encoding="utf-8") as log:
            serve = [PROGRAMS / "kms-host", "serve", "--listen", "127.0.0.1:0", "--data", home]
            host = subprocess.Popen(serve, stdout=log, stderr=log)
        for _ in range(300):
            status = [PROGRAMS / "kms-host", "status", "--json", "--data", home]
            said = subprocess.run(status, check=False, capture_output=True, text=True, timeout=60).stdout
            if said.startswith("{") and json.loads(said).get("listening"):
                return host, json.loads(said)["listening"][0]
            if host.poll() is not None:
                break
            time.sleep(0.1)
        host.kill()
        raise AssertionError((self.folder / f"{name}.log").read_text(encoding="utf-8"))


class Stories(unittest.TestCase):
    """Each story has a host of its own."""

    def setUp(self):
        self.folder = Path(tempfile.mkdtemp(prefix="kms-python-"))
        self.addCleanup(shutil.rmtree, self.folder)
        self.site = Site(self.folder)
        self.addCleanup(self.stop, self.site.host)

    def stop(self, host):
        host.terminate()
        host.wait(timeout=60)

    def machine(self, name: str, fingerprint: bytes = b"", **more) -> Machine:
        return Machine(self.site.product, self.folder / f"{name}.json", fingerprint or name.encode().ljust(16), **more)

    def licensed_pair(self) -> tuple[Machine, Machine]:
        one, two = self.machine("one"), self.machine("two")
        self.assertEqual(one.activate(self.site.address).kind, "waiting")
        self.assertEqual(two.activate(self.site.address).kind, "lease")
        self.assertEqual(one.activate(self.site.address).kind, "lease")
        return one, two

    def test_the_first_machine_waits_and_the_second_meets_the_threshold(self):
        waiting = self.machine("one").activate(self.site.address)
        self.assertEqual((waiting.kind, waiting.answer.count, waiting.answer.threshold), ("waiting", 1, 2))
        two = self.machine("two")
        lease = two.activate(self.site.address)
        self.assertEqual((lease.kind, lease.answer.count, lease.answer.threshold), ("lease", 2, 2))
        self.assertEqual(two.held_lease().expires_at, lease.answer.expires_at)

    def test_a_renewal_shows_the_lease_and_gets_a_later_one_without_the_chain(self):
        one, _ = self.licensed_pair()
        first, chain = one.held_lease(), one.state.lease_chain
        again = self.machine("one")  # as after a restart: read from the disk
        self.assertEqual(again.activate(self.site.address).kind, "lease")
        self.assertGreater(again.held_lease().expires_at, first.expires_at)
        self.assertEqual(again.state.serial, first.header.serial + 1)
        self.assertEqual(again.state.lease_chain, chain)

    def test_a_lost_answer_is_given_again_under_the_same_serial(self):
        one, _ = self.licensed_pair()
        one.build(ask_pb.ASK_KIND_ACTIVATE, False)  # now the nonce is on the disk
        before = one.path.read_bytes()
        lost = one.activate(self.site.address)
        self.assertEqual(lost.answer.header.serial, one.state.serial)
        one.path.write_bytes(before)
        time.sleep(0.01)  # the next ask has to be later; its clock counts milliseconds
        again = self.machine("one").activate(self.site.address)
        self.assertEqual((again.kind, again.answer.header.serial), ("lease", lost.answer.header.serial))

    def test_a_copy_is_named_and_heals_with_a_key_of_its_own(self):
        one, _ = self.licensed_pair()
        shutil.copy(one.path, self.folder / "copy.json")
        self.assertEqual(one.activate(self.site.address).kind, "lease")
        copy = self.machine("copy")
        copied = copy.activate(self.site.address)
        self.assertEqual((copied.kind, copied.code), ("refused", "COPIED"))
        old_key = copy.state.key
        self.assertEqual(copy.activate(self.site.address).kind, "lease")
        self.assertNotEqual(copy.state.key, old_key)
        self.assertEqual(copy.state.next_key, "")
        self.assertIsNotNone(copy.held_lease())
        self.assertEqual(one.activate(self.site.address).kind, "lease")

    def test_a_sibling_host_takes_the_lease_as_evidence(self):
        one, _ = self.licensed_pair()
        sibling, address = self.site.start_host("sibling")
        self.addCleanup(self.stop, sibling)
        renewed = one.activate(address)
        self.assertEqual((renewed.kind, renewed.answer.count), ("lease", 1))

    def test_a_host_is_moved_as_the_guide_says_and_nobody_is_counted_anew(self):
        one, _ = self.licensed_pair()
        old, new, backup = self.site.home, self.folder / "moved", self.folder / "kms-host.move"
        self.stop(self.site.host)
        run("kms-host", "backup", backup, "--data", old)
        run("kms-host", "backup", "--check", backup)
        run("kms-host", "restore", backup, "--data", new)
        moved, address = self.site.serve("moved")
        self.addCleanup(self.stop, moved)
        renewed = one.activate(address)
        self.assertEqual((renewed.kind, renewed.answer.count), ("lease", 2))
        status = json.loads(run("kms-host", "status", "--json", "--data", new))
        self.assertNotIn("LEDGER_RESTORED", json.dumps(status))

    def test_a_blocked_machine_keeps_its_lease_and_no_new_key_of_it_is_let_in(self):
        one, _ = self.licensed_pair()
        machine = verify.derived_id("machine", public_key(one.key())).hex()
        run("kms-host", "machine", "block", machine, "--data", self.site.home)
        self.assertEqual(one.activate(self.site.address).code, "BLOCKED")
        self.assertIsNotNone(one.held_lease())
        one.take_new_key(verify.now_ms())
        self.assertEqual(one.activate(self.site.address).code, "BLOCKED")
        run("kms-host", "machine", "unblock", machine, "--data", self.site.home)
        self.assertEqual(one.activate(self.site.address).kind, "lease")

    def test_a_host_that_lacks_the_chain_asks_for_it(self):
        one, _ = self.licensed_pair()
        sibling, address = self.site.start_host("sibling")
        self.addCleanup(self.stop, sibling)
        one.state.lease_host = address
        needed = one.call(address, "Activate", ask_pb.ASK_KIND_ACTIVATE, with_chain=False)
        self.assertEqual((needed.kind, needed.code, needed.answer.ask_again_ms), ("refused", "CHAIN_NEEDED", 0))
        self.assertEqual(one.activate(address).kind, "lease")

    def test_a_host_of_another_organisation_is_not_used(self):
        one, _ = self.licensed_pair()
        other, address = self.site.start_host("other", organisation="Other Works")
        self.addCleanup(self.stop, other)
        self.assertEqual(one.activate(address).code, "OTHER_ORGANISATION")
        self.assertIsNotNone(one.held_lease())

    def test_a_wrong_clock_is_refused_with_a_signature_and_by_how_much(self):
        late = self.machine("late", clock=lambda: verify.now_ms() - 6 * HOUR)
        refused = late.activate(self.site.address)
        self.assertEqual((refused.kind, refused.code), ("refused", "CLOCK_SKEW"))
        self.assertEqual(set(refused.parameters), {"by", "direction", "tolerance", "host_time"})
        self.assertEqual(refused.parameters["direction"], "behind")
        self.assertEqual(refused.answer.header.serial, 0)
        self.assertEqual(late.state.serial, 0)

    def test_a_product_without_a_certificate_is_refused_without_a_signature(self):
        stranger = Machine(self.site.other_product, self.folder / "stranger.json", b"")
        refused = stranger.activate(self.site.address)
        self.assertEqual((refused.kind, refused.code), ("unsigned", "PRODUCT_UNKNOWN"))
        self.assertEqual(refused.parameters, {"product": self.site.other_product.id.hex()})
        self.assertEqual(refused.answer.code().name, "FAILED_PRECONDITION")

    def test_a_bad_signature_is_refused_without_a_signature(self):
        one = self.machine("one")
        build = one.build

        def flipped(*arguments):
            ask, request = build(*arguments)
            request.ask.signature = bytes([request.ask.signature[0] ^ 1]) + request.ask.signature[1:]
            return ask, request

        one.build = flipped
        refused = one.activate(self.site.address)
        self.assertEqual((refused.kind, refused.code), ("unsigned", "SIGNATURE_BAD"))
        self.assertEqual(refused.answer.code().name, "INVALID_ARGUMENT")

    def test_a_recorded_ask_is_refused_and_accuses_nobody(self):
        one, _ = self.licensed_pair()
        _, request = one.build(ask_pb.ASK_KIND_ACTIVATE, False)
        self.assertEqual(one.activate(self.site.address).kind, "lease")
        again = self.machine("one")
        again.build = lambda *_: (ask_pb.Ask.FromString(request.ask.payload), request)
        refused = again.call(self.site.address, "Activate", ask_pb.ASK_KIND_ACTIVATE, False)
        self.assertEqual((refused.kind, refused.code), ("refused", "REPLAYED"))

    def test_a_released_machine_forgets_its_lease_and_keeps_its_serial(self):
        one, _ = self.licensed_pair()
        serial = one.state.serial
        self.assertEqual(one.release(self.site.address).kind, "released")
        self.assertEqual((one.state.lease, one.state.serial), ("", serial + 1))
        self.assertIsNone(one.held_lease())

    def test_the_kind_has_to_be_that_of_the_call(self):
        one = self.machine("one")
        ask, _ = one.build(ask_pb.ASK_KIND_RELEASE, False)
        one.build = lambda *_: (ask, activation_pb.ActivateRequest(ask=sign(one.key(), ask.SerializeToString())))
        refused = one.call(self.site.address, "Activate", ask_pb.ASK_KIND_ACTIVATE, False)
        self.assertEqual((refused.kind, refused.code, set(refused.parameters)), ("unsigned", "MALFORMED", {"cause"}))


if __name__ == "__main__":
    unittest.main()

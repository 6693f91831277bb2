//! Instructions per call of the pure parts, counted by callgrind: a slow change is seen without a quiet machine.
//!
//! A clock on a shared machine is off by a factor of two; the same build executes the same instructions every time. It
//! needs valgrind, which the system's packages have, and a runner, whose version has to be the one of the library that
//! the workspace pins:
//!
//! ```sh
//! cargo install --locked gungraun-runner --version 0.20.0
//! cargo bench -p kms-pure
//! ```
//!
//! Each row prints its count, that of the last run, and the difference. To judge a change, keep the counts from before
//! it under a name and compare with them; the second command fails where a row has grown by more than 2 %:
//!
//! ```sh
//! cargo bench -p kms-pure -- --save-baseline=before
//! cargo bench -p kms-pure -- --baseline=before --callgrind-limits='ir=2%'
//! ```
//!
//! Compare counts of one machine and one compiler only: cryptography chooses its code by the processor. Valgrind shows
//! it AVX2 but no SHA instructions, so a checksum weighs more here than where there are some. An instruction is not a
//! nanosecond; how long anything takes is `kms-bench`'s to say.
//!
//! `answer` also counts its allocations, by dhat: `Total blocks` and `Total bytes`. The allocator is the system's, which dhat
//! can watch; the host's own takes a little less.
//!
//! What is counted with comes from `fixtures`: fixed seeds, no clock, made outside of the count.

#![expect(missing_docs, reason = "the macros of gungraun make public items, for nobody outside")]

mod fixtures;

use std::hint::black_box;

use bytes::Bytes;
use fixtures::{Issuer, Who, keep};
use gungraun::{
    Callgrind, Dhat, EventKind, LibraryBenchmarkConfig, OutputFormat, library_benchmark,
    library_benchmark_group, main,
};
use ledger::Write;
use ledger::testing::MemoryLedger;
use prost::Message;
use proto::v1::{ActivateRequest, ActivateResponse, Signed};
use shared::answer::ShownLease;
use shared::ask::{Ask, UnverifiedAsk};
use shared::certificate::{Chain, Roots};
use shared::envelope::{Kind, SecretKey};
use shared::record::Record;
use shared::srv::{self, SrvRecord};

/// What two runs of one build may differ by: the ledger's overlay hashes under keys that each process draws. Every
/// other row repeats to the instruction.
const TOLERANCE_PERCENT: f64 = 0.2;

// The order is the host's: what comes in, is verified, decided, signed and goes out.

#[library_benchmark]
#[bench::first(fixtures::encoded_request(Who::New))]
#[bench::renewal(fixtures::encoded_request(Who::Known))]
fn decode_request(encoded: Bytes) -> ActivateRequest {
    ActivateRequest::decode(black_box(encoded)).expect("it was just encoded")
}

#[library_benchmark]
#[bench::first(fixtures::signed_ask(Who::New))]
#[bench::renewal(fixtures::signed_ask(Who::Known))]
fn read_ask(ask: Signed) -> UnverifiedAsk {
    UnverifiedAsk::read(black_box(ask))
}

#[library_benchmark]
#[bench::first(keep(UnverifiedAsk::read(fixtures::signed_ask(Who::New))))]
#[bench::renewal(keep(UnverifiedAsk::read(fixtures::signed_ask(Who::Known))))]
fn verify_ask(ask: &UnverifiedAsk) -> Ask {
    black_box(ask).verify(None).expect("its machine has signed it")
}

#[library_benchmark]
#[bench::by_host(keep(fixtures::signed_lease()), keep(fixtures::chain()))]
fn open_shown_lease(lease: &Signed, chain: &Chain) -> ShownLease {
    ShownLease::open(black_box(lease), black_box(chain), chain.host()).expect("this host has signed it")
}

#[library_benchmark]
#[bench::by_root(keep(fixtures::encoded_chain(Issuer::Root)), keep(fixtures::roots()))]
#[bench::by_issuing_key(keep(fixtures::encoded_chain(Issuer::IssuingKey)), keep(fixtures::roots()))]
fn verify_chain(encoded: &Bytes, roots: &Roots) -> Chain {
    Chain::verify(black_box(encoded), black_box(roots)).expect("it ends in the first root")
}

// The number is the batch, and the row counts the whole of it.
#[library_benchmark(teardown = fixtures::check_leases)]
#[bench::new_1(keep(fixtures::ledger()), fixtures::sightings(Who::New, 1))]
#[bench::new_128(keep(fixtures::ledger()), fixtures::sightings(Who::New, 128))]
#[bench::renewal_1(keep(fixtures::ledger()), fixtures::sightings(Who::Known, 1))]
#[bench::renewal_128(keep(fixtures::ledger()), fixtures::sightings(Who::Known, 128))]
fn decide(ledger: &MemoryLedger, batch: Vec<Write>) -> fixtures::Decided {
    fixtures::decide(black_box(ledger), black_box(batch))
}

#[library_benchmark]
#[bench::of_a_machine(keep(fixtures::entry()))]
fn encode_record(entry: &(Vec<u8>, Record)) -> Vec<u8> {
    let (key, record) = black_box(entry);
    record.encode(key)
}

#[library_benchmark]
#[bench::of_a_machine(keep(fixtures::encoded_entry()))]
fn decode_record(entry: &(Vec<u8>, Vec<u8>)) -> Record {
    let (key, value) = black_box(entry);
    Record::decode(key, value).expect("it was just encoded")
}

#[library_benchmark]
#[bench::first(keep(fixtures::opened_ask(Who::New)), keep(fixtures::chain()))]
fn compose_lease(ask: &Ask, chain: &Chain) -> Vec<u8> {
    fixtures::compose_lease(black_box(ask), black_box(chain))
}

#[library_benchmark]
#[bench::first(keep(fixtures::host_key()), fixtures::lease_payload())]
fn sign_lease(key: &SecretKey, payload: Bytes) -> Signed {
    black_box(key).sign_bytes(Kind::Lease, black_box(payload))
}

#[library_benchmark]
#[bench::first(keep(fixtures::response(Who::New)))]
#[bench::renewal(keep(fixtures::response(Who::Known)))]
fn encode_response(response: &ActivateResponse) -> Vec<u8> {
    black_box(response).encode_to_vec()
}

// The steps above in a row, for one machine: what an answer costs without network and disk, and how often it allocates.
#[library_benchmark(config = LibraryBenchmarkConfig::default().tool(Dhat::default()))]
#[bench::first(keep(fixtures::ledger()), fixtures::incoming(Who::New))]
#[bench::renewal(keep(fixtures::ledger()), fixtures::incoming(Who::Known))]
fn answer(ledger: &MemoryLedger, incoming: fixtures::Incoming) -> Vec<u8> {
    fixtures::answer(black_box(ledger), black_box(incoming))
}

#[library_benchmark]
#[bench::of_20(fixtures::srv_records(20))]
fn order_srv(records: Vec<SrvRecord>) -> Vec<SrvRecord> {
    srv::order(black_box(records), fixtures::draws())
}

library_benchmark_group!(
    name = pure,
    benchmarks = [
        decode_request,
        read_ask,
        verify_ask,
        open_shown_lease,
        verify_chain,
        decide,
        encode_record,
        decode_record,
        compose_lease,
        sign_lease,
        encode_response,
        answer,
        order_srv,
    ]
);

main!(
    config = LibraryBenchmarkConfig::default()
        .tool(Callgrind::with_args(["--cache-sim=no"]).format([EventKind::Ir]))
        .output_format(OutputFormat::default().truncate_description(Some(0)).tolerance(TOLERANCE_PERCENT)),
    library_benchmark_groups = pure
);

//! The numbers to call, as a product carries them.

use prost::Message as _;
use proto::v1;
use shared::envelope::Kind;
use shared::product_key::KeyKind;
use shared::telephones::Telephones;

use crate::kit::{self, OTHER_PRODUCT, PRODUCT, Who};
use crate::telephone_stories::telephones;
use crate::vector_files::Vector;

pub(crate) fn all() -> Vec<Vector> {
    let good = telephones(vec![PRODUCT]);
    let sign = |root: Who| kit::key(root).sign(Kind::Telephones, &good.encode());
    let signed = |root: Who| sign(root).encode_to_vec();
    let changed = |change: &dyn Fn(&mut v1::Telephones)| {
        let mut wire = good.encode();
        change(&mut wire);
        kit::key(Who::Root).sign(Kind::Telephones, &wire).encode_to_vec()
    };
    let mut flipped = sign(Who::Root);
    let mut signature = flipped.signature.to_vec();
    signature[40] ^= 0x10;
    flipped.signature = signature.into();
    let mut relabelled = kit::key(Who::Root).sign_bytes(Kind::CodeCertificate, flipped.payload.clone());
    relabelled.payload_type = Kind::Telephones.name().into();
    let number = |wire: &mut v1::Telephones, change: &dyn Fn(&mut v1::TelephoneNumber)| {
        change(&mut wire.countries[1].numbers[0]);
    };
    [
        ("telephones", "Numbers of three countries, for one product.", signed(Who::Root)),
        (
            "telephones-second-root",
            "Numbers for all products, signed by the second root.",
            kit::key(Who::SecondRoot).sign(Kind::Telephones, &telephones(vec![]).encode()).encode_to_vec(),
        ),
        (
            "telephones-newer-kind",
            "A number that is also for a kind of key which nobody knows, and one that is only for such keys.",
            changed(&|wire| {
                wire.countries[0].numbers[0].kinds = vec![0, 9];
                wire.countries[1].numbers[0].kinds = vec![9];
            }),
        ),
        ("bad-telephones-third-root", "Numbers that a stranger's root has signed.", signed(Who::ThirdRoot)),
        ("bad-telephones-issuing", "Numbers that an issuing key has signed.", signed(Who::Issuing)),
        (
            "bad-telephones-flipped-signature",
            "Numbers with one bit of their signature flipped.",
            flipped.encode_to_vec(),
        ),
        (
            "bad-telephones-type-signed",
            "Numbers signed as a code certificate and relabelled.",
            relabelled.encode_to_vec(),
        ),
        (
            "bad-telephones-product",
            "Numbers for another product.",
            changed(&|wire| wire.products = vec![OTHER_PRODUCT.as_bytes().to_vec().into()]),
        ),
        (
            "bad-telephones-product-id",
            "Numbers for a product with an id of 15 bytes.",
            changed(&|wire| wire.products[0].truncate(15)),
        ),
        (
            "bad-telephones-must-understand",
            "Numbers with a bit that nobody knows.",
            changed(&|wire| wire.must_understand = 1),
        ),
        (
            "bad-telephones-order",
            "Numbers with two countries in the wrong order.",
            changed(&|wire| wire.countries.swap(0, 1)),
        ),
        (
            "bad-telephones-twice",
            "Numbers with a country twice.",
            changed(&|wire| wire.countries[1] = wire.countries[0].clone()),
        ),
        (
            "bad-telephones-country",
            "Numbers of a country in small letters.",
            changed(&|wire| wire.countries[1].code = "nl".into()),
        ),
        (
            "bad-telephones-no-number",
            "Numbers with a country that has none.",
            changed(&|wire| wire.countries[1].numbers.clear()),
        ),
        (
            "bad-telephones-number",
            "A number with letters.",
            changed(&|wire| number(wire, &|number| number.number = "0900-CALL-US".into())),
        ),
        (
            "bad-telephones-text-telephone",
            "A text telephone that ends with a line break.",
            changed(&|wire| number(wire, &|number| number.text_telephone.push('\n'))),
        ),
        (
            "bad-telephones-hours",
            "Opening hours that drive a terminal.",
            changed(&|wire| number(wire, &|number| number.hours = "\u{1b}[2J".into())),
        ),
        (
            "bad-telephones-region",
            "A region of 101 bytes.",
            changed(&|wire| number(wire, &|number| number.region = "a".repeat(101))),
        ),
        (
            "bad-telephones-language",
            "A language with an underscore.",
            changed(&|wire| number(wire, &|number| number.languages = vec!["nl_NL".into()])),
        ),
        (
            "bad-telephones-name",
            "A country without a name in a language.",
            changed(&|wire| wire.countries[1].names[0].name.clear()),
        ),
        ("bad-telephones-truncated", "Numbers without the last byte of their payload.", {
            let mut payload = sign(Who::Root).payload;
            payload.truncate(payload.len() - 1);
            kit::key(Who::Root).sign_bytes(Kind::Telephones, payload).encode_to_vec()
        }),
        ("bad-telephones-empty", "Nothing at all.", Vec::new()),
    ]
    .map(|(name, about, signed)| Vector {
        name,
        about,
        lines: vec![Vector::hex("signed", &signed)],
        yields: read(&signed),
        read: |fields| read(&fields.bytes("signed")),
    })
    .into()
}

fn read(signed: &[u8]) -> String {
    let telephones = match Telephones::verify(signed, &kit::roots(), PRODUCT) {
        Ok(telephones) => telephones,
        Err(error) => return format!("error: {error:?}"),
    };
    let country = |country: &shared::telephones::TelephoneCountry| {
        let numbers = country.numbers.iter().map(|number| {
            let kinds: Vec<_> = number.kinds.iter().copied().map(KeyKind::name).collect();
            format!(
                "{:?} {:?} {kinds:?} {:?} {:?} {:?}",
                number.number, number.region, number.text_telephone, number.hours, number.languages
            )
        });
        format!("{} {:?}: {}", country.code, country.names, numbers.collect::<Vec<_>>().join(", "))
    };
    telephones.countries().iter().map(country).collect::<Vec<_>>().join("; ")
}

//! Product keys as people have them on paper, and what somebody may type instead.

use shared::product_key::{KeyError, KeyKind, ProductKey, ProductTag};

use crate::kit::{self, PRODUCT};
use crate::vector_files::{Fields, Vector};

const RANDOM: [u8; 10] = [0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99];

pub(crate) fn all() -> Vec<Vector> {
    let mut vectors = good();
    vectors.extend(typed());
    vectors.extend(bytes());
    vectors
}

fn key(kind: KeyKind) -> ProductKey {
    ProductKey::new(kind, ProductTag::of(PRODUCT), &RANDOM)
}

// Keys.

fn good() -> Vec<Vector> {
    [
        ("product-key-host", "A key that activates hosts.", KeyKind::Host),
        ("product-key-multiple-activation", "A key that activates machines.", KeyKind::MultipleActivation),
        ("product-key-subscription", "A key of a subscription.", KeyKind::Subscription),
    ]
    .map(|(name, about, kind)| {
        let key = key(kind);
        let lines = vec![
            Vector::hex("product", PRODUCT.as_bytes()),
            Vector::hex("bytes", key.as_bytes()),
            ("text", key.to_string()),
        ];
        Vector { name, about, lines, yields: describe(&key), read: read_key }
    })
    .into()
}

fn read_key(fields: &Fields) -> String {
    let key = ProductKey::from_slice(&fields.bytes("bytes")).unwrap();
    assert_eq!(fields.text("text").parse(), Ok(key.clone()));
    assert_eq!(key.to_string(), fields.text("text"));
    assert_eq!(fields.bytes("product"), PRODUCT.as_bytes());
    key.check(key.kind(), PRODUCT).unwrap();
    describe(&key)
}

fn describe(key: &ProductKey) -> String {
    format!("{} key, tag {}, number {}", key.kind().name(), key.tag().value(), key.number())
}

// Typed text.

fn typed() -> Vec<Vector> {
    let text = key(KeyKind::MultipleActivation).to_string();
    let groups: Vec<_> = text.split('-').collect();
    let [one, two, three, four, five] = groups[..] else { panic!("{text}") };
    let swapped = |first: usize, second: usize| {
        let mut signs: Vec<_> = text.chars().collect();
        signs.swap(first, second);
        signs.into_iter().collect::<String>()
    };
    let typed = |name, about, text: String| {
        let yields = read_text(&text);
        Vector {
            name,
            about,
            lines: vec![("text", text)],
            yields,
            read: |fields| read_text(fields.text("text")),
        }
    };
    vec![
        typed(
            "product-key-typed",
            "A key in lower case, with look-alikes, other dashes and spaces.",
            format!("{one}{two} {three}\u{2014}{four} \u{2013} {five}")
                .to_lowercase()
                .replace('1', "l")
                .replace('0', "o"),
        ),
        typed(
            "product-key-wide",
            "A key in full-width characters.",
            text.chars().map(|c| char::from_u32(u32::from(c) + 0xFEE0).unwrap()).collect(),
        ),
        typed("bad-product-key-symbol", "A key with one wrong symbol.", {
            let wrong = if three.ends_with('Z') { "Y" } else { "Z" };
            format!("{one}-{two}-{}{wrong}-{four}-{five}", &three[..4])
        }),
        typed("bad-product-key-neighbours", "A key with two neighbours swapped.", swapped(6, 7)),
        typed(
            "bad-product-key-across",
            "A key with two neighbours swapped, one on each side of a dash.",
            swapped(10, 12),
        ),
        typed(
            "bad-product-key-groups",
            "A key with two groups swapped.",
            [one, four, three, two, five].join("-"),
        ),
        typed(
            "bad-product-key-short",
            "A key without its eighth symbol.",
            format!("{one}{}{}{three}{four}{five}", &two[..2], &two[3..]),
        ),
        typed(
            "bad-product-key-long",
            "A key with its last symbol but one typed twice.",
            format!("{}{}", &text[..28], &text[27..]),
        ),
        typed("bad-product-key-missing", "A key without its third group.", [one, two, four, five].join("-")),
        typed(
            "bad-product-key-sign",
            "A key with a letter that no key has.",
            format!("{one}-{two}-{three}-{four}-U{}", &five[1..]),
        ),
    ]
}

fn read_text(text: &str) -> String {
    match text.parse::<ProductKey>() {
        Ok(key) => describe(&key),
        Err(KeyError::Mistyped(mistyped)) => format!("wrong groups {}", mistyped.groups()),
        Err(error) => format!("error: {error:?}"),
    }
}

// Bytes.

fn bytes() -> Vec<Vector> {
    let key = *key(KeyKind::Host).as_bytes();
    let changed = |index: usize, bits: u8| {
        let mut key = key;
        key[index] ^= bits;
        key.to_vec()
    };
    [
        ("bad-product-key-version", "A key of version 1.", changed(0, 0x40), "error: Newer"),
        ("bad-product-key-kind", "A key of kind 7.", changed(0, 0x38), "error: Newer"),
        ("bad-product-key-unused", "A key whose last bit is set.", changed(12, 1), "error: Malformed"),
        ("bad-product-key-cut", "A key without its last byte.", key[..12].to_vec(), "error: Malformed"),
    ]
    .map(|(name, about, bytes, yields)| Vector {
        name,
        about,
        lines: vec![("bytes", kit::hex(&bytes))],
        yields: yields.into(),
        read: |fields| match ProductKey::from_slice(&fields.bytes("bytes")) {
            Ok(key) => describe(&key),
            Err(error) => format!("error: {error:?}"),
        },
    })
    .into()
}

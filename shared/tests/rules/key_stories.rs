//! Product keys: what somebody types wrong is found before anything is sent, and the groups are named.

use proptest::prelude::*;
use sha2::{Digest, Sha256};
use shared::groups::{GroupState, Mistake};
use shared::ids::ProductId;
use shared::product_key::{KeyError, KeyKind, KeyNumber, KeyText, ProductKey, ProductTag};
use shared::reason::Cause;

use crate::kit::{OTHER_PRODUCT, PRODUCT};

/// The symbols of keys, in the order of their values.
const SYMBOLS: &str = "0123456789ABCDEFGHJKMNPQRSTVWXYZ";

/// Keys as chance would make them, of every kind and of many products.
fn keys() -> impl Iterator<Item = ProductKey> {
    (0_u8..48).map(|number| {
        let digest = Sha256::digest([number]);
        let product = ProductId::from_slice(&digest[..16]).unwrap();
        let kind = KeyKind::ALL[usize::from(number) % KeyKind::ALL.len()];
        ProductKey::new(kind, ProductTag::of(product), digest[16..26].try_into().unwrap())
    })
}

/// The symbols of a key, without dashes.
fn symbols(key: &ProductKey) -> Vec<char> {
    key.to_string().chars().filter(|c| *c != '-').collect()
}

/// The groups that are named, the first being 1; none if the text is a key.
fn wrong_groups(text: &str) -> Vec<u8> {
    match text.parse::<ProductKey>() {
        Ok(_) => Vec::new(),
        Err(KeyError::Mistyped(mistyped)) => mistyped.mistakes().iter().map(|(group, _)| *group).collect(),
        Err(other) => panic!("{other}"),
    }
}

fn named(symbols: &[char]) -> Vec<u8> {
    wrong_groups(&symbols.iter().collect::<String>())
}

/// The group of a symbol.
fn group(index: usize) -> u8 {
    u8::try_from(index / 5 + 1).unwrap()
}

#[track_caller]
fn check(text: &str, expected: &str) {
    let outcome = text.parse::<ProductKey>();
    assert_eq!(outcome.map_or_else(|error| error.to_string(), |key| key.number().to_string()), expected);
}

/// The key of the examples, and of protocol.md 10.
fn example() -> ProductKey {
    let random = [0x00, 0x11, 0x22, 0x33, 0x44, 0x55, 0x66, 0x77, 0x88, 0x99];
    ProductKey::new(KeyKind::MultipleActivation, ProductTag::of(PRODUCT), &random)
}

#[test]
fn a_key_survives_its_text_and_its_bytes() {
    for key in keys() {
        let text = key.to_string();
        assert_eq!(text.parse(), Ok(key.clone()));
        assert_eq!(ProductKey::from_slice(key.as_bytes()), Ok(key.clone()));
        assert_eq!(text.split('-').map(str::len).collect::<Vec<_>>(), [5; 5]);
        assert!(text.ends_with(&key.last_group()) && key.last_group().len() == 5);
        assert!(text.chars().all(|c| c == '-' || SYMBOLS.contains(c)));
        assert_eq!(key.number().to_string().parse(), Ok(key.number()));
        assert_eq!(format!("{key:?}"), format!("ProductKey({})", key.number()), "and no log shows it");
    }
}

#[test]
fn every_wrong_symbol_is_found_and_its_group_is_named() {
    for key in keys() {
        let right = symbols(&key);
        for index in 0..right.len() {
            for wrong in SYMBOLS.chars().filter(|symbol| *symbol != right[index]) {
                let mut typed = right.clone();
                typed[index] = wrong;
                assert_eq!(named(&typed), [group(index)], "{key} with {wrong} at {index}");
            }
        }
    }
}

#[test]
fn every_swap_of_neighbours_is_found_and_its_groups_are_named() {
    for key in keys() {
        let right = symbols(&key);
        for index in 1..right.len() {
            let mut typed = right.clone();
            typed.swap(index - 1, index);
            let mut groups = vec![group(index - 1), group(index)];
            groups.dedup();
            // Two that are equal were not swapped.
            let expected = if typed == right { Vec::new() } else { groups };
            assert_eq!(named(&typed), expected, "{key} with {index} swapped");
        }
    }
}

/// Hearing "double three" one place too late makes another twin.
#[test]
fn every_swap_within_a_group_and_every_wrong_twin_is_found() {
    for key in keys() {
        let right = symbols(&key);
        for (first, second) in (0..25).flat_map(|second| (0..second).map(move |first| (first, second))) {
            let mut typed = right.clone();
            typed.swap(first, second);
            if group(first) == group(second) && typed != right {
                assert_eq!(named(&typed), [group(first)], "{key} with {first} and {second} swapped");
            }
        }
        for index in
            (1..25).filter(|index| right[*index] == right[index - 1] && group(*index) == group(index - 1))
        {
            for wrong in SYMBOLS.chars().filter(|symbol| *symbol != right[index]) {
                let mut typed = right.clone();
                typed[index - 1..=index].fill(wrong);
                assert_eq!(named(&typed), [group(index)], "{key} with the twin {wrong} at {index}");
            }
        }
    }
}

#[test]
fn every_swap_of_groups_is_found_and_both_are_named() {
    for key in keys() {
        let text = key.to_string();
        let right: Vec<_> = text.split('-').collect();
        for (first, second) in (0..5).flat_map(|second| (0..second).map(move |first| (first, second))) {
            let mut typed = right.clone();
            typed.swap(first, second);
            let expected = [group(5 * first), group(5 * second)];
            assert_eq!(wrong_groups(&typed.join("-")), expected, "{key}");
            assert_eq!(wrong_groups(&typed.concat()), expected, "{key}");
        }
    }
}

#[test]
fn a_symbol_that_was_left_out_or_typed_twice_is_in_the_group_that_is_named() {
    let mut several = 0;
    for key in keys() {
        let (right, text) = (symbols(&key), key.to_string());
        for index in 0..25 {
            let mut left_out = right.clone();
            left_out.remove(index);
            let mut twice = right.clone();
            twice.insert(index, right[index]);
            // With dashes, one character of the text is missing or more.
            let at = index + index / 5;
            let dashed =
                [format!("{}{}", &text[..at], &text[at + 1..]), format!("{}{}", &text[..=at], &text[at..])];
            for typed in dashed {
                assert_eq!(wrong_groups(&typed), [group(index)], "{typed}");
            }
            for typed in [left_out, twice] {
                // Without dashes another group may fit as well, one time in some thirty: then both are named.
                let groups = named(&typed);
                assert!(groups.contains(&group(index)), "{groups:?}, not {}", group(index));
                several += usize::from(groups.len() != 1);
            }
        }
    }
    // The first symbol of a group, typed twice, may as well be one too many at the end of the group before.
    assert!(several < 48 * 25 * 2 / 4, "{several}");
}

#[test]
fn however_a_key_is_typed_it_is_the_same_key() {
    for key in keys() {
        let text = key.to_string();
        let wide = |c: char| char::from_u32(u32::from(c) + 0xFEE0).unwrap();
        let bare = text.replace('-', "");
        let look_alikes: String = bare.chars().map(|c| if c == '1' { 'l' } else { c }).collect();
        let mut typed = vec![
            text.to_lowercase(),
            bare.clone(),
            look_alikes.replace('0', "o"),
            bare.replace('1', "I").replace('0', "O"),
            text.chars().map(wide).collect(),
            text.to_lowercase().chars().map(wide).collect(),
            format!("  {text}\r\n"),
            bare.chars().flat_map(|c| [c, ' ']).collect(),
            // Divided elsewhere than the key is.
            format!("{}-{}-{}", &bare[..7], &bare[7..14], &bare[14..]),
        ];
        let separators = "\u{58a}\u{2010}\u{2011}\u{2012}\u{2013}\u{2014}\u{2015}\u{2212}\u{2e3a}\u{fe58}\u{fe63}\u{ff0d}\u{301c}\u{30fc}\u{ff70} \t\n\u{a0}\u{2003}\u{2009}\u{202f}\u{3000}\u{ad}\u{200b}\u{200e}\u{2060}\u{feff}";
        typed.extend(separators.chars().map(|separator| text.replace('-', &separator.to_string())));
        for typed in typed {
            assert_eq!(typed.parse(), Ok(key.clone()), "{typed:?}");
        }
    }
}

#[test]
fn what_is_wrong_is_said_in_words() {
    let key = example().to_string();
    let first_four = &key[..23];
    check(&key, &example().number().to_string());
    check("", "groups 1, 2, 3, 4 and 5 are missing");
    check(first_four, "group 5 is missing");
    check(&key[..28], "group 5 has 4 characters");
    check(&key[..25], "group 5 has 1 character");
    check(&format!("{key}0"), "group 5 has 6 characters");
    check(&format!("{key}-{key}-{key}"), "group 5 has 10 characters");
    check(&key.replacen(&key[..2], "0U", 1), "character 2 of group 1 cannot be `U`");
    check(&format!("{first_four}-\u{421}000\""), "character 1 of group 5 cannot be `\u{421}` (U+0421)");
    check(&format!("{}-{}", &key[6..], &key[..5]), "groups 1, 2, 3, 4 and 5 are mistyped");
    check(&key[12..], "groups 1, 2 and 3 are mistyped; groups 4 and 5 are missing");
}

/// A form shows it while somebody types.
#[test]
fn a_key_that_is_not_whole_yet_shows_its_groups() {
    let key = example().to_string();
    let states = |typed: &str| KeyText::new(typed).groups();
    let [right, partial, empty] = [GroupState::Right, GroupState::Partial, GroupState::Empty];
    assert_eq!(states(""), [empty; 5]);
    assert_eq!(states(&key[..8]), [right, partial, empty, empty, empty]);
    assert_eq!(states(&key), [right; 5]);
    let mistyped = key[..11].replacen(&key[..1], "Z", 1);
    assert_eq!(states(&mistyped), [GroupState::Wrong(Mistake::Check), right, empty, empty, empty]);
    let sign = GroupState::Wrong(Mistake::Sign { position: 1, sign: '!' });
    assert_eq!(states("!"), [sign, empty, empty, empty, empty]);
}

#[test]
fn a_key_of_another_product_or_kind_is_told() {
    let key = example();
    let check = |key: &ProductKey, kind, product| {
        key.check(kind, product).map_err(|error| Cause::from(error).to_string())
    };
    assert_eq!(check(&key, KeyKind::MultipleActivation, PRODUCT), Ok(()));
    let other_product = Err("KEY_OTHER_PRODUCT: this is a key for another product".to_owned());
    assert_eq!(check(&key, KeyKind::MultipleActivation, OTHER_PRODUCT), other_product);
    assert_eq!(check(&key, KeyKind::Host, OTHER_PRODUCT), other_product);
    let other_kind = "KEY_OTHER_KIND: this is a multiple-activation key, and a host key is needed here";
    assert_eq!(check(&key, KeyKind::Host, PRODUCT), Err(other_kind.to_owned()));
}

#[test]
fn a_mistyped_key_names_its_groups_by_number() {
    let key = example().to_string();
    let cause = |typed: &str| Cause::from(typed.parse::<ProductKey>().unwrap_err());
    let swapped = format!("{}-{}-{}", &key[6..11], &key[..5], &key[12..]);
    assert_eq!(
        cause(&swapped).to_string(),
        "KEY_MALFORMED: the product key cannot be right: look at group 1, 2"
    );
    assert_eq!(cause(&swapped).parameter("groups"), Some("1, 2"));
}

/// Unknown is not damaged: all its groups are right.
#[test]
fn a_key_of_a_later_version_or_kind_asks_for_an_update() {
    let of_kind = |first: u8| {
        let mut bytes = *example().as_bytes();
        bytes[0] = first << 3 | bytes[0] & 7;
        ProductKey::from_slice(&bytes)
    };
    assert_eq!(of_kind(1), Ok(example()));
    for newer in 3..32 {
        assert_eq!(of_kind(newer), Err(KeyError::Newer), "{newer}");
    }
    let cause = Cause::from(KeyError::Newer);
    assert_eq!(cause.to_string(), "KEY_NEWER: the product key is of a kind that this release does not know");
}

#[test]
fn bytes_are_a_key_in_one_form_only() {
    let key = example();
    let mut bytes = *key.as_bytes();
    for stray in 1..16 {
        bytes[12] = key.as_bytes()[12] | stray;
        assert_eq!(ProductKey::from_slice(&bytes), Err(KeyError::Malformed), "{stray}");
    }
    for other in [&[][..], &key.as_bytes()[..12], &[0; 14]] {
        assert_eq!(ProductKey::from_slice(other), Err(KeyError::Malformed));
    }
}

#[test]
fn a_number_is_read_as_people_write_it() {
    let number = KeyNumber::from_bytes([0x08, 0x42, 0x10, 0x84, 0x20]);
    assert_eq!(number.to_string(), "1111-1110");
    for typed in ["1111-1110", "llll iiio", "11111110", " 1111\u{2013}1110\n"] {
        assert_eq!(typed.parse(), Ok(number), "{typed}");
    }
    for other in ["", "1111-111", "1111-11100", "1111-111U", "1111_1110"] {
        assert!(other.parse::<KeyNumber>().is_err(), "{other}");
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>(), cut in any::<prop::sample::Index>()) {
        let key = example().to_string();
        let mixed = format!("{}{text}{}", &key[..cut.index(key.len())], &key[cut.index(key.len())..]);
        for typed in [&text, &mixed] {
            let _ = typed.parse::<KeyNumber>();
            prop_assert_eq!(KeyText::new(typed).groups().len(), 5);
            if let Err(KeyError::Mistyped(mistyped)) = typed.parse::<ProductKey>() {
                prop_assert!(!mistyped.to_string().is_empty() && !mistyped.groups().is_empty());
            }
        }
    }

    #[test]
    fn bytes_that_are_a_key_survive_its_text(bytes in any::<[u8; 13]>()) {
        if let Ok(key) = ProductKey::from_slice(&bytes) {
            prop_assert_eq!(key.as_bytes(), &bytes);
            prop_assert_eq!(key.to_string().parse(), Ok(key));
        }
    }
}

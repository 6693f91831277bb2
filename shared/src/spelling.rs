//! How far two spellings are apart: for a code or a name that was probably meant for another.

use alloc::string::String;
use alloc::vec::Vec;

/// How many letters have to be put in, taken out or changed to make one of the other (Levenshtein).
pub fn distance(one: &str, other: &str) -> usize {
    let mut row: Vec<usize> = (0..=other.chars().count()).collect();
    for (index, letter) in one.chars().enumerate() {
        let mut diagonal = core::mem::replace(&mut row[0], index + 1);
        for (column, against) in other.chars().enumerate() {
            let changed = diagonal + usize::from(letter != against);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[other.chars().count()]
}

/// Whether two names probably mean the same product or organisation: their letters and digits differ by one or two typing errors at most. Other
/// digits are no typing error: "Branch 7" is not "Branch 8".
pub fn is_near(one: &str, other: &str) -> bool {
    let letters = |name: &str| -> String {
        name.chars().filter(|c| c.is_alphanumeric()).flat_map(char::to_lowercase).collect()
    };
    let digits = |name: &str| -> String { name.chars().filter(|c| c.is_numeric()).collect() };
    let (one, other) = (letters(one), letters(other));
    let slips = if one.chars().count().min(other.chars().count()) < 8 { 1 } else { 2 };
    digits(&one) == digits(&other) && distance(&one, &other) <= slips
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_that_is_spelled_otherwise_is_near_and_another_one_is_not() {
        for near in [
            "Example works",
            "ExampleWorks",
            " Example  Works.",
            "Exampel Works",
            "Example Work",
            "EXAMPLE-WORKS",
        ] {
            assert!(is_near("Example Works", near), "{near}");
        }
        for far in ["Example University", "Examples", "Other Works", "Example Works 2", ""] {
            assert!(!is_near("Example Works", far), "{far}");
        }
        assert!(!is_near("Branch 7", "Branch 8"));
        assert!(is_near("Acme", "Akme") && !is_near("Acme", "Aqua"));
        assert!(is_near("Škoda", "škoda"));
    }
}

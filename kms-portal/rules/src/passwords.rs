//! Which passwords are taken: long ones, whatever their signs are (NIST SP 800-63B, 5.1.1).

/// The fewest signs of a password. Guesses at an account are limited, so nobody tries many.
pub const PASSWORD_MIN: usize = 10;

/// The most bytes: more is no better, and has to be read and hashed.
const PASSWORD_MAX_BYTES: usize = 256;

/// Why a password is not taken.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum WeakPassword {
    /// It has too few signs.
    #[error("a password has at least {PASSWORD_MIN} signs")]
    Short,
    /// It is too long.
    #[error("a password has at most {PASSWORD_MAX_BYTES} bytes")]
    Long,
    /// It is what everybody tries first: the address, one sign again and again, or a row of keys.
    #[error("this is what others try first")]
    Guessable,
}

/// Whether this may be the password of a person with this address.
///
/// # Errors
/// [`WeakPassword`].
pub fn check(password: &str, address: &str) -> Result<(), WeakPassword> {
    if password.chars().count() < PASSWORD_MIN {
        return Err(WeakPassword::Short);
    }
    if PASSWORD_MAX_BYTES < password.len() {
        return Err(WeakPassword::Long);
    }
    let typed = password.to_lowercase();
    let first = typed.chars().next();
    let is_one_sign = typed.chars().all(|sign| Some(sign) == first);
    let in_a_row =
        ["0123456789", "1234567890", "abcdefghijklmnopqrstuvwxyz", "qwertyuiop", "qwertzuiop", "azertyuiop"];
    let is_a_row = in_a_row.iter().any(|row| row.contains(&typed));
    let local = address.rsplit_once('@').map_or(address, |(local, _)| local);
    let is_address = typed == address.to_lowercase() || typed == local.to_lowercase();
    if is_one_sign || is_a_row || is_address { Err(WeakPassword::Guessable) } else { Ok(()) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_long_password_is_taken_and_what_everybody_tries_is_not() {
        let check = |password: &str| check(password, "Wilhelmina@example.com");
        assert_eq!(check("läßt uns g"), Ok(()));
        assert_eq!(check("läßt uns "), Err(WeakPassword::Short));
        assert_eq!(check(&"ab".repeat(128)), Ok(()));
        assert_eq!(check(&format!("{}c", "ab".repeat(128))), Err(WeakPassword::Long));
        for tried in ["aaaaaaaaaaaa", "1234567890", "QWERTYUIOP", "wilhelmina", "wilhelmina@EXAMPLE.com"] {
            assert_eq!(check(tried), Err(WeakPassword::Guessable), "{tried}");
        }
    }
}

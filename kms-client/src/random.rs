//! Randomness from the operating system: keys, nonces, jitter and the draw among SRV records. Rules take it as an argument.

use std::io;

use shared::license::Draw;

/// This many random bytes.
///
/// # Errors
/// The system gives none, as on old kernels and in sandboxes. Then no key and no nonce is made.
pub(crate) fn bytes<const N: usize>() -> io::Result<[u8; N]> {
    let mut bytes = [0; N];
    getrandom::fill(&mut bytes)
        .map_err(|error| io::Error::other(format!("the system gives no random bytes: {error}")))?;
    Ok(bytes)
}

/// A share of the jitter. Without randomness it is 0: no rule depends on it.
pub(crate) fn draw() -> Draw {
    Draw(getrandom::u32().unwrap_or(0))
}

/// A number from 0 to `highest` inclusive, all equally likely (to one part in 2^16: the sums of SRV weights are far below 2^32).
#[cfg(feature = "dns")]
pub(crate) fn up_to(highest: u32) -> u32 {
    let drawn = u64::from(getrandom::u32().unwrap_or(0));
    let scaled = (drawn * (u64::from(highest) + 1)) >> 32;
    u32::try_from(scaled).unwrap_or(highest)
}

#[cfg(all(test, feature = "dns"))]
mod tests {
    use super::*;

    #[test]
    fn a_draw_reaches_both_ends_and_not_beyond() {
        let drawn: Vec<u32> = (0..400).map(|_| up_to(3)).collect();
        assert!((0..=3).all(|number| drawn.contains(&number)));
        assert!(drawn.iter().all(|number| *number <= 3));
        assert_eq!(up_to(0), 0);
    }
}

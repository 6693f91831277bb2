//! Passwords of people: Argon2id, as many at once as there are cores.
//!
//! A hash takes 19 MiB and some milliseconds on purpose. So a permit is needed for each, and the threads that answer others do not wait.

use std::thread::available_parallelism;

use argon2::{Algorithm, Argon2, Params, PasswordHasher as _, PasswordVerifier as _, Version};
use tokio::sync::Semaphore;
use tokio::task::spawn_blocking;
use zeroize::Zeroizing;

/// A hash of nothing, which costs as much to compare as every other one.
const NOBODYS: &str =
    "$argon2id$v=19$m=19456,t=2,p=1$AAAAAAAAAAAAAAAAAAAAAA$AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA";

/// How many are compared at least. One address may have a personal account and a work account, and how long an answer takes must not
/// tell how many there are.
const AT_LEAST: usize = 2;

/// Hashes passwords.
#[derive(Debug)]
pub struct Passwords {
    permits: Semaphore,
}

impl Passwords {
    /// With a permit for each core.
    pub(crate) fn new() -> Passwords {
        Passwords { permits: Semaphore::new(available_parallelism().map_or(1, usize::from)) }
    }

    /// The hash of a password, with a salt of its own.
    pub async fn hash(&self, password: &str) -> String {
        let (password, salt) = (secret(password), rand::random::<[u8; 16]>());
        self.slowly(move || {
            let hash = argon2().hash_password_with_salt(password.as_bytes(), &salt);
            hash.expect("a password of any length and a salt of 16 bytes have a hash").to_string()
        })
        .await
    }

    /// At which of these hashes the password is right. It takes as long whether there are none or two.
    pub(crate) async fn compare(&self, password: &str, hashes: Vec<Option<String>>) -> Vec<bool> {
        let mut right = Vec::with_capacity(hashes.len());
        let padding = AT_LEAST.saturating_sub(hashes.len());
        let count = hashes.len();
        for hash in hashes.into_iter().chain(std::iter::repeat_n(None, padding)) {
            let (password, is_known) = (secret(password), hash.is_some());
            let hash = hash.unwrap_or_else(|| NOBODYS.to_owned());
            let is_right =
                self.slowly(move || argon2().verify_password(password.as_bytes(), hash.as_str()).is_ok());
            right.push(is_right.await && is_known);
        }
        right.truncate(count);
        right
    }

    async fn slowly<T: Send + 'static>(&self, work: impl FnOnce() -> T + Send + 'static) -> T {
        let _permit = self.permits.acquire().await.expect("the semaphore is never closed");
        spawn_blocking(work).await.expect("it does not panic, and is not cancelled")
    }
}

fn secret(password: &str) -> Zeroizing<String> {
    Zeroizing::new(password.to_owned())
}

/// OWASP's first choice: 19 MiB, two passes, one lane.
fn argon2() -> Argon2<'static> {
    Argon2::new(Algorithm::Argon2id, Version::V0x13, Params::DEFAULT)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_password_is_right_at_its_own_hash_alone() {
        let passwords = Passwords::new();
        let [one, again] = [passwords.hash("correct horse").await, passwords.hash("correct horse").await];
        assert!(one.starts_with("$argon2id$v=19$m=19456,t=2,p=1$"), "{one}");
        assert_ne!(one, again, "each has its own salt");
        let hashes = vec![None, Some(one), Some(NOBODYS.to_owned()), Some("no hash".to_owned())];
        assert_eq!(passwords.compare("correct horse", hashes.clone()).await, [false, true, false, false]);
        assert_eq!(passwords.compare("correct horsE", hashes).await, [false; 4]);
        assert!(passwords.compare("", Vec::new()).await.is_empty());
    }

    /// A hash that cannot be read would be compared in no time, and tell that there is no such account.
    #[test]
    fn the_hash_of_nobody_costs_what_others_cost() {
        let error = argon2().verify_password(b"", NOBODYS).unwrap_err();
        assert_eq!(error, argon2::password_hash::Error::PasswordInvalid);
    }
}

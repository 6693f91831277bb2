//! Several attempts at one thing, each a little after the one before.

use std::time::Duration;

use tokio::task::JoinSet;
use tokio::time::timeout;

/// The first success among these attempts; `None` if there is none. Each begins when the one before has failed or this time has
/// passed. Failures come into `failed`.
pub async fn race<T: Send + 'static, E: Send + 'static>(
    attempts: impl IntoIterator<Item = impl Future<Output = Result<T, E>> + Send + 'static>,
    stagger: Duration,
    failed: &mut Vec<E>,
) -> Option<T> {
    let (mut waiting, mut running) = (attempts.into_iter(), JoinSet::new());
    loop {
        let next = waiting.next();
        let more = next.is_some();
        if let Some(attempt) = next {
            running.spawn(attempt);
        }
        let outcome = if more {
            timeout(stagger, running.join_next()).await.ok()
        } else {
            Some(running.join_next().await)
        };
        match outcome {
            Some(Some(Ok(Ok(first)))) => return Some(first),
            Some(Some(Ok(Err(error)))) => failed.push(error),
            // Nothing runs and nothing waits.
            Some(None) if !more => return None,
            // The time has passed, or the runtime is being stopped.
            Some(_) | None => {}
        }
    }
}

//! Work spread over every core, for what is done while no clock runs: signing ahead, and looking at answers afterwards.

use std::num::NonZero;
use std::thread;

/// How many cores this process may use.
pub fn available() -> usize {
    thread::available_parallelism().map_or(1, NonZero::get)
}

/// Does one thing to each item, on every core, and keeps the order.
///
/// # Panics
/// The work did.
pub fn on_every_core<T: Send, R: Send>(items: Vec<T>, work: impl Fn(T) -> R + Sync) -> Vec<R> {
    let share = items.len().div_ceil(available()).max(1);
    let mut items = items.into_iter();
    let shares: Vec<Vec<T>> = std::iter::from_fn(|| {
        Some(items.by_ref().take(share).collect()).filter(|some: &Vec<T>| !some.is_empty())
    })
    .collect();
    let work = &work;
    thread::scope(|scope| {
        let threads: Vec<_> = shares
            .into_iter()
            .map(|share| scope.spawn(move || share.into_iter().map(work).collect::<Vec<R>>()))
            .collect();
        threads.into_iter().flat_map(|thread| thread.join().expect("the work does not panic")).collect()
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_order_is_kept_and_nothing_is_lost() {
        for count in [0, 1, 2, 3, 1000] {
            let doubled = on_every_core((0..count).collect(), |number| number * 2);
            assert_eq!(doubled, (0..count).map(|number| number * 2).collect::<Vec<_>>());
        }
    }
}

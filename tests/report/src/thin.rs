//! Fewer points where there are more than a screen can show, and never a peak less.
//!
//! The points are looked at in upright strips of the drawing; of each, those stay that reach lowest and highest, and the
//! first and the last, so that the way into the strip and out of it is the true one.

/// More points than these are thinned. A wide drawing has fewer columns of pixels.
pub(super) const MANY: usize = 1500;

/// The positions of the points to draw, ascending.
///
/// `places` are the points' shares of the horizontal axis, `values` one list for each line that is drawn through them;
/// what is not a number there is a gap, and the edges of a gap stay.
pub(super) fn kept(places: &[f64], values: &[&[f64]]) -> Vec<usize> {
    if places.len() <= MANY {
        return (0..places.len()).collect();
    }
    let strips = f64::from(u32::try_from(MANY / (2 + 2 * values.len())).unwrap_or(u32::MAX)).max(1.0);
    let strip = |at: usize| (places[at] * strips).floor();
    let mut kept = Vec::with_capacity(MANY);
    let mut first = 0;
    for end in 1..=places.len() {
        // A place that is not a number never begins a new strip.
        if end == places.len() || strip(end) > strip(first) {
            keep_of(first, end, values, &mut kept);
            first = end;
        }
    }
    kept
}

/// Keeps the points from `first` up to `end` that show how far the strip reaches.
fn keep_of(first: usize, end: usize, values: &[&[f64]], kept: &mut Vec<usize>) {
    let mut few = vec![first, end - 1];
    for line in values {
        let numbers = || (first..end).filter(|at| line[*at].is_finite());
        few.extend(numbers().min_by(|a, b| line[*a].total_cmp(&line[*b])));
        few.extend(numbers().max_by(|a, b| line[*a].total_cmp(&line[*b])));
    }
    few.sort_unstable();
    few.dedup();
    kept.extend(few);
}

#[cfg(test)]
mod tests {
    use super::*;

    fn even_places(points: u32) -> Vec<f64> {
        (0..points).map(|at| f64::from(at) / f64::from(points - 1)).collect()
    }

    #[test]
    fn few_points_all_stay() {
        let places = even_places(1500);
        assert_eq!(kept(&places, &[&places]).len(), 1500);
    }

    #[test]
    fn the_one_peak_and_the_one_dip_among_a_hundred_thousand_stay() {
        let places = even_places(100_000);
        let mut values = vec![5.0; 100_000];
        (values[54_321], values[77_777]) = (900.0, 0.0);
        let kept = kept(&places, &[&values]);
        assert!(kept.contains(&54_321) && kept.contains(&77_777));
        assert!(kept.contains(&0) && kept.contains(&99_999));
        assert!(kept.len() <= MANY + 4, "{} points", kept.len());
        assert!(kept.is_sorted());
    }

    #[test]
    fn each_line_of_a_stack_keeps_its_own_peak() {
        let places = even_places(50_000);
        let (mut low, mut high) = (vec![1.0; 50_000], vec![1.0; 50_000]);
        (low[10_000], high[40_000]) = (2.0, 2.0);
        let kept = kept(&places, &[&low, &high]);
        assert!(kept.contains(&10_000) && kept.contains(&40_000) && kept.len() <= MANY + 6);
    }

    #[test]
    fn a_gap_keeps_its_edges() {
        // All but the last point lie in one strip, and the gap is before the long way to the last.
        let mut places = vec![0.0; 2000];
        places[1999] = 1.0;
        let mut values = vec![1.0; 2000];
        values[1998] = f64::NAN;
        let kept = kept(&places, &[&values]);
        assert!(kept.ends_with(&[1998, 1999]));
    }
}

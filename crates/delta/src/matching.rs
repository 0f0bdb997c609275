//! What of the new file is found in the old one.

use super::predict::Copy;

fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The longest part of `old` that `wanted` begins with.
fn longest(old: &[u8], suffixes: &[i32], wanted: &[u8]) -> (usize, usize) {
    let (mut low, mut high) = (0, suffixes.len());
    let (mut low_common, mut high_common) = (0, 0);
    while low < high {
        let middle = (low + high) / 2;
        let suffix = &old[suffixes[middle] as usize..];
        let known = low_common.min(high_common).min(suffix.len());
        let same = known + common(&suffix[known..], &wanted[known..]);
        if suffix.get(same) < wanted.get(same) {
            low = middle + 1;
            low_common = same;
        } else {
            high = middle;
            high_common = same;
        }
    }
    [low.wrapping_sub(1), low]
        .iter()
        .filter_map(|at| suffixes.get(*at))
        .map(|at| (*at as usize, common(&old[*at as usize..], wanted)))
        .max_by_key(|found| found.1)
        .unwrap_or((0, 0))
}

/// Copies that make up most of `new`, as bsdiff finds them: matches, drawn out both ways as long as most bytes agree.
pub(super) fn copies(old: &[u8], new: &[u8]) -> Vec<Copy> {
    let suffixes = divsufsort::sort(old).into_parts().1;
    let mut found = Vec::new();
    let (mut scan, mut length, mut position) = (0usize, 0usize, 0usize);
    let (mut last_scan, mut last_position) = (0usize, 0usize);
    let mut shift = 0isize;
    let agree = |at: usize, shift: isize| old.get(at.wrapping_add_signed(shift)) == new.get(at);
    while scan < new.len() {
        let mut score = 0;
        scan += length;
        let mut counted = scan;
        while scan < new.len() {
            (position, length) = longest(old, &suffixes, &new[scan..]);
            while counted < scan + length {
                score += usize::from(agree(counted, shift));
                counted += 1;
            }
            if (length == score && length != 0) || length > score + 8 {
                break;
            }
            score -= usize::from(agree(scan, shift)).min(score);
            scan += 1;
        }
        if length == score && scan != new.len() {
            continue;
        }
        let mut forward = 0;
        let (mut sum, mut best) = (0isize, 0isize);
        for n in 0..(scan - last_scan).min(old.len() - last_position) {
            sum += if old[last_position + n] == new[last_scan + n] { 1 } else { -1 };
            if sum > best {
                (best, forward) = (sum, n + 1);
            }
        }
        let mut backward = 0;
        if scan < new.len() {
            let (mut sum, mut best) = (0isize, 0isize);
            for n in 1..=(scan - last_scan).min(position) {
                sum += if old[position - n] == new[scan - n] { 1 } else { -1 };
                if sum > best {
                    (best, backward) = (sum, n);
                }
            }
        }
        if last_scan + forward > scan - backward {
            let overlap = last_scan + forward - (scan - backward);
            let (mut sum, mut best, mut keep) = (0isize, 0isize, 0);
            for n in 0..overlap {
                let left =
                    new[last_scan + forward - overlap + n] == old[last_position + forward - overlap + n];
                let right = new[scan - backward + n] == old[position - backward + n];
                sum += isize::from(left) - isize::from(right);
                if sum > best {
                    (best, keep) = (sum, n + 1);
                }
            }
            forward = forward + keep - overlap;
            backward -= keep;
        }
        if forward > 0 {
            found.push(Copy { old: last_position as u32, new: last_scan as u32, length: forward as u32 });
        }
        last_scan = scan - backward;
        last_position = position - backward;
        shift = position as isize - scan as isize;
    }
    found
}

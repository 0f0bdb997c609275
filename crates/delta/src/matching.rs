//! What of the new file is found in the old one.

use super::predict::Copy;
use super::{COMPARED_BYTES_MIN, COMPARED_PER_BYTE_MAX, COPIES_MAX, STREAMS_BYTES_MAX};

/// What a look at another place of the old file costs, in compared bytes: it is rarely in the processor's cache.
const LOOK_COST: u64 = 16;

/// What may still be spent on finding copies. Work is counted and not time, so that all machines make the same patches.
pub(super) struct Budget {
    /// Bytes that may still be compared.
    compare: u64,
    /// Bytes that may still be left without a copy.
    literals: usize,
}

impl Budget {
    /// For two files of so many bytes together.
    pub fn new(bytes: usize) -> Self {
        let compare = (bytes as u64 * COMPARED_PER_BYTE_MAX).max(COMPARED_BYTES_MIN);
        Self { compare, literals: STREAMS_BYTES_MAX }
    }

    /// `None` when that is more than there is.
    fn spend(&mut self, compared: usize) -> Option<()> {
        self.compare = self.compare.checked_sub(compared as u64 + LOOK_COST)?;
        Some(())
    }

    /// `None` when more bytes than a patch has room for are left without a copy.
    fn leave(&self, literals: usize) -> Option<()> {
        (literals <= self.literals).then_some(())
    }
}

fn common(a: &[u8], b: &[u8]) -> usize {
    a.iter().zip(b).take_while(|(a, b)| a == b).count()
}

/// The longest part of `old` that `wanted` begins with; `None` when the budget does not last.
fn longest(old: &[u8], suffixes: &[i32], wanted: &[u8], budget: &mut Budget) -> Option<(usize, usize)> {
    let (mut low, mut high) = (0, suffixes.len());
    let (mut low_common, mut high_common) = (0, 0);
    while low < high {
        let middle = (low + high) / 2;
        let suffix = &old[suffixes[middle] as usize..];
        let known = low_common.min(high_common).min(suffix.len());
        let same = known + common(&suffix[known..], &wanted[known..]);
        budget.spend(same - known)?;
        if suffix.get(same) < wanted.get(same) {
            low = middle + 1;
            low_common = same;
        } else {
            high = middle;
            high_common = same;
        }
    }
    let mut best = (0, 0);
    // Of two of the same length the last one.
    for at in [low.wrapping_sub(1), low].into_iter().filter_map(|at| suffixes.get(at)) {
        let same = common(&old[*at as usize..], wanted);
        budget.spend(same)?;
        if same >= best.1 {
            best = (*at as usize, same);
        }
    }
    Some(best)
}

/// How far the last match is drawn out forward: up to where more bytes agreed than not.
#[derive(Debug, Default)]
struct Forward {
    seen: usize,
    sum: isize,
    best: isize,
    length: usize,
}

impl Forward {
    /// Looks at the first `upto` bytes, each of them once.
    fn extend(&mut self, old: &[u8], new: &[u8], upto: usize) -> usize {
        for n in self.seen..upto.min(old.len()) {
            self.sum += if old[n] == new[n] { 1 } else { -1 };
            if self.sum > self.best {
                (self.best, self.length) = (self.sum, n + 1);
            }
        }
        self.seen = upto;
        self.length
    }
}

/// How far a match is drawn out backward, over `most` bytes at most.
fn backward(old: &[u8], new: &[u8], most: usize) -> usize {
    let (mut sum, mut best, mut length) = (0isize, 0isize, 0);
    for (n, (old, new)) in (1..=most).zip(old.iter().rev().zip(new.iter().rev())) {
        sum += if old == new { 1 } else { -1 };
        if sum > best {
            (best, length) = (sum, n);
        }
    }
    length
}

/// Of bytes that two matches claim, how many the left one keeps.
fn keep(left: &[u8], right: &[u8], new: &[u8]) -> usize {
    let (mut sum, mut best, mut keep) = (0isize, 0isize, 0);
    for (n, new) in new.iter().enumerate() {
        sum += isize::from(left[n] == *new) - isize::from(right[n] == *new);
        if sum > best {
            (best, keep) = (sum, n + 1);
        }
    }
    keep
}

/// Copies that make up most of `new`, as bsdiff finds them: matches, drawn out both ways as long as most bytes agree.
/// `None` when the budget does not last, or there are too many of them.
pub(super) fn copies(old: &[u8], new: &[u8], budget: &mut Budget) -> Option<Vec<Copy>> {
    let suffixes = divsufsort::sort(old).into_parts().1;
    let mut found = Vec::new();
    let (mut scan, mut length, mut position) = (0usize, 0usize, 0usize);
    let (mut last_scan, mut last_position) = (0usize, 0usize);
    let (mut last_forward, mut copied) = (Forward::default(), 0);
    let mut shift = 0isize;
    let agree = |at: usize, shift: isize| old.get(at.wrapping_add_signed(shift)) == new.get(at);
    while scan < new.len() {
        let mut score = 0;
        scan += length;
        let mut counted = scan;
        while scan < new.len() {
            (position, length) = longest(old, &suffixes, &new[scan..], budget)?;
            while counted < scan + length {
                score += usize::from(agree(counted, shift));
                counted += 1;
            }
            if (length == score && length != 0) || length > score + 8 {
                break;
            }
            score -= usize::from(agree(scan, shift)).min(score);
            scan += 1;
            let forward = last_forward.extend(&old[last_position..], &new[last_scan..], scan - last_scan);
            budget.leave(scan - copied - forward)?;
        }
        if length == score && scan != new.len() {
            continue;
        }
        let mut forward = last_forward.extend(&old[last_position..], &new[last_scan..], scan - last_scan);
        let mut back = 0;
        if scan < new.len() {
            let most = (scan - last_scan).min(position);
            budget.spend(most)?;
            back = backward(&old[..position], &new[..scan], most);
        }
        if last_scan + forward > scan - back {
            let overlap = last_scan + forward - (scan - back);
            let left = &old[last_position + forward - overlap..];
            let keep = keep(left, &old[position - back..], &new[scan - back..][..overlap]);
            forward = forward + keep - overlap;
            back -= keep;
        }
        if forward > 0 {
            found.push(Copy { old: last_position as u32, new: last_scan as u32, length: forward as u32 });
            copied += forward;
        }
        if found.len() > COPIES_MAX {
            return None;
        }
        (last_scan, last_position, last_forward) = (scan - back, position - back, Forward::default());
        shift = position as isize - scan as isize;
    }
    Some(found)
}

//! Releases that are given out in waves: which installs a share of them takes in.
//!
//! # Theory of operation
//! A release in waves is a target of its own beside the channel's newest one that is for everybody, signed like that one; so
//! whoever is left out finds the release before where it always was. How large its share is by now stands in another list, that
//! of the role `rollout`, which the keys sign that are online anyway. A share that nobody has signed is none: the
//! worst a missing or withheld list does is to leave everybody at what is for everybody.
//!
//! An install's place in the order is a hash of its own random number and the release's salt. It changes with neither the share nor
//! the clock, so who was in stays in as the share grows. The number never leaves the machine.
//!
//! **Invariant:** a share decides only about releases that the list of releases names; it holds nobody back from what is for
//! everybody.

use super::CHANNEL_NAME_BYTES_MAX;
use crate::hash;
use serde_json::Value;

/// The role that signs shares.
pub(crate) const ROLLOUT_ROLE: &str = "rollout";
/// The targets it may name.
pub(crate) const ROLLOUT_PATTERN: &str = "rollouts/*.json";
/// Everybody: shares and places are in hundredths of a percent.
pub const SHARE_WHOLE: u16 = 10_000;

/// Path of the target that is the manifest of a release in waves.
pub fn wave_path(channel: &str, sequence: u64) -> String {
    format!("releases/{channel}.wave-{sequence}.json")
}

/// The sequence in the path of a release of this channel in waves; `None` for every other path.
pub(crate) fn wave_sequence(path: &str, channel: &str) -> Option<u64> {
    let name = path.strip_prefix("releases/")?.strip_prefix(channel)?;
    name.strip_prefix(".wave-")?.strip_suffix(".json")?.parse().ok()
}

/// Path of the target that says how large the shares of a channel's releases are.
pub fn rollout_path(channel: &str) -> String {
    debug_assert!(channel.len() <= CHANNEL_NAME_BYTES_MAX);
    format!("rollouts/{channel}.json")
}

/// Where an install stands among all of them for a release with this salt: from 0 up to, not including, [`SHARE_WHOLE`].
///
/// ```
/// use staysail_update::trust::place_in_order;
/// assert_eq!(place_in_order("00000000000000000000000000000000", "salt"), 5603);
/// ```
pub fn place_in_order(install: &str, salt: &str) -> u16 {
    let digest = hash::of(format!("{install}{salt}").as_bytes());
    // 64 bits are far more than the order needs: no place is favoured noticeably.
    let number = u64::from_str_radix(&digest[..16], 16).unwrap_or(u64::MAX);
    (number % u64::from(SHARE_WHOLE)) as u16
}

/// The share of a release by what the role `rollout` says of its channel; none while it is paused, or when nothing is said.
///
/// ```
/// use staysail_update::trust::share_of;
/// let said = serde_json::json!({ "waves": { "7": { "share": 500 }, "8": { "share": 900, "paused": true } } });
/// assert_eq!([6, 7, 8].map(|sequence| share_of(Some(&said), sequence)), [0, 500, 0]);
/// ```
pub fn share_of(custom: Option<&Value>, sequence: u64) -> u16 {
    let wave = custom.and_then(|custom| custom.get("waves")?.get(sequence.to_string()));
    let Some(wave) = wave.filter(|wave| wave.get("paused").is_none_or(|paused| *paused == false)) else {
        return 0;
    };
    let share = wave.get("share").and_then(Value::as_u64).unwrap_or_default();
    share.min(u64::from(SHARE_WHOLE)) as u16
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn install(number: u32) -> String {
        format!("{number:032x}")
    }

    #[test]
    fn places_follow_from_install_and_salt_as_the_specification_says() {
        // printf '%s' "<install><salt>" | sha256sum, the first 16 digits, modulo 10,000.
        assert_eq!(place_in_order(&install(0), "salt"), 5_603);
        assert_eq!(place_in_order(&install(0), "other"), 7_163);
        assert_eq!(place_in_order(&install(1), "salt"), 1_430);
    }

    #[test]
    fn who_is_in_stays_in_as_the_share_grows_and_every_share_takes_in_about_as_many_as_it_says() {
        let places: Vec<u16> = (0..20_000).map(|number| place_in_order(&install(number), "a salt")).collect();
        let mut before = 0;
        for share in (0..=SHARE_WHOLE).step_by(250) {
            let inside = places.iter().filter(|place| **place < share).count();
            assert!(inside >= before, "somebody is put out at {share}");
            let wanted = usize::from(share) * 2;
            assert!(inside.abs_diff(wanted) < 300, "{inside} of {wanted} at {share}");
            before = inside;
        }
        assert_eq!(before, places.len(), "the whole is everybody");
    }

    #[test]
    fn with_another_salt_others_are_first() {
        let first = |salt: &str| -> Vec<u32> {
            (0..2_000).filter(|number| place_in_order(&install(*number), salt) < 1_000).collect()
        };
        let (one, other) = (first("one"), first("other"));
        let both = one.iter().filter(|number| other.contains(number)).count();
        assert!(both * 4 < one.len(), "{both} of {} are first twice", one.len());
    }

    #[test]
    fn only_paths_of_waves_have_their_sequence() {
        assert_eq!(wave_sequence(&wave_path("stable", 7), "stable"), Some(7));
        for path in [
            "releases/stable.json",
            "releases/stable.7.json",
            "releases/beta.wave-7.json",
            "releases/stable.wave-.json",
            "releases/stable.wave-7.json.json",
            "stable.wave-7.json",
        ] {
            assert_eq!(wave_sequence(path, "stable"), None, "{path}");
        }
        assert_eq!(super::super::channel_of(&wave_path("beta", 7)), Some("beta"));
        assert_eq!(super::super::sequence_of(&wave_path("beta", 7)), None, "it is no barrier");
    }

    #[test]
    fn what_is_no_share_is_none() {
        let said = |wave: Value| share_of(Some(&json!({ "waves": { "7": wave } })), 7);
        assert_eq!(said(json!({ "share": 1 })), 1);
        assert_eq!(said(json!({ "share": 1, "paused": false })), 1);
        assert_eq!(said(json!({ "share": u64::MAX })), SHARE_WHOLE);
        for none in [
            json!({}),
            json!(null),
            json!(5),
            json!({ "share": -1 }),
            json!({ "share": "500" }),
            json!({ "share": 0.5 }),
            json!({ "share": 500, "paused": true }),
            json!({ "share": 500, "paused": "no" }),
        ] {
            assert_eq!(said(none.clone()), 0, "{none}");
        }
        assert_eq!(share_of(None, 7), 0);
        assert_eq!(share_of(Some(&json!({ "waves": [7] })), 0), 0);
    }
}

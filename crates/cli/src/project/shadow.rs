//! `[update.shadow]`: its numbers and patterns are checked, and travel with the release.

use serde::Deserialize;
use staysail_protocol::limits;
use staysail_protocol::shadow::{Pattern, ShadowRules, WhenQuiet};

/// `[update.shadow]`: what is left out is as [`ShadowRules`] has it.
#[derive(Debug, Clone, Default, PartialEq, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Shadow {
    share: Option<f64>,
    calls_min: Option<u32>,
    seconds_max: Option<u64>,
    in_flight_max: Option<usize>,
    bytes_max: Option<usize>,
    differences_max: Option<u32>,
    slower_max: Option<f64>,
    ignore: Vec<String>,
    when_quiet: WhenQuiet,
}

/// Why it can not be used.
#[derive(Debug, PartialEq, Eq)]
pub struct Bad {
    /// Which key.
    pub key: &'static str,
    /// What is wrong with it.
    pub problem: String,
}

/// Checks the section and makes of it what travels.
///
/// # Errors
/// The first value that can not be used.
pub fn resolve(shadow: &Shadow) -> Result<ShadowRules, Bad> {
    let default = ShadowRules::default();
    let rules = ShadowRules {
        share: shadow.share.unwrap_or(default.share),
        calls_min: shadow.calls_min.unwrap_or(default.calls_min),
        seconds_max: shadow.seconds_max.unwrap_or(default.seconds_max),
        in_flight_max: shadow.in_flight_max.unwrap_or(default.in_flight_max),
        bytes_max: shadow.bytes_max.unwrap_or(default.bytes_max),
        differences_max: shadow.differences_max.unwrap_or(default.differences_max),
        slower_max: shadow.slower_max,
        ignore: shadow.ignore.clone(),
        when_quiet: shadow.when_quiet,
    };
    let bounds = rules.clone().bounded();
    let bad = |key, problem: String| Err(Bad { key, problem });
    if !(rules.share > 0.0 && rules.share <= 1.0) {
        return bad("share", format!("{} is no share; it is above 0 and at most 1", rules.share));
    }
    if rules.calls_min != bounds.calls_min {
        return bad("calls_min", between(1, limits::SHADOW_CALLS_MAX, "shadow_calls_max"));
    }
    if rules.seconds_max != bounds.seconds_max {
        return bad("seconds_max", between(1, limits::SHADOW_MAX_S, "shadow_max_s"));
    }
    if rules.in_flight_max != bounds.in_flight_max {
        return bad("in_flight_max", between(1, limits::SHADOW_IN_FLIGHT_MAX, "shadow_in_flight_max"));
    }
    if rules.bytes_max != bounds.bytes_max {
        let least = limits::SHADOW_BYTES_MIN;
        return bad("bytes_max", between(least, limits::SHADOW_BYTES_MAX, "shadow_bytes_max"));
    }
    if let Some(most) = rules.slower_max.filter(|most| !(*most >= 1.0 && most.is_finite())) {
        return bad("slower_max", format!("{most} times as long is not slower; it is at least 1"));
    }
    if rules.ignore.len() > limits::SHADOW_IGNORED_MAX {
        let most = limits::SHADOW_IGNORED_MAX;
        return bad("ignore", format!("it has at most {most} patterns (shadow_ignored_max)"));
    }
    if let Some(problem) = rules.ignore.iter().find_map(|pattern| Pattern::parse(pattern).err()) {
        return bad("ignore", problem);
    }
    Ok(rules)
}

fn between(least: impl std::fmt::Display, most: impl std::fmt::Display, name: &str) -> String {
    format!("it is at least {least} and at most {most} ({name})")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(text: &str) -> Result<ShadowRules, Bad> {
        resolve(&toml::from_str(text).unwrap())
    }

    #[test]
    fn what_is_left_out_has_its_default_and_the_rest_travels() {
        assert_eq!(read("").unwrap(), ShadowRules::default());
        let rules =
            read("share = 0.25\nignore = [\"*/time\"]\nwhen_quiet = \"wait\"\nslower_max = 1.5").unwrap();
        assert_eq!((rules.share, rules.when_quiet, rules.slower_max), (0.25, WhenQuiet::Wait, Some(1.5)));
        assert_eq!(rules.ignore, ["*/time"]);
    }

    #[test]
    fn what_can_not_be_used_is_refused_by_its_key() {
        for (text, key) in [
            ("share = 0.0", "share"),
            ("share = 1.5", "share"),
            ("share = nan", "share"),
            ("calls_min = 0", "calls_min"),
            ("seconds_max = 601", "seconds_max"),
            ("in_flight_max = 0", "in_flight_max"),
            ("bytes_max = 10", "bytes_max"),
            ("slower_max = 0.5", "slower_max"),
            ("slower_max = inf", "slower_max"),
            ("ignore = [\"/a\", \"a//b\"]", "ignore"),
        ] {
            assert_eq!(read(text).unwrap_err().key, key, "{text}");
        }
    }
}

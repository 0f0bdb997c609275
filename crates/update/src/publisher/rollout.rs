//! Releases that are given out in waves: how many get one by now, and the role that says so.
//!
//! # Theory of operation
//! The list of releases names a release in waves beside the channel's newest one that is for everybody, with a salt. How large
//! its share is stands in a list of the role `rollout`, to which the targets role has given `rollouts/*.json`, with the keys of
//! the snapshot role: so a share is changed without the key that signed the release, and by nobody who could not hold the
//! repository back anyway. Where the snapshot keys are exchanged, the role follows with the next signature of the targets role.
//!
//! A share of everything makes a release one for everybody; the next publish, or `renew --resign`, puts it where those are.

use super::current::{Current, check_owned, check_root, read};
use super::keys::Keys;
use super::lists::{List, Online, check_channel, entries};
use super::{Options, Place, Role, Writer, refused};
use crate::trust::{
    ROLLOUT_PATTERN, ROLLOUT_ROLE, SHARE_WHOLE, channel_of, rollout_path, share_of, target_path, wave_path,
    wave_sequence,
};
use crate::{Error, hash};
use serde_json::{Map, Value, json};
use sigstore_tuf::Targets;
use staysail_protocol::limits::ROLLOUT_WAVES_MAX;
use std::collections::BTreeSet;
use std::fmt;
use std::str::FromStr;

/// A part of all installs, in hundredths of a percent.
///
/// ```
/// use staysail_update::publisher::Share;
/// assert_eq!("2.5%".parse::<Share>().unwrap().to_string(), "2.5%");
/// assert!("101".parse::<Share>().is_err() && "0.001%".parse::<Share>().is_err());
/// ```
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Share(u16);

impl Share {
    /// Everybody.
    pub const WHOLE: Self = Self(SHARE_WHOLE);

    /// In hundredths of a percent.
    pub fn basis_points(self) -> u16 {
        self.0
    }
}

impl FromStr for Share {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let wrong =
            || format!("{text:?} is no share: write a percentage from 0% to 100%, such as 5% or 0.25%");
        let number = text.strip_suffix('%').unwrap_or(text);
        let (whole, fraction) = number.split_once('.').unwrap_or((number, "0"));
        let digits = |part: &str| !part.is_empty() && part.bytes().all(|byte| byte.is_ascii_digit());
        if !digits(whole) || !digits(fraction) || whole.len() > 3 || fraction.len() > 2 {
            return Err(wrong());
        }
        let hundredths: u16 = format!("{fraction:0<2}").parse().map_err(|_| wrong())?;
        let whole: u16 = whole.parse().map_err(|_| wrong())?;
        let share = whole * 100 + hundredths;
        if share > SHARE_WHOLE { Err(wrong()) } else { Ok(Self(share)) }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (whole, hundredths) = (self.0 / 100, self.0 % 100);
        match hundredths {
            0 => write!(f, "{whole}%"),
            tenths if tenths % 10 == 0 => write!(f, "{whole}.{}%", tenths / 10),
            _ => write!(f, "{whole}.{hundredths:02}%"),
        }
    }
}

/// A release in waves.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Wave {
    /// Its version.
    pub version: String,
    /// Its sequence.
    pub sequence: u64,
    /// Hash of its manifest.
    pub hash: String,
    /// How many get it, once it is not paused.
    pub share: Share,
    /// Nobody gets it for now.
    pub paused: bool,
}

/// The releases of a channel as they are given out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollout {
    /// Version of the newest one that is for everybody; `None` when nothing was published.
    pub for_everybody: Option<String>,
    /// Newer ones in waves, the newest first.
    pub waves: Vec<Wave>,
}

/// What is changed about a release in waves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Change {
    /// So many get it from now on. Who has it keeps it, also when that is fewer than before.
    Share(Share),
    /// Nobody else gets it.
    Pause,
    /// So many get it again as before the pause.
    Resume,
}

/// What is published of a channel, and to how many.
///
/// # Errors
/// See [`super::publish`].
pub fn show(place: &dyn Place, keys: &Keys, channel: &str) -> Result<Rollout, Error> {
    check_channel(channel)?;
    let Some(current) = read(place, &keys.roots()?)? else {
        return Ok(Rollout { for_everybody: None, waves: Vec::new() });
    };
    let targets = List::published(&current, channel)?;
    let waves = waves(&targets, current.channels.get(ROLLOUT_ROLE), channel);
    let for_everybody = targets.get(&target_path(channel));
    let version = for_everybody.and_then(|target| target["custom"]["version"].as_str());
    Ok(Rollout { for_everybody: version.map(str::to_owned), waves })
}

/// Changes how many get a release in waves: the one of this version, or the newest. Signed by the snapshot and timestamp keys
/// alone. What it is then.
///
/// # Errors
/// See [`super::publish`]; [`Error::Refused`] when there is no such release in waves, or when the role that signs shares has keys
/// that the root trusts no more.
pub fn change(
    place: &dyn Place,
    keys: &Keys,
    (channel, version): (&str, Option<&str>),
    change: Change,
    passphrase: Option<&str>,
    now: jiff::Timestamp,
) -> Result<Wave, Error> {
    check_channel(channel)?;
    let roots = check_root(keys, now)?;
    let online = Online::open(keys, passphrase)?;
    let current =
        read(place, &roots)?.ok_or_else(|| refused(format!("{} holds no release yet", place.name())))?;
    check_owned(Some(&current), false)?;
    let all = waves(&List::published(&current, channel)?, current.channels.get(ROLLOUT_ROLE), channel);
    let found = all.iter().find(|wave| version.is_none_or(|version| wave.version == version));
    let mut wave = found.cloned().ok_or_else(|| none_such(&all, channel, version))?;
    match change {
        Change::Share(share) => (wave.share, wave.paused) = (share, false),
        Change::Pause => wave.paused = true,
        Change::Resume => wave.paused = false,
    }
    let delegations = current.targets.delegations.as_ref();
    let delegations = delegations.and_then(|delegations| serde_json::to_value(delegations).ok());
    let mut list = list(Some(&current), delegations.as_ref(), keys, passphrase)?.ok_or_else(|| {
        refused(
            "the role that signs shares still has keys that the root does not trust for snapshots any more; nothing was \
             changed. Have it follow with the targets key: `staysail repo renew --resign`",
        )
    })?;
    let mut write = Writer { place, written: 0 };
    for (version, root) in &roots {
        write.immutable(&format!("metadata/{version}.root.json"), root)?;
    }
    let all: Vec<Wave> =
        all.into_iter().map(|one| if one.sequence == wave.sequence { wave.clone() } else { one }).collect();
    say(&mut write, &mut list, channel, &all)?;
    write.sign(Some(&current), vec![list], &online, now)?;
    Ok(wave)
}

fn none_such(all: &[Wave], channel: &str, version: Option<&str>) -> Error {
    let there = all.iter().map(|wave| wave.version.as_str()).collect::<Vec<_>>().join(", ");
    let there = match there.as_str() {
        "" => "there is none; `staysail publish --rollout 5%` publishes one".to_owned(),
        there => format!("there is {there}"),
    };
    let which = version.map(|version| format!("version {version} is ")).unwrap_or_default();
    let none = if version.is_some() { "no release of" } else { "no release is given out in waves on" };
    let waves = if version.is_some() { " that is given out in waves" } else { "" };
    refused(format!("{which}{none} {channel}{waves}: {there}. Nothing was changed"))
}

/// How many get the release of this sequence once it is not paused, and whether it is.
pub(super) fn said(custom: Option<&Value>, sequence: u64) -> (Share, bool) {
    let own = custom.and_then(|custom| custom.get("waves")?.get(sequence.to_string()));
    let paused = own.is_some_and(|own| own.get("paused").is_some_and(|paused| *paused != false));
    let running = own.map(|own| json!({ "waves": { sequence.to_string(): { "share": own["share"] } } }));
    (Share(share_of(running.as_ref(), sequence)), paused)
}

/// The releases in waves among the targets of a channel's list, the newest first.
pub(super) fn waves(targets: &Map<String, Value>, said: Option<&Targets>, channel: &str) -> Vec<Wave> {
    let number = |target: &Value| target["custom"]["sequence"].as_u64();
    let for_everybody = targets.get(&target_path(channel)).and_then(number).unwrap_or_default();
    let custom = said.and_then(|said| said.target(&rollout_path(channel))?.custom.as_ref());
    let text = |value: &Value| value.as_str().unwrap_or_default().to_owned();
    let mut waves: Vec<_> = targets
        .iter()
        .filter_map(|(path, target)| {
            let sequence = wave_sequence(path, channel).filter(|sequence| *sequence > for_everybody)?;
            let (share, paused) = self::said(custom, sequence);
            Some(Wave {
                version: text(&target["custom"]["version"]),
                sequence,
                hash: text(&target["hashes"]["sha256"]),
                share,
                paused,
            })
        })
        .collect();
    waves.sort_by_key(|wave| std::cmp::Reverse(wave.sequence));
    waves
}

/// Path of the newest release of a channel, in waves or not.
pub(super) fn newest_path(targets: &Map<String, Value>, channel: &str) -> String {
    match waves(targets, None, channel).first() {
        Some(wave) => wave_path(channel, wave.sequence),
        None => target_path(channel),
    }
}

/// Puts the newest release that everybody gets by now where those are, and forgets what is older.
pub(super) fn fold(targets: &mut Map<String, Value>, said: Option<&Targets>, channel: &str) {
    let all = waves(targets, said, channel);
    let Some(whole) = all.iter().find(|wave| wave.share == Share::WHOLE && !wave.paused) else { return };
    for wave in all.iter().filter(|wave| wave.sequence <= whole.sequence) {
        let target = targets.remove(&wave_path(channel, wave.sequence));
        if let Some(mut target) = target.filter(|_| wave.sequence == whole.sequence) {
            target["custom"].as_object_mut().into_iter().for_each(|custom| drop(custom.remove("salt")));
            targets.insert(target_path(channel), target);
        }
    }
}

/// A new release is for everybody: none is in waves any more.
pub(super) fn end(targets: &mut Map<String, Value>, channel: &str) {
    targets.retain(|path, _| wave_sequence(path, channel).is_none());
}

/// Whether there can be one more release in waves.
pub(super) fn check_room(targets: &Map<String, Value>, channel: &str, barrier: bool) -> Result<(), Error> {
    if barrier {
        return Err(refused(
            "a barrier is for everybody; nothing was published. Leave out --rollout or --barrier",
        ));
    }
    if !targets.contains_key(&target_path(channel)) {
        return Err(refused(format!(
            "nothing is published on {channel} that the others could stay at; nothing was published. The first release is for \
             everybody: leave out --rollout"
        )));
    }
    if waves(targets, None, channel).len() >= ROLLOUT_WAVES_MAX {
        return Err(refused(format!(
            "{channel} has {ROLLOUT_WAVES_MAX} releases in waves already (rollout_waves_max); nothing was published. Give one to \
             everybody first (`staysail rollout finish VERSION`)"
        )));
    }
    Ok(())
}

/// Has the targets role give shares to the keys that sign snapshots now.
pub(super) fn allow(delegations: &mut Option<Value>, keys: &Keys) -> Result<(), Error> {
    let root: Value =
        serde_json::from_slice(&keys.root()?).map_err(|error| Error::Trust(error.to_string()))?;
    let (role, all) = (&root["signed"]["roles"]["snapshot"], &root["signed"]["keys"]);
    let delegations = delegations.get_or_insert_with(|| json!({ "keys": {}, "roles": [] }));
    for id in role["keyids"].as_array().into_iter().flatten().filter_map(Value::as_str) {
        delegations["keys"][id] = all[id].clone();
    }
    let delegation = json!({
        "name": ROLLOUT_ROLE, "keyids": role["keyids"], "threshold": role["threshold"], "terminating": true,
        "paths": [ROLLOUT_PATTERN],
    });
    if let Value::Array(roles) = &mut delegations["roles"] {
        roles.retain(|one| one["name"] != ROLLOUT_ROLE);
        roles.push(delegation);
    }
    super::lists::forget_unused_keys(delegations);
    Ok(())
}

fn delegation(delegations: Option<&Value>) -> Option<&Value> {
    delegations?["roles"].as_array()?.iter().find(|role| role["name"] == ROLLOUT_ROLE)
}

/// Whether shares were given away, to whichever keys.
pub(super) fn is_allowed(delegations: Option<&Value>) -> bool {
    delegation(delegations).is_some()
}

/// The list of shares; `None` when the role has none, or keys that the root does not trust for snapshots any more.
pub(super) fn list(
    current: Option<&Current>,
    delegations: Option<&Value>,
    keys: &Keys,
    passphrase: Option<&str>,
) -> Result<Option<List>, Error> {
    let root: sigstore_tuf::Root = super::metadata::parse(&keys.root()?)?;
    let snapshot = root.role("snapshot").ok_or_else(|| refused("root.json knows no snapshot role"))?;
    let is_ours = |role: &&Value| {
        role["keyids"] == json!(snapshot.keyids) && role["threshold"] == json!(snapshot.threshold)
    };
    if delegation(delegations).filter(is_ours).is_none() {
        return Ok(None);
    }
    let known = current.and_then(|current| current.channels.get(ROLLOUT_ROLE));
    Ok(Some(List {
        role: ROLLOUT_ROLE.into(),
        version: known.map_or(0, |known| known.version),
        targets: known.map(entries).transpose()?.unwrap_or_default(),
        delegations: None,
        signers: keys.signers(Role::Snapshot, passphrase)?,
    }))
}

/// The list of shares, where there is one that counts already: it is signed along with the others, before it expires.
pub(super) fn signed(
    current: Option<&Current>,
    delegations: Option<&Value>,
    keys: &Keys,
    passphrase: Option<&str>,
) -> Result<Option<List>, Error> {
    let known = current.is_some_and(|current| current.channels.contains_key(ROLLOUT_ROLE));
    if known { list(current, delegations, keys, passphrase) } else { Ok(None) }
}

/// The list of shares for a publish into `list`, with the word of the targets role for it: that is `list` itself, or `top` when
/// the channel is another one's. Where there were no shares so far and none are wanted there is no list.
pub(super) fn open(
    (current, keys, options): (Option<&Current>, &Keys, &Options),
    list: &mut List,
    top: &mut Option<List>,
) -> Result<Option<List>, Error> {
    let passphrase = options.passphrase.as_deref();
    let published = current.and_then(|current| current.targets.delegations.as_ref());
    let published = published.and_then(|delegations| serde_json::to_value(delegations).ok());
    let signs = if list.role == "targets" { Some(&mut *list) } else { top.as_mut() };
    let delegations = match signs {
        Some(signs) => {
            if options.rollout.is_some() || is_allowed(signs.delegations.as_ref()) {
                allow(&mut signs.delegations, keys)?;
            }
            signs.delegations.clone()
        }
        None => published,
    };
    if options.rollout.is_none() {
        return signed(current, delegations.as_ref(), keys, passphrase);
    }
    if let Some(shares) = self::list(current, delegations.as_ref(), keys, passphrase)? {
        return Ok(Some(shares));
    }
    let mut signs = List::top(current, keys, passphrase).map_err(|error| {
        refused(format!(
            "the targets role has not given shares to the keys that sign snapshots, and can not be asked here ({error}); nothing was \
             published. Who has its key does that with `staysail repo delegate {}` or, after these keys were exchanged, `staysail repo \
             renew --resign`",
            options.channel
        ))
    })?;
    allow(&mut signs.delegations, keys)?;
    let shares = self::list(current, signs.delegations.as_ref(), keys, passphrase);
    *top = Some(signs);
    shares
}

/// The lists that are signed anew as they stand: that of shares, and with `with_targets` that of the targets role, where what
/// everybody gets by now goes where those are.
pub(super) fn renewed(
    current: &Current,
    keys: &Keys,
    passphrase: Option<&str>,
    with_targets: bool,
) -> Result<Vec<List>, Error> {
    if !with_targets {
        let delegations = current.targets.delegations.as_ref();
        let delegations = delegations.and_then(|delegations| serde_json::to_value(delegations).ok());
        return Ok(signed(Some(current), delegations.as_ref(), keys, passphrase)?.into_iter().collect());
    }
    let mut top = List::top(Some(current), keys, passphrase)?;
    if is_allowed(top.delegations.as_ref()) {
        allow(&mut top.delegations, keys)?;
    }
    let channels: BTreeSet<_> =
        top.targets.keys().filter_map(|path| channel_of(path)).map(str::to_owned).collect();
    for channel in &channels {
        fold(&mut top.targets, current.channels.get(ROLLOUT_ROLE), channel);
    }
    let shares = signed(Some(current), top.delegations.as_ref(), keys, passphrase)?;
    Ok(std::iter::once(top).chain(shares).collect())
}

/// Says how large the shares of a channel are.
pub(super) fn say(
    write: &mut Writer<'_>,
    list: &mut List,
    channel: &str,
    waves: &[Wave],
) -> Result<(), Error> {
    let said: Map<String, Value> = waves
        .iter()
        .map(|wave| {
            let mut value = json!({ "share": wave.share.0, "version": wave.version });
            if wave.paused {
                value["paused"] = true.into();
            }
            (wave.sequence.to_string(), value)
        })
        .collect();
    let custom = json!({ "waves": said });
    // The file says the same to those who do not read what metadata say beside it: a target is a file.
    let file = format!("{custom:#}\n").into_bytes();
    let (sha256, path) = (hash::of(&file), rollout_path(channel));
    let name = path.trim_start_matches("rollouts/");
    write.immutable(&format!("targets/rollouts/{sha256}.{name}"), &file)?;
    write.immutable(&format!("targets/{sha256}.{path}"), &file)?;
    let target = json!({ "length": file.len(), "hashes": { "sha256": sha256 }, "custom": custom });
    list.targets.insert(path, target);
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_percentages_with_two_digits_at_most() {
        for (text, share, told) in [
            ("0", 0, "0%"),
            ("5%", 500, "5%"),
            ("005", 500, "5%"),
            ("0.25%", 25, "0.25%"),
            ("0.01", 1, "0.01%"),
            ("2.5", 250, "2.5%"),
            ("10.05%", 1_005, "10.05%"),
            ("100%", 10_000, "100%"),
            ("100.00", 10_000, "100%"),
        ] {
            let parsed: Share = text.parse().unwrap();
            assert_eq!((parsed.basis_points(), parsed.to_string().as_str()), (share, told), "{text}");
        }
        for text in
            ["", "%", "100.01", "101%", "1000", "-1", "+1", "5 %", "5%%", "0.001", ".5", "5.", "all", "1e1"]
        {
            assert!(text.parse::<Share>().is_err(), "{text:?}");
        }
    }

    #[test]
    fn the_newest_whole_wave_becomes_what_is_for_everybody_and_older_ones_go() {
        let target =
            |sequence: u64| json!({ "custom": { "sequence": sequence, "version": "1", "salt": "s" } });
        let mut targets = Map::new();
        targets.insert(target_path("stable"), target(3));
        [4, 5, 6]
            .into_iter()
            .for_each(|number| drop(targets.insert(wave_path("stable", number), target(number))));
        let said = |wave: Value| -> Targets {
            let custom = json!({ "waves": { "4": { "share": 100 }, "5": wave, "6": { "share": 10_000, "paused": true } } });
            let target = json!({ "length": 1, "hashes": {}, "custom": custom });
            let signed = json!({
                "_type": "targets", "spec_version": "1.0.33", "version": 1, "expires": "2030-01-01T00:00:00Z",
                "targets": { rollout_path("stable"): target },
            });
            serde_json::from_value(signed).unwrap()
        };
        let before = targets.clone();
        fold(&mut targets, Some(&said(json!({ "share": 9_999 }))), "stable");
        assert_eq!(targets, before, "nobody is left out of none of them");
        fold(&mut targets, Some(&said(json!({ "share": 10_000 }))), "stable");
        assert_eq!(targets.keys().collect::<Vec<_>>(), [&target_path("stable"), &wave_path("stable", 6)]);
        assert_eq!(targets[&target_path("stable")]["custom"], json!({ "sequence": 5, "version": "1" }));
        assert_eq!(newest_path(&targets, "stable"), wave_path("stable", 6));
        end(&mut targets, "stable");
        assert_eq!(newest_path(&targets, "stable"), target_path("stable"));
    }
}

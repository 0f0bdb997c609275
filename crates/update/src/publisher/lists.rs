//! Lists of releases: that of the targets role, and those of roles to which it has given a channel each.

use super::current::{Current, check_owned, check_root, read};
use super::keys::{Keys, Signing};
use super::{Options, Place, Role, Writer, refused, rollout};
use crate::Error;
use crate::trust::{
    CHANNEL_NAME_BYTES_MAX, barrier_path, barrier_pattern, barriers, channel_of, is_channel, matching,
    target_path,
};
use serde_json::{Map, Value, json};
use sigstore_tuf::{DelegatedRole, Targets};
use staysail_protocol::limits::BARRIERS_MAX;

/// The role that signs for a channel which the targets role has given away.
pub fn role_of(channel: &str) -> String {
    format!("channel-{channel}")
}

/// Channels are part of the names of files and roles.
pub(super) fn check_channel(channel: &str) -> Result<(), Error> {
    if is_channel(channel) {
        return Ok(());
    }
    Err(refused(format!(
        "{channel:?} can not be the name of a channel: letters, digits, - and _ only, {CHANNEL_NAME_BYTES_MAX} at most"
    )))
}

/// A list that is being changed.
pub(super) struct List {
    pub role: String,
    /// Of what is published now; 0 for a new one.
    pub version: u64,
    pub targets: Map<String, Value>,
    pub delegations: Option<Value>,
    pub signers: Vec<Signing>,
}

/// The keys of the roles that sign at each change.
pub(super) struct Online {
    pub snapshot: Vec<Signing>,
    pub timestamp: Vec<Signing>,
}

impl Online {
    pub fn open(keys: &Keys, passphrase: Option<&str>) -> Result<Self, Error> {
        let open = |role| keys.signers(role, passphrase);
        Ok(Self { snapshot: open(Role::Snapshot)?, timestamp: open(Role::Timestamp)? })
    }
}

pub(super) fn entries(targets: &Targets) -> Result<Map<String, Value>, Error> {
    match serde_json::to_value(&targets.targets).map_err(|error| Error::Trust(error.to_string()))? {
        Value::Object(entries) => Ok(entries),
        _ => Ok(Map::new()),
    }
}

impl List {
    /// The list of the targets role.
    pub fn top(current: Option<&Current>, keys: &Keys, passphrase: Option<&str>) -> Result<Self, Error> {
        let signers = keys.signers(Role::Targets, passphrase)?;
        let targets = current.map(|current| &current.targets);
        let delegations = targets.and_then(|targets| targets.delegations.as_ref());
        Ok(Self {
            role: "targets".into(),
            version: targets.map_or(0, |targets| targets.version),
            targets: targets.map(entries).transpose()?.unwrap_or_default(),
            delegations: delegations.and_then(|delegations| serde_json::to_value(delegations).ok()),
            signers,
        })
    }

    /// What the list says that a channel belongs into.
    pub fn published(current: &Current, channel: &str) -> Result<Map<String, Value>, Error> {
        let role = given(&current.targets, &target_path(channel))?;
        let list = role.map_or(Some(&current.targets), |role| current.channels.get(&role.name));
        Ok(list.map(entries).transpose()?.unwrap_or_default())
    }

    /// The list that a path belongs into: that of the role to which it was given, or that of the targets role. There is a
    /// passphrase for the keys of either.
    pub fn of(
        current: Option<&Current>,
        keys: &Keys,
        path: &str,
        (passphrase, own): (Option<&str>, Option<&str>),
    ) -> Result<Self, Error> {
        let given = current.map(|current| given(&current.targets, path)).transpose()?.flatten();
        let (Some(current), Some(role)) = (current, given) else {
            return Self::top(current, keys, passphrase);
        };
        let list = current.channels.get(&role.name);
        Ok(Self {
            role: role.name.clone(),
            version: list.map_or(0, |list| list.version),
            targets: list.map(entries).transpose()?.unwrap_or_default(),
            delegations: None,
            signers: keys.signers_among(&role.name, &role.keyids, role.threshold, own)?,
        })
    }
}

impl List {
    /// The barriers of the channel, the oldest first, without those that are lifted.
    pub fn standing_barriers(&mut self, options: &Options) -> Result<Vec<(String, String)>, Error> {
        let custom = self.targets.iter().map(|(path, target)| (path.as_str(), target.get("custom")));
        let mut all = barriers(custom, &options.channel);
        for lifted in &options.lift_barriers {
            let at = all.iter().position(|(version, _)| version == lifted).ok_or_else(|| {
                let there = all.iter().map(|(version, _)| version.as_str()).collect::<Vec<_>>().join(", ");
                let there =
                    if there.is_empty() { "there is none".into() } else { format!("there are {there}") };
                refused(format!(
                    "version {lifted} is no barrier of {}: {there}; nothing was published",
                    options.channel
                ))
            })?;
            self.targets.remove(&all.remove(at).1);
        }
        Ok(all)
    }

    /// The manifest of a target.
    pub fn hash_of(&self, path: &str) -> Option<String> {
        self.targets.get(path)?["hashes"]["sha256"].as_str().map(str::to_owned)
    }

    /// Path of a new barrier, if there is room for one and this list may name it.
    pub fn room_for_barrier(
        &self,
        current: Option<&Current>,
        channel: &str,
        sequence: u64,
    ) -> Result<String, Error> {
        let path = barrier_path(channel, sequence);
        let custom = self.targets.iter().map(|(path, target)| (path.as_str(), target.get("custom")));
        if barriers(custom, channel).len() >= BARRIERS_MAX {
            return Err(refused(format!(
                "{channel} has {BARRIERS_MAX} barriers already (barriers_max); nothing was published. Lift those that nobody needs to pass any more with --lift-barrier"
            )));
        }
        let given = match current {
            Some(current) if self.role != "targets" => {
                matching(&current.targets, &path)?.0.contains(&self.role)
            }
            _ => true,
        };
        if !given {
            return Err(refused(format!(
                "the key of {channel} may not sign barriers yet; nothing was published. Give it the channel again with `staysail repo delegate {channel}`"
            )));
        }
        Ok(path)
    }
}

/// The role to which the targets role has given a path, unless it names the path itself.
fn given<'a>(targets: &'a Targets, path: &str) -> Result<Option<&'a DelegatedRole>, Error> {
    let Some(first) =
        matching(targets, path)?.0.into_iter().next().filter(|_| targets.target(path).is_none())
    else {
        return Ok(None);
    };
    let mut roles = targets.delegations.iter().flat_map(|delegations| &delegations.roles);
    Ok(roles.find(|role| role.name == first))
}

/// Gives a channel to a role of its own with this key: from now on who has that key and the online ones publishes to the
/// channel, and to no other. What is published there moves along. Done again, it exchanges the key. Every other role that may
/// name the channel is taken away, also one that may name more than that.
///
/// # Errors
/// See [`super::publish`]; [`Error::Refused`] for a name that can not be a channel's.
pub fn delegate(
    place: &dyn Place,
    keys: &Keys,
    channel: &str,
    key: Signing,
    passphrase: Option<&str>,
    now: jiff::Timestamp,
) -> Result<(), Error> {
    check_channel(channel)?;
    let roots = check_root(keys, now)?;
    let online = Online::open(keys, passphrase)?;
    let current = read(place, &roots)?
        .ok_or_else(|| refused(format!("{} holds no release yet; publish one first", place.name())))?;
    check_owned(Some(&current), false)?;
    let (role, path, id) = (role_of(channel), target_path(channel), key.id.clone());
    let mut top = List::top(Some(&current), keys, passphrase)?;
    let known = current.channels.get(&role);
    let mut own = List {
        role: role.clone(),
        version: known.map_or(0, |known| known.version),
        targets: known.map(entries).transpose()?.unwrap_or_default(),
        delegations: None,
        signers: Vec::new(),
    };
    let before = given(&current.targets, &path)?.filter(|before| before.name != role);
    if let Some(list) = before.and_then(|before| current.channels.get(&before.name)) {
        take(&mut own.targets, &mut entries(list)?, channel);
    }
    take(&mut own.targets, &mut top.targets, channel);
    let delegations = top.delegations.get_or_insert_with(|| json!({ "keys": {}, "roles": [] }));
    delegations["keys"][&id] = key.public.clone();
    own.signers.push(key);
    let paths = [&path, &barrier_pattern(channel)];
    let delegation =
        json!({ "name": role, "keyids": [id], "threshold": 1, "terminating": true, "paths": paths });
    let covering = covering(&current.targets, &path)?;
    if let Value::Array(roles) = &mut delegations["roles"] {
        let goes = |name: &str| name == role || covering.iter().any(|one| one == name);
        roles.retain(|one| !one["name"].as_str().is_some_and(goes));
        roles.push(delegation);
    }
    forget_unused_keys(delegations);
    // Who gets the channel gives out releases in waves without another word of the targets role.
    rollout::allow(&mut top.delegations, keys)?;
    let shares = rollout::signed(Some(&current), top.delegations.as_ref(), keys, passphrase)?;
    let mut write = Writer { place, written: 0 };
    for (version, root) in &roots {
        write.immutable(&format!("metadata/{version}.root.json"), root)?;
    }
    write.sign(Some(&current), [own, top].into_iter().chain(shares).collect(), &online, now)
}

/// Moves what there is of a channel from one list to another.
fn take(to: &mut Map<String, Value>, from: &mut Map<String, Value>, channel: &str) {
    let (taken, left) =
        std::mem::take(from).into_iter().partition(|(path, _)| channel_of(path) == Some(channel));
    *from = left;
    to.extend::<Map<String, Value>>(taken);
}

/// Every role that may name a path.
fn covering(targets: &Targets, path: &str) -> Result<Vec<String>, Error> {
    let mut names = Vec::new();
    for role in targets.delegations.iter().flat_map(|delegations| &delegations.roles) {
        if role.matches_path(path)? {
            names.push(role.name.clone());
        }
    }
    Ok(names)
}

pub(super) fn forget_unused_keys(delegations: &mut Value) {
    let roles = delegations["roles"].clone();
    let used = |id: &String| {
        let mut roles = roles.as_array().into_iter().flatten();
        roles.any(|role| role["keyids"].as_array().is_some_and(|ids| ids.iter().any(|one| one == id)))
    };
    if let Value::Object(keys) = &mut delegations["keys"] {
        keys.retain(|id, _| used(id));
    }
}

//! Declared state: values that are handed from worker to worker and survive crashes.

use crate::packing::{Packed, Packing};
use crate::snapshot::{self, Entries, Entry};
use serde::Serialize;
use serde::de::DeserializeOwned;
use staysail_protocol::limits::CHECKPOINT_BYTES_MAX;
use std::any::{Any, TypeId};
use std::io::Write;
use std::ops::{Deref, DerefMut};
use std::sync::atomic::{AtomicBool, AtomicU64, Ordering};
use std::sync::{Arc, Mutex, RwLock, RwLockReadGuard, RwLockWriteGuard};

/// A declared state in a command: `fn search(query: String, session: Kept<Session>)`.
///
/// What [`Kept::write`] changed reaches the shell before the command's answer reaches the page: neither a swap nor
/// a crash of the worker loses it.
pub struct Kept<T> {
    cell: Arc<Cell<T>>,
}

struct Cell<T> {
    value: RwLock<T>,
    changes: Arc<AtomicU64>,
}

impl<T> Clone for Kept<T> {
    fn clone(&self) -> Self {
        Self { cell: self.cell.clone() }
    }
}

impl<T> Kept<T> {
    /// The value to look at.
    pub fn read(&self) -> RwLockReadGuard<'_, T> {
        self.cell.value.read().unwrap_or_else(std::sync::PoisonError::into_inner)
    }

    /// The value to change.
    pub fn write(&self) -> KeptWriter<'_, T> {
        let guard = self.cell.value.write().unwrap_or_else(std::sync::PoisonError::into_inner);
        KeptWriter { guard, changes: &self.cell.changes }
    }
}

/// Access to a declared state to change it.
pub struct KeptWriter<'a, T> {
    guard: RwLockWriteGuard<'a, T>,
    changes: &'a AtomicU64,
}

impl<T> Deref for KeptWriter<'_, T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.guard
    }
}

impl<T> DerefMut for KeptWriter<'_, T> {
    fn deref_mut(&mut self) -> &mut T {
        // Counted under the lock: who counts it and then reads the value waits for the change.
        self.changes.fetch_add(1, Ordering::SeqCst);
        &mut self.guard
    }
}

/// Makes today's value of an older one: given are the version that wrote it and what it wrote. An error says, for people, why
/// there is none; then the backend before serves on.
pub type FromVersion<T> = fn(u32, serde_json::Value) -> Result<T, String>;

/// A type that is declared as state with [`App::kept`](crate::App::kept), for commands to use as [`Kept<T>`](Kept). Derive it; the
/// name is the type's in kebab-case.
///
/// ```
/// use staysail::{App, KeptState as _, State, Value};
///
/// #[staysail::data]
/// #[derive(Default, State)]
/// #[state(version = 2, from_version = older)]
/// struct Session {
///     open: Vec<String>,
/// }
///
/// /// Version 1 had one open note or none.
/// fn older(from_version: u32, value: Value) -> Result<Session, String> {
///     match from_version {
///         1 => Ok(Session { open: value["open"].as_str().map(str::to_owned).into_iter().collect() }),
///         _ => Err(format!("version {from_version} is newer than this app")),
///     }
/// }
///
/// assert_eq!((Session::NAME, Session::VERSION), ("session", 2));
/// let app = App::new("com.example.notes").kept::<Session>();
/// # drop(app);
/// ```
pub trait KeptState: Serialize + DeserializeOwned + Default + Send + Sync + 'static {
    /// Its name, by which it goes from backend to backend: `#[state(name = "…")]`.
    const NAME: &'static str;
    /// Version of its type: `#[state(version = …)]`.
    const VERSION: u32 = 1;
    /// How a value of another version becomes one of this: `#[state(from_version = …)]`. Without it fields are taken over by
    /// their names, as with [`App::keep`](crate::App::keep).
    const FROM_VERSION: Option<FromVersion<Self>> = None;
}

/// Turns an older version's value into the type of today.
pub(crate) type Migrate<T> = Box<dyn Fn(u32, serde_json::Value) -> Result<T, String> + Send + Sync>;

trait AnyKept: Send + Sync {
    fn encode(&self, out: &mut dyn Write) -> Result<(), String>;
    /// Reads the value without changing anything; what is returned puts it in place.
    fn prepare(&self, entry: &Entry<'_>) -> Result<Box<dyn FnOnce()>, String>;
}

struct Registered<T> {
    cell: Arc<Cell<T>>,
    version: u32,
    migrate: Option<Migrate<T>>,
}

impl<T: Serialize + DeserializeOwned + Send + Sync + 'static> AnyKept for Registered<T> {
    fn encode(&self, out: &mut dyn Write) -> Result<(), String> {
        let value = self.cell.value.read().unwrap_or_else(std::sync::PoisonError::into_inner);
        rmp_serde::encode::write_named(out, &*value).map_err(|error| error.to_string())
    }

    fn prepare(&self, entry: &Entry<'_>) -> Result<Box<dyn FnOnce()>, String> {
        let value = match &self.migrate {
            Some(migrate) if entry.version != self.version => {
                let old: serde_json::Value =
                    rmp_serde::from_slice(&entry.value).map_err(|error| error.to_string())?;
                migrate(entry.version, old)?
            }
            _ => rmp_serde::from_slice(&entry.value).map_err(|error| {
                format!(
                    "{error}. Give a new field a default (#[serde(default)]), or the state a version and a way from \
                     the older one (#[state(version = …, from_version = …)], or keep_versioned)"
                )
            })?,
        };
        let cell = self.cell.clone();
        Ok(Box::new(move || {
            *cell.value.write().unwrap_or_else(std::sync::PoisonError::into_inner) = value;
        }))
    }
}

struct State {
    name: String,
    version: u32,
    ty: TypeId,
    kept: Box<dyn AnyKept>,
    typed: Box<dyn Any + Send + Sync>,
}

/// All declared states of an app.
#[derive(Default)]
pub(crate) struct States {
    states: Vec<State>,
    /// Counts changes of all states.
    changes: Arc<AtomicU64>,
    /// Up to which change the shell has been sent the state.
    sent: AtomicU64,
    /// Held while state is sent: an older form never follows a newer one.
    sending: Mutex<()>,
    /// The newest form was too large to be sent.
    left_out: AtomicBool,
    /// States of a snapshot that this version does not declare: handed on untouched.
    unknown: Mutex<Entries<'static>>,
}

/// The state's name, and why it can not be sent or taken over. The name is empty when it is all of them together.
pub(crate) type Refused = (String, String);

/// What becomes of a state that can not be serialised.
#[derive(Clone, Copy, PartialEq)]
enum Failing {
    /// It is left out.
    LeftOut,
    /// Nothing is sent.
    StopsAll,
}

impl States {
    pub fn add<T>(&mut self, name: &str, version: u32, value: T, migrate: Option<Migrate<T>>)
    where
        T: Serialize + DeserializeOwned + Send + Sync + 'static,
    {
        let cell = Arc::new(Cell { value: RwLock::new(value), changes: self.changes.clone() });
        self.states.push(State {
            name: name.to_string(),
            version,
            ty: TypeId::of::<T>(),
            typed: Box::new(Kept { cell: cell.clone() }),
            kept: Box::new(Registered { cell, version, migrate }),
        });
    }

    pub fn names(&self) -> impl Iterator<Item = &str> {
        self.states.iter().map(|state| state.name.as_str())
    }

    pub fn has(&self, ty: TypeId) -> bool {
        self.states.iter().any(|state| state.ty == ty)
    }

    /// Two states of one type could not be told apart by their parameter.
    pub fn has_twice(&self) -> Option<&str> {
        let twice = |(index, state): (usize, &State)| {
            self.states[..index].iter().any(|other| other.ty == state.ty || other.name == state.name)
        };
        self.states
            .iter()
            .enumerate()
            .find(|(index, state)| twice((*index, state)))
            .map(|(_, state)| state.name.as_str())
    }

    pub fn get<T: 'static>(&self) -> Option<Kept<T>> {
        let state = self.states.iter().find(|state| state.ty == TypeId::of::<T>())?;
        state.typed.downcast_ref::<Kept<T>>().cloned()
    }

    /// Sends the whole state as it is now. `grows` is called when it becomes so large that it goes beside the frames;
    /// without it everything goes inside.
    pub fn snapshot(&self, grows: Option<&mut dyn FnMut()>, send: impl FnOnce(Result<Packed, Refused>)) {
        let _sending = self.sending.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut packing = Packing::of_snapshot(grows);
        let written = self.write(&mut packing, Failing::StopsAll);
        send(written.and_then(|()| packing.finish().map_err(|message| (String::new(), message))));
    }

    fn write(&self, packing: &mut Packing<'_>, failing: Failing) -> Result<(), Refused> {
        let unknown = self.unknown.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let mut count = unknown.len() + self.states.len();
        let written = packing.write_all(&snapshot::beginning(count));
        written.map_err(|error| (String::new(), error.to_string()))?;
        for (name, entry) in unknown.iter() {
            let written = snapshot::write_name(packing, name, entry.version);
            written
                .and_then(|()| packing.write_all(&entry.value))
                .map_err(|error| (name.clone(), packing.problem().unwrap_or_else(|| error.to_string())))?;
        }
        for State { name, version, kept, .. } in &self.states {
            let before = packing.len();
            let named = snapshot::write_name(packing, name, *version).map_err(|error| error.to_string());
            let Err(error) = named.and_then(|()| kept.encode(packing)) else { continue };
            if let Some(problem) = packing.problem() {
                return Err((name.clone(), problem));
            }
            if failing == Failing::StopsAll {
                return Err((name.clone(), error));
            }
            eprintln!("staysail: the state `{name}` can not be kept: {error}");
            packing.cut(before);
            count -= 1;
            packing.write_again(0, &snapshot::beginning(count));
        }
        Ok(())
    }

    /// Sends the state when something changed since it was last sent; `None` when it has become too large to be sent each
    /// time. When this returns, every change made before is on its way, whichever thread sent it.
    pub fn checkpoint(&self, send: impl FnOnce(Option<Vec<u8>>)) {
        if self.sent.load(Ordering::SeqCst) == self.changes.load(Ordering::SeqCst) {
            return;
        }
        let _sending = self.sending.lock().unwrap_or_else(std::sync::PoisonError::into_inner);
        let changes = self.changes.load(Ordering::SeqCst);
        if self.sent.load(Ordering::SeqCst) == changes {
            return;
        }
        let mut packing = Packing::of_checkpoint();
        match self.write(&mut packing, Failing::LeftOut).map(|()| packing.finish()) {
            Ok(Ok(Packed::Inline(bytes))) => {
                self.left_out.store(false, Ordering::SeqCst);
                send(Some(bytes));
            }
            _ if self.left_out.swap(true, Ordering::SeqCst) => {}
            _ => {
                eprintln!(
                    "staysail: the declared state is larger than {CHECKPOINT_BYTES_MAX} bytes (checkpoint_bytes_max): \
                     it is handed over when the backend is exchanged, and lost when it crashes"
                );
                send(None);
            }
        }
        self.sent.store(changes, Ordering::SeqCst);
    }

    /// Takes over a snapshot, all of it or nothing. On an error: the state's name, and why.
    pub fn restore(&self, bytes: &[u8]) -> Result<(), Refused> {
        let entries = snapshot::decode(bytes)
            .ok_or_else(|| (String::new(), "the snapshot can not be read".to_string()))?;
        let mut ready = Vec::new();
        for (name, entry) in &entries {
            if let Some(state) = self.states.iter().find(|state| state.name == *name) {
                ready.push(state.kept.prepare(entry).map_err(|error| (name.clone(), error))?);
            }
        }
        for put_in_place in ready {
            put_in_place();
        }
        let unknown = entries.into_iter().filter(|(name, _)| !self.names().any(|known| known == name));
        let unknown = unknown.map(|(name, entry)| (name, entry.into_owned()));
        *self.unknown.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = unknown.collect();
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[derive(serde::Serialize, serde::Deserialize, Default, Debug, PartialEq)]
    struct Old {
        open: String,
    }

    #[derive(serde::Serialize, serde::Deserialize, Default, Debug, PartialEq)]
    struct New {
        open: String,
        #[serde(default)]
        cursor: u32,
    }

    fn states<T: Serialize + DeserializeOwned + Send + Sync + 'static>(name: &str, value: T) -> States {
        let mut states = States::default();
        states.add(name, 1, value, None);
        states
    }

    fn taken(states: &States) -> Vec<u8> {
        let mut bytes = Vec::new();
        states.snapshot(None, |packed| match packed {
            Ok(Packed::Inline(inline)) => bytes = inline,
            other => panic!("{other:?}"),
        });
        bytes
    }

    fn sends_checkpoint(states: &States) -> bool {
        let mut sent = false;
        states.checkpoint(|_| sent = true);
        sent
    }

    #[test]
    fn a_snapshot_of_which_one_state_does_not_fit_changes_nothing() {
        let (mut old, mut new) = (States::default(), States::default());
        old.add("a", 1, 1_u32, None);
        old.add("b", 1, "text".to_string(), None);
        new.add("a", 1, 7_u32, None);
        new.add("b", 1, Old::default(), None);
        assert_eq!(new.restore(&taken(&old)).unwrap_err().0, "b");
        assert_eq!(*new.get::<u32>().unwrap().read(), 7);
    }

    /// Serialising it says so, then waits for a permission.
    struct Slow {
        encoding: std::sync::mpsc::Sender<()>,
        go_on: Mutex<std::sync::mpsc::Receiver<()>>,
    }

    impl Serialize for Slow {
        fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
            let _ = self.encoding.send(());
            let _ = self.go_on.lock().unwrap().recv();
            serializer.serialize_u8(1)
        }
    }

    impl<'de> serde::Deserialize<'de> for Slow {
        fn deserialize<D: serde::Deserializer<'de>>(_: D) -> Result<Self, D::Error> {
            Err(serde::de::Error::custom("never read"))
        }
    }

    #[test]
    fn no_answer_overtakes_a_checkpoint_that_another_call_is_still_making() {
        let (encoding, begun) = std::sync::mpsc::channel();
        let (permit, go_on) = std::sync::mpsc::channel();
        let states = states("slow", Slow { encoding, go_on: Mutex::new(go_on) });
        let _ = states.get::<Slow>().unwrap().write().deref_mut();
        let order = Mutex::new(Vec::new());
        std::thread::scope(|scope| {
            scope.spawn(|| states.checkpoint(|_| order.lock().unwrap().push("checkpoint")));
            begun.recv().unwrap();
            let (asked_in, asked) = std::sync::mpsc::channel();
            let (states, order) = (&states, &order);
            let second = scope.spawn(move || {
                asked_in.send(()).unwrap();
                states.checkpoint(|_| order.lock().unwrap().push("second checkpoint"));
                order.lock().unwrap().push("answer");
            });
            asked.recv().unwrap();
            // The faulty order would end the second thread by itself; the right one needs the permission first.
            let patience = std::time::Instant::now() + std::time::Duration::from_millis(200);
            while !second.is_finished() && std::time::Instant::now() < patience {
                std::thread::yield_now();
            }
            permit.send(()).unwrap();
        });
        assert_eq!(*order.lock().unwrap(), ["checkpoint", "answer"]);
    }

    #[test]
    fn a_field_with_a_default_may_be_added_between_two_versions() {
        let old = states("session", Old { open: "a.md".into() });
        let new = states("session", New::default());
        new.restore(&taken(&old)).unwrap();
        assert_eq!(*new.get::<New>().unwrap().read(), New { open: "a.md".into(), cursor: 0 });
    }

    #[test]
    fn a_state_that_does_not_fit_is_named_with_its_remedy() {
        let old = states("session", vec![1, 2]);
        let (name, message) = states("session", Old::default()).restore(&taken(&old)).unwrap_err();
        assert_eq!(name, "session");
        assert!(message.contains("#[serde(default)]"), "{message}");
    }

    #[test]
    fn states_of_another_version_are_handed_on_untouched() {
        let old = states("only in old", Old { open: "kept".into() });
        let middle = states("other", 1_u8);
        middle.restore(&taken(&old)).unwrap();
        let back = states("only in old", Old::default());
        back.restore(&taken(&middle)).unwrap();
        assert_eq!(back.get::<Old>().unwrap().read().open, "kept");
    }

    #[test]
    fn a_migration_sees_the_old_version_and_value() {
        let old = states("session", Old { open: "a.md".into() });
        let mut new = States::default();
        new.add(
            "session",
            2,
            0_usize,
            Some(Box::new(|version, value| {
                assert_eq!(version, 1);
                value["open"].as_str().map(str::len).ok_or_else(|| "no field open".to_string())
            })),
        );
        new.restore(&taken(&old)).unwrap();
        assert_eq!(*new.get::<usize>().unwrap().read(), 4);
    }

    #[test]
    fn only_a_change_makes_a_checkpoint() {
        let states = states("n", 1_u32);
        assert_eq!(*states.get::<u32>().unwrap().read(), 1);
        assert!(!sends_checkpoint(&states));
        *states.get::<u32>().unwrap().write() = 2;
        assert!(sends_checkpoint(&states));
        assert!(!sends_checkpoint(&states));
    }
}

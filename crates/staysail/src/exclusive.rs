//! Resources that only one process can hold: a port, a database, a lock.
//!
//! # Theory of operation
//! While backends are exchanged, both run. The shell has the one before release what it holds, and only then the new one
//! acquire it, with calls waiting; when either fails, the one before acquires again what it had, and serves on. A resource
//! is in use as long as anybody has a [`Held`]; releasing waits until nobody has, for a bounded time, and what could not be
//! released is held on. Acquiring takes what is not held, so it may be asked for again. Whoever acquires it in vain lets go
//! of what it has got so far.

use crate::command::{Call, FromCall, Kind, Need};
use crate::handle::AppHandle;
use crate::runtime::panicked;
use staysail_protocol::{CallError, ErrorCode};
use std::any::{Any, TypeId};
use std::fmt::Display;
use std::ops::Deref;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};

/// A resource that only one process can hold, handed from backend to backend. Given to the app with
/// [`App::exclusive`](crate::App::exclusive), used by commands as [`Held<T>`](Held).
///
/// ```no_run
/// use staysail::{App, AppHandle, Exclusive, Held, command, commands};
/// use std::fs::{File, TryLockError};
/// use std::io::Write;
/// use std::sync::Mutex;
///
/// /// The logbook: one backend at a time writes into it.
/// struct Logbook(Mutex<File>);
///
/// impl Exclusive for Logbook {
///     const NAME: &'static str = "logbook";
///     type Error = std::io::Error;
///
///     fn acquire(app: &AppHandle) -> std::io::Result<Self> {
///         let file = File::options().create(true).append(true).open(app.data_dir().join("logbook"))?;
///         file.try_lock().map_err(|error| match error {
///             TryLockError::Error(error) => error,
///             TryLockError::WouldBlock => std::io::ErrorKind::ResourceBusy.into(),
///         })?;
///         Ok(Self(Mutex::new(file)))
///     }
///
///     fn release(self) -> std::io::Result<()> {
///         self.0.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner).sync_all()
///     }
/// }
///
/// #[command]
/// fn note(line: String, logbook: Held<Logbook>) -> Result<(), String> {
///     let mut file = logbook.0.lock().map_err(|error| error.to_string())?;
///     writeln!(file, "{line}").map_err(|error| error.to_string())
/// }
///
/// fn main() -> staysail::Result {
///     App::new("com.example.logbook").exclusive::<Logbook>().commands(commands![note]).run()
/// }
/// ```
pub trait Exclusive: Send + Sync + Sized + 'static {
    /// Its name in messages: `port`, `database`.
    const NAME: &'static str;
    /// Why it could not be acquired or released, for people.
    type Error: Display;

    /// Takes it. Runs before the first call reaches this backend, when the one before has released it; and again when
    /// this backend gets it back. An error keeps this backend from being taken over, and the one before serves on.
    ///
    /// # Errors
    /// When it is not to be had.
    fn acquire(app: &AppHandle) -> Result<Self, Self::Error>;

    /// Lets go of it: when this returns, another process can take it. Without such a method it is dropped. Threads and
    /// tasks that use it are stopped here and waited for. Runs when no call uses it any more.
    ///
    /// # Errors
    /// When it could not be given up in order. Then the exchange is called off, and it is acquired again.
    fn release(self) -> Result<(), Self::Error> {
        drop(self);
        Ok(())
    }
}

/// An [`Exclusive`] resource in a command: `fn note(line: String, database: Held<Database>)`.
///
/// As long as somebody has it, the resource is not released, and so no other backend can take over: a command that runs for
/// long asks for it when it needs it, with [`AppHandle::held`].
pub struct Held<T> {
    value: Arc<T>,
    _user: User,
}

impl<T> Clone for Held<T> {
    fn clone(&self) -> Self {
        Self { value: self.value.clone(), _user: self._user.clone() }
    }
}

impl<T> Deref for Held<T> {
    type Target = T;
    fn deref(&self) -> &T {
        &self.value
    }
}

/// How many use a resource. Dropped after the value it counts for.
struct User(Arc<Users>);

#[derive(Default)]
struct Users {
    count: Mutex<usize>,
    fewer: Condvar,
}

impl Users {
    fn count(&self) -> MutexGuard<'_, usize> {
        self.count.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Waits until nobody is left; whether that came about in time.
    fn wait_none(&self, patience: Duration) -> bool {
        let deadline = Instant::now() + patience;
        let mut count = self.count();
        while *count > 0 {
            let left = deadline.saturating_duration_since(Instant::now());
            if left.is_zero() {
                return false;
            }
            count = self.fewer.wait_timeout(count, left).unwrap_or_else(PoisonError::into_inner).0;
        }
        true
    }
}

impl User {
    fn of(users: &Arc<Users>) -> Self {
        *users.count() += 1;
        Self(users.clone())
    }
}

impl Clone for User {
    fn clone(&self) -> Self {
        Self::of(&self.0)
    }
}

impl Drop for User {
    fn drop(&mut self) {
        *self.0.count() -= 1;
        self.0.fewer.notify_all();
    }
}

impl<T: Exclusive> FromCall for Held<T> {
    fn from_call(call: &Call) -> Result<Self, CallError> {
        call.app.held::<T>().ok_or_else(|| {
            let message =
                format!("`{}` is not held by this backend: another one has it, or takes it", T::NAME);
            CallError::new(ErrorCode::Superseded, message)
        })
    }

    fn need() -> Option<Need> {
        Some(Need { ty: TypeId::of::<T>(), name: std::any::type_name::<T>(), kind: Kind::Held })
    }
}

type Value = Arc<dyn Any + Send + Sync>;

/// A declared resource, of whatever type.
struct Resource {
    name: &'static str,
    ty: TypeId,
    acquire: fn(&AppHandle) -> Result<Value, String>,
    release: fn(Value) -> Result<(), String>,
    users: Arc<Users>,
    held: Mutex<Option<Value>>,
}

impl Resource {
    fn held(&self) -> MutexGuard<'_, Option<Value>> {
        self.held.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn acquire(&self, app: &AppHandle) -> Result<(), String> {
        if self.held().is_some() {
            return Ok(());
        }
        let acquired = catch_unwind(AssertUnwindSafe(|| (self.acquire)(app)))
            .unwrap_or_else(|panic| Err(panicked("acquiring it", panic.as_ref()).message))?;
        *self.held() = Some(acquired);
        Ok(())
    }

    fn release(&self, patience: Duration) -> Result<(), String> {
        // Taken away first: who asks for it from now on gets nothing.
        let Some(value) = self.held().take() else { return Ok(()) };
        if !self.users.wait_none(patience) {
            *self.held() = Some(value);
            return Err(format!(
                "calls or tasks under way still use it after {} ms (exclusive_in_use_ms); what runs for long asks for it \
                 when it needs it, with AppHandle::held",
                patience.as_millis()
            ));
        }
        catch_unwind(AssertUnwindSafe(|| (self.release)(value)))
            .unwrap_or_else(|panic| Err(panicked("releasing it", panic.as_ref()).message))
    }
}

/// All declared resources, in the order they were declared.
#[derive(Default)]
pub(crate) struct Exclusives {
    resources: Vec<Resource>,
}

/// The resource's name, and why it could not be acquired or released.
pub(crate) type Failed = (String, String);

impl Exclusives {
    pub fn add<T: Exclusive>(&mut self) {
        self.resources.push(Resource {
            name: T::NAME,
            ty: TypeId::of::<T>(),
            acquire: |app| {
                T::acquire(app).map(|value| Arc::new(value) as Value).map_err(|error| format!("{error:#}"))
            },
            release: |value| {
                // Nobody uses it, so it is the only one; were it not, the last one would drop it.
                let value = value.downcast::<T>().ok().and_then(Arc::into_inner);
                value.map_or(Ok(()), T::release).map_err(|error| format!("{error:#}"))
            },
            users: Arc::default(),
            held: Mutex::default(),
        });
    }

    pub fn names(&self) -> Vec<String> {
        self.resources.iter().map(|resource| resource.name.to_string()).collect()
    }

    pub fn has(&self, ty: TypeId) -> bool {
        self.resources.iter().any(|resource| resource.ty == ty)
    }

    /// One that was declared before, by its type or its name.
    pub fn has_twice(&self) -> Option<&str> {
        let twice = |(index, resource): &(usize, &Resource)| {
            let before = &self.resources[..*index];
            before.iter().any(|other| other.ty == resource.ty || other.name == resource.name)
        };
        self.resources.iter().enumerate().find(twice).map(|(_, resource)| resource.name)
    }

    pub fn get<T: Exclusive>(&self) -> Option<Held<T>> {
        let resource = self.resources.iter().find(|resource| resource.ty == TypeId::of::<T>())?;
        let held = resource.held();
        let value = held.as_ref()?.clone().downcast::<T>().ok()?;
        // Counted while it is locked: whoever takes it away next sees it used.
        Some(Held { value, _user: User::of(&resource.users) })
    }

    /// Takes all that is not held. On an error what was taken now is released again.
    pub fn acquire(&self, app: &AppHandle) -> Result<(), Failed> {
        let mut taken: Vec<&Resource> = Vec::new();
        for resource in self.resources.iter().filter(|resource| resource.held().is_none()) {
            if let Err(reason) = resource.acquire(app) {
                for resource in taken.into_iter().rev() {
                    let _ = resource.release(Duration::ZERO);
                }
                return Err((resource.name.to_string(), reason));
            }
            taken.push(resource);
        }
        Ok(())
    }

    /// Lets go of all, the last first. On an error the others before it are not tried.
    pub fn release(&self, patience: Duration) -> Result<(), Failed> {
        for resource in self.resources.iter().rev() {
            resource.release(patience).map_err(|reason| (resource.name.to_string(), reason))?;
        }
        Ok(())
    }

    /// Lets go of all that nobody uses, because the process ends.
    pub fn let_go(&self) -> Vec<Failed> {
        let release = |resource: &Resource| resource.release(Duration::ZERO).err();
        let failed = |resource: &Resource| Some((resource.name.to_string(), release(resource)?));
        self.resources.iter().rev().filter_map(failed).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{App, command, commands};

    struct Port;

    impl Exclusive for Port {
        const NAME: &'static str = "port";
        type Error = String;
        fn acquire(_app: &AppHandle) -> Result<Self, String> {
            Ok(Self)
        }
    }

    #[command]
    fn listening(_port: Held<Port>) -> bool {
        true
    }

    #[test]
    fn a_command_that_uses_a_resource_nobody_gave_is_refused_with_the_remedy() {
        let error = App::new("a.b").commands(commands![listening]).describe().unwrap_err().to_string();
        assert!(error.contains("`listening`") && error.contains("App::exclusive"), "{error}");
        App::new("a.b").exclusive::<Port>().commands(commands![listening]).describe().unwrap();
    }

    #[test]
    fn one_resource_is_not_given_twice() {
        let error = App::new("a.b").exclusive::<Port>().exclusive::<Port>().describe().unwrap_err();
        assert!(error.to_string().contains("`port`"), "{error}");
    }

    #[test]
    fn a_resource_is_released_when_the_last_user_is_gone_and_held_on_when_one_stays() {
        let mut exclusives = Exclusives::default();
        exclusives.add::<Port>();
        *exclusives.resources[0].held() = Some(Arc::new(Port));
        let held = exclusives.get::<Port>().unwrap();
        let second = held.clone();
        drop(held);
        let (resource, reason) = exclusives.release(Duration::ZERO).unwrap_err();
        assert!(resource == "port" && reason.contains("exclusive_in_use_ms"), "{reason}");
        assert!(exclusives.get::<Port>().is_some(), "it is held on");
        let (seen, waits) = std::sync::mpsc::channel();
        std::thread::scope(|scope| {
            let releasing = scope.spawn(|| {
                seen.send(()).unwrap();
                exclusives.release(Duration::from_secs(20))
            });
            waits.recv().unwrap();
            drop(second);
            assert_eq!(releasing.join().unwrap(), Ok(()));
        });
        assert!(exclusives.get::<Port>().is_none());
    }
}

//! Trees on Windows: a job object that the system closes, and thereby ends, when we are gone however it happened.

use crate::{Error, Spawn};
use std::io;
use std::os::windows::io::{AsRawHandle, FromRawHandle, OwnedHandle};
use std::os::windows::process::CommandExt;
use std::process::{Child, ChildStderr, ChildStdout, ExitStatus};
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::{Duration, Instant};
use windows_sys::Win32::Foundation::{CloseHandle, HANDLE, INVALID_HANDLE_VALUE};
use windows_sys::Win32::System::Console::{CTRL_BREAK_EVENT, GenerateConsoleCtrlEvent};
use windows_sys::Win32::System::Diagnostics::ToolHelp::{
    CreateToolhelp32Snapshot, TH32CS_SNAPTHREAD, THREADENTRY32, Thread32First, Thread32Next,
};
use windows_sys::Win32::System::JobObjects::{
    AssignProcessToJobObject, CreateJobObjectW, JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE,
    JOBOBJECT_EXTENDED_LIMIT_INFORMATION, JobObjectExtendedLimitInformation, SetInformationJobObject,
    TerminateJobObject,
};
use windows_sys::Win32::System::Threading::{
    CREATE_NEW_PROCESS_GROUP, CREATE_SUSPENDED, OpenThread, ResumeThread, THREAD_SUSPEND_RESUME,
};

/// Pause between two looks at a tree that was asked to end, or is waited for.
const POLL_MS: u64 = 5;

/// A running program with everything it started. Dropping it kills the tree.
#[derive(Debug)]
pub struct Tree {
    id: u32,
    job: OwnedHandle,
    child: Mutex<Child>,
}

pub(crate) fn guardian_main() {}

pub(crate) fn spawn(mut spawn: Spawn) -> Result<Tree, Error> {
    let failed = |source| Error::spawn(&spawn.program, source);
    let job = job().map_err(failed)?;
    std::mem::take(&mut spawn.streams).apply(&mut spawn.command);
    // Suspended until it is in the job, so that it can not start anything outside.
    spawn.command.creation_flags(CREATE_SUSPENDED | CREATE_NEW_PROCESS_GROUP);
    let mut child = spawn.command.spawn().map_err(failed)?;
    // SAFETY: both handles are open and ours.
    let assigned = unsafe { AssignProcessToJobObject(job.as_raw_handle(), child.as_raw_handle()) };
    let started = if assigned == 0 { Err(io::Error::last_os_error()) } else { resume(child.id()) };
    if let Err(error) = started {
        let _ = child.kill();
        return Err(failed(error));
    }
    Ok(Tree { id: child.id(), job, child: Mutex::new(child) })
}

fn job() -> io::Result<OwnedHandle> {
    // SAFETY: no security attributes, no name; the handle is checked before it is owned; the structure outlives
    // the call and its size is its own.
    unsafe {
        let handle = CreateJobObjectW(std::ptr::null(), std::ptr::null());
        if handle.is_null() {
            return Err(io::Error::last_os_error());
        }
        let job = OwnedHandle::from_raw_handle(handle);
        let mut limits: JOBOBJECT_EXTENDED_LIMIT_INFORMATION = std::mem::zeroed();
        limits.BasicLimitInformation.LimitFlags = JOB_OBJECT_LIMIT_KILL_ON_JOB_CLOSE;
        let size = size_of_val(&limits) as u32;
        let set = SetInformationJobObject(
            handle,
            JobObjectExtendedLimitInformation,
            (&raw const limits).cast(),
            size,
        );
        if set == 0 { Err(io::Error::last_os_error()) } else { Ok(job) }
    }
}

/// Resumes the one thread of a process that was started suspended.
fn resume(process: u32) -> io::Result<()> {
    // SAFETY: the snapshot and thread handles are checked and closed; the entry carries its size as required.
    unsafe {
        let snapshot: HANDLE = CreateToolhelp32Snapshot(TH32CS_SNAPTHREAD, 0);
        if snapshot == INVALID_HANDLE_VALUE {
            return Err(io::Error::last_os_error());
        }
        let mut entry: THREADENTRY32 = std::mem::zeroed();
        entry.dwSize = size_of::<THREADENTRY32>() as u32;
        let mut resumed = false;
        let mut more = Thread32First(snapshot, &raw mut entry);
        while more != 0 {
            if entry.th32OwnerProcessID == process {
                let thread = OpenThread(THREAD_SUSPEND_RESUME, 0, entry.th32ThreadID);
                if !thread.is_null() {
                    resumed |= ResumeThread(thread) != u32::MAX;
                    CloseHandle(thread);
                }
            }
            more = Thread32Next(snapshot, &raw mut entry);
        }
        CloseHandle(snapshot);
        if resumed { Ok(()) } else { Err(io::Error::other("its first thread could not be resumed")) }
    }
}

impl Tree {
    /// Process id of the started program.
    pub fn id(&self) -> u32 {
        self.id
    }

    /// The reading end of its standard output, once, when it was piped.
    pub fn take_stdout(&self) -> Option<ChildStdout> {
        self.lock().stdout.take()
    }

    /// The reading end of its standard error, once, when it was piped.
    pub fn take_stderr(&self) -> Option<ChildStderr> {
        self.lock().stderr.take()
    }

    /// Kills the whole tree, at once. Does not wait; see [`Tree::wait`].
    pub fn kill(&self) {
        // SAFETY: the job handle is open and ours.
        unsafe { TerminateJobObject(self.job.as_raw_handle(), 1) };
    }

    /// Asks the tree to end, waits up to `grace`, then kills it. Returns when the program itself is gone.
    ///
    /// # Errors
    /// When its state can not be learned.
    pub fn terminate(&self, grace: Duration) -> Result<ExitStatus, Error> {
        // SAFETY: plain numbers; the program leads its own console process group.
        unsafe { GenerateConsoleCtrlEvent(CTRL_BREAK_EVENT, self.id) };
        let end = Instant::now() + grace;
        while Instant::now() < end {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(POLL_MS));
        }
        self.kill();
        self.wait()
    }

    /// How the program ended, or `None` while it runs. Whatever it left behind in its job is killed then.
    ///
    /// # Errors
    /// When its state can not be learned.
    pub fn try_wait(&self) -> Result<Option<ExitStatus>, Error> {
        let status = self.lock().try_wait().map_err(|error| Error::Wait(self.id, error))?;
        if status.is_some() {
            self.kill();
        }
        Ok(status)
    }

    /// Waits for the end of the program. May be called from any thread, and while others call the other methods.
    ///
    /// # Errors
    /// When its state can not be learned.
    pub fn wait(&self) -> Result<ExitStatus, Error> {
        loop {
            if let Some(status) = self.try_wait()? {
                return Ok(status);
            }
            std::thread::sleep(Duration::from_millis(POLL_MS));
        }
    }

    /// Not on Windows: answers `false` and does nothing.
    pub fn freeze(&self) -> bool {
        false
    }

    /// Nothing to do on Windows.
    pub fn thaw(&self) {}

    fn lock(&self) -> MutexGuard<'_, Child> {
        self.child.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Tree {
    fn drop(&mut self) {
        self.kill();
    }
}

//! Simulated disk, network and clock, and the laws of updates (PRODUCT.md, laws 3 to 6) asserted over them.
//!
//! # Theory of operation
//! A *schedule* is the life of one installed app from one number, its seed: the app is started, finds releases (good and
//! bad ones), is ended and started again, all in one thread and in no real time. Somewhere in it one fault strikes, at the
//! k-th effect of its sort. After every step the laws are asserted; then the faults stop, and the app must come to the
//! newest good release. Schedules of one scenario are run for k = 1, 2, … until the fault no longer strikes, so that no
//! moment is left out.
//!
//! # Fault model
//! | Part | What it may do |
//! |---|---|
//! | [`disk`] | An operation fails once, or everything of its sort fails from then on; the disk is full (a write may be half done); a bit flips in a stored file, or in both copies of what the store remembers. |
//! | power failure | Whatever was not synced is kept, lost, or for each file and each folder's entry one or the other; the content of a file that was not synced may be cut off or partly zeros. Again in the recovery. |
//! | end of the process | Nothing is lost, locks are gone. |
//! | [`network`] | No connection, statuses, another page in place of the bytes, bytes cut off, changed, endless, dripping or never coming, ranges that were not asked for, metadata of an earlier day, or of different days mixed, the repository of somebody with other keys. |
//! | clock | It jumps by a year and more, either way, while the app runs. |
//!
//! What was synced is never lost by a power failure, only by flipped bits: one in a schedule, or one in each copy of the store's memory.
//!
//! # Settings
//! In the *plain* one releases are taken as they come. In the second one they have [`terms`]: conditions at each gate, days
//! they may be postponed, urgency; machine and user change while time goes on, over the night in which clocks change
//! ([`circumstances`], [`lives`]). What is looked for, downloaded and applied is held against the conditions' twins, and
//! against what the user said ([`promises`]). There releases have asset groups, too, and come as files (`--apply`). In the third
//! there are two [`channels`] with barriers; the user changes the channel, pins versions and limits how fast files come, and what
//! is applied is held against what was chosen ([`choices`]). In the fourth releases come in [`waves`], whose shares change, with a
//! release that is withdrawn while it waits and a bad one; the user says now. In the fifth what runs takes the app down at its
//! [`starts`], or is seen not to come up, again and again; in all of them starts are written down, and held against what became
//! of the process. In the sixth each release has its [`moments`]: it goes live at once, with the next load of a page or at the
//! next launch; pages are loaded, and none is let wait for ever.
//!
//! **Invariant:** never part of what is shipped; knows the engine only by what is public.

pub mod chance;
pub mod channels;
pub mod choices;
pub mod circumstances;
pub mod disk;
pub mod faults;
pub mod host;
pub mod lives;
pub mod model;
pub mod moments;
pub mod network;
mod platter;
pub mod progress;
pub mod promises;
pub mod schedule;
mod signatures;
pub mod starts;
pub mod terms;
pub mod waves;
pub mod world;

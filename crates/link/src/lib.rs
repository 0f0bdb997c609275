//! The local connection between Staysail's processes: shell and worker, development tool and shell, and the shell and
//! WebKit's web process.
//!
//! A [`Socket`] is one end of it. [`Link`] writes frames into it, as [`Parcel`]s, [`Incoming`] reads them out of it. What is
//! too large for frames is an [`Attachment`], which a [`Courier`] takes across beside them.
//!
//! **Invariant:** nothing here knows what a frame means, and nothing here starts a process or opens a socket.

mod attachment;
mod incoming;
mod link;
mod parcel;
mod socket;

pub use attachment::{Attachment, AttachmentWriter, Content, Courier};
pub use incoming::Incoming;
pub use link::Link;
pub use parcel::Parcel;
pub use socket::Socket;

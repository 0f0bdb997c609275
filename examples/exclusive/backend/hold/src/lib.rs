//! What only one backend can hold: the database and the port.

mod database;
mod port;

pub use database::{Database, Entry};
pub use port::Port;

//! What the conformance suite of TUF implementers (github.com/theupdateframework/tuf-conformance) asks of a client, asked of
//! the client that apps look for their releases with, and what it does not ask: floors, clocks, bounds.

mod delegations;
mod floors;
mod keys;
mod process;
mod refresh;
mod simulator;
mod targets;

//! Exchanges of real workers by the real conductor, without windows: what is handed over between them, and what happens when
//! a process dies in the middle of it. The workers are this same program, started under other names.
//!
//! `cargo test -p staysail-shell --test swap -- PART` plays those tests of whose name it is a part; `measure` measures.

#[cfg(target_os = "linux")]
mod debugger;
#[cfg(target_os = "linux")]
mod exclusive;
#[cfg(target_os = "linux")]
mod modules;
#[cfg(target_os = "linux")]
mod protocol;
#[cfg(target_os = "linux")]
mod roles;
#[cfg(target_os = "linux")]
mod shadow;
#[cfg(target_os = "linux")]
mod state;
#[cfg(target_os = "linux")]
mod theatre;

#[cfg(target_os = "linux")]
fn main() {
    if !roles::play() {
        theatre::run(
            &[
                state::TESTS,
                exclusive::TESTS,
                debugger::TESTS,
                protocol::TESTS,
                shadow::TESTS,
                modules::TESTS,
            ],
            &[("measure the hand-over of state", state::measure)],
        );
    }
}

#[cfg(not(target_os = "linux"))]
fn main() {}

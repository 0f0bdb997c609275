//! `staysail watch` as a program meets it: each sentence of `docs/spec/watch.md`, and ten thousand random operations.

#![cfg(unix)]

mod command;
mod events;
mod process;
mod random;
mod rules;
mod view;

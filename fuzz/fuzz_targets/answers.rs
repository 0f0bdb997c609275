//! `answers` of tests/parsers, driven by libFuzzer.
#![no_main]

libfuzzer_sys::fuzz_target!(|bytes: &[u8]| staysail_parsers::run("answers", bytes));

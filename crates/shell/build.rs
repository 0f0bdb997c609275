//! Compiles `port/`, the library that runs inside WebKitGTK's web process, so that the shell can embed it; and has the linker
//! keep one of several functions with the same machine code in the optimised shell, where it can do that.

use std::path::PathBuf;
use std::process::Command;

/// "Identical code folding", which LLVM's linker (Rust's own on x86-64 Linux) and some others know. Nothing here compares the
/// addresses of functions.
const FOLD: &str = "-Wl,--icf=all";

fn main() {
    println!("cargo::rerun-if-changed=port");
    let variable = |name: &str| std::env::var(name).unwrap_or_else(|_| panic!("cargo sets {name}"));
    if variable("CARGO_CFG_TARGET_OS") != "linux" {
        return;
    }
    let out = PathBuf::from(variable("OUT_DIR")).join("libstaysail_port.so");
    let compile = |more: &[&str]| {
        let mut rustc = Command::new(variable("RUSTC"));
        rustc
            .args(linking())
            .args(["--edition", "2024", "--crate-name", "staysail_port", "--crate-type", "cdylib"])
            .args(["-C", "opt-level=3", "-C", "panic=abort", "-C", "strip=symbols", "-C", "codegen-units=1"])
            .args(["-C", "lto=fat", "-C", "force-unwind-tables=no"])
            .args(["--target", &variable("TARGET")])
            .args(more)
            .arg("-o")
            .arg(&out)
            .arg("port/lib.rs");
        if let Ok(linker) = std::env::var("RUSTC_LINKER") {
            rustc.arg("-C").arg(format!("linker={linker}"));
        }
        rustc
    };
    // The library is small: whether the linker knows the option is found out with it.
    let folding = compile(&["-C", &format!("link-arg={FOLD}")]).output();
    if folding.is_ok_and(|output| output.status.success()) {
        if variable("PROFILE") == "release" {
            println!("cargo::rustc-link-arg-bins={FOLD}");
        }
        return;
    }
    let mut rustc = compile(&[]);
    let status = rustc.status().unwrap_or_else(|error| panic!("{rustc:?}: {error}"));
    assert!(status.success(), "{rustc:?} failed: {status}");
}

/// What the user's flags say of the linker: the library is linked as the shell will be.
fn linking() -> Vec<String> {
    let flags = std::env::var("CARGO_ENCODED_RUSTFLAGS").unwrap_or_default();
    let mut flags = flags.split('\x1f');
    let mut found = Vec::new();
    while let Some(flag) = flags.next() {
        let option = match flag {
            "-C" | "--codegen" => flags.next().unwrap_or_default(),
            _ => flag.strip_prefix("-C").or_else(|| flag.strip_prefix("--codegen=")).unwrap_or_default(),
        };
        if option.starts_with("link") {
            found.extend(["-C".to_owned(), option.to_owned()]);
        }
    }
    found
}

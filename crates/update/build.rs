//! Tells the crate the target triple it is compiled for.
//!
//! **Invariant:** reads one variable of cargo, writes one of rustc; nothing else.

fn main() {
    let target = std::env::var("TARGET").unwrap_or_default();
    println!("cargo:rustc-env=STAYSAIL_TARGET={target}");
    println!("cargo:rerun-if-changed=build.rs");
}

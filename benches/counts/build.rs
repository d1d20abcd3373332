//! Leaves word of the compiler: counts of two compilers are not to be compared by the digit.

use std::process::Command;

fn main() {
    println!("cargo:rerun-if-changed=build.rs");
    let rustc = std::env::var_os("RUSTC").expect("cargo tells build scripts the compiler");
    let output = Command::new(rustc).arg("--version").output();
    let version = output.expect("the compiler that compiled this runs").stdout;
    println!(
        "cargo:rustc-env=COMPILER={}",
        String::from_utf8_lossy(&version)
    );
}

//! A configuration file: any text is a configuration or a refusal that tells no secret.

#![no_main]

use libfuzzer_sys::fuzz_target;
use shardcast::server::config::{Unconfigured, load};
use std::ffi::OsString;

const SECRET: &str = "canary-8d1f0c";

fuzz_target!(|text: &str| {
    let path = std::env::temp_dir().join(format!("shardcast-fuzz-{}.toml", std::process::id()));
    std::fs::write(&path, text).expect("the folder for temporary files can be written");
    let mut flag = OsString::from("--config=");
    flag.push(&path);
    let arguments = ["shardcast".into(), "start".into(), flag];
    let loaded = load(arguments, [], &[0, 1], Unconfigured::DemoApp);
    match loaded {
        Ok(invocation) => assert!(!invocation.config.apps.is_empty()),
        Err(error) => {
            assert!(!error.is_answer());
            let names_it = text.contains(SECRET) && !is_elsewhere(text);
            assert!(!(names_it && error.to_string().contains(SECRET)), "{error}");
        }
    }
});

/// Whether the secret stands anywhere but behind `secret`, where it is none.
fn is_elsewhere(text: &str) -> bool {
    let is_value = |line: &str| {
        let behind = line.trim_start().strip_prefix("secret");
        behind.is_some_and(|rest| rest.trim_start().starts_with('='))
    };
    let mut lines = text.lines().filter(|line| line.contains(SECRET));
    !lines.all(is_value)
}

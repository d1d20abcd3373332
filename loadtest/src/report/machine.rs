//! The machine that a run was made on: without it a figure means little.

use serde::{Deserialize, Serialize};
use std::fs;

/// Where the tester ran. For a server on this machine it is the server's too.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Machine {
    /// The processor's own name.
    pub cpu: String,
    /// Cores that this process may use.
    pub cores: usize,
    /// The kernel's release.
    pub kernel: String,
}

const UNKNOWN: &str = "unknown";

impl Machine {
    /// This one.
    pub fn here() -> Self {
        let read = |path| fs::read_to_string(path).unwrap_or_default();
        let kernel = read("/proc/sys/kernel/osrelease");
        Self {
            cpu: model(&read("/proc/cpuinfo")),
            cores: std::thread::available_parallelism().map_or(1, usize::from),
            kernel: or_unknown(kernel.trim()),
        }
    }
}

/// The model of the first core. Kernels for ARM tell none.
fn model(cpuinfo: &str) -> String {
    let lines = cpuinfo.lines().filter_map(|line| line.split_once(':'));
    let mut models = lines.filter(|(key, _)| key.trim() == "model name");
    or_unknown(models.next().map_or("", |(_, model)| model.trim()))
}

fn or_unknown(text: &str) -> String {
    let text = if text.is_empty() { UNKNOWN } else { text };
    text.to_owned()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_model_is_read() {
        let text = "processor\t: 0\nvendor_id\t: X\nmodel name\t: Some CPU @ 3.0 GHz: fast\n\n\
                    processor\t: 1\nmodel name\t: Other\n";
        assert_eq!(model(text), "Some CPU @ 3.0 GHz: fast");
        assert_eq!(model("processor\t: 0\nBogoMIPS\t: 50.00\n"), "unknown");
        assert_eq!(model(""), "unknown");
    }

    #[test]
    fn this_machine_has_a_kernel_and_a_core() {
        let here = Machine::here();
        assert!(here.cores >= 1);
        assert!(
            here.kernel
                .starts_with(|digit: char| digit.is_ascii_digit())
        );
    }
}

//! What counts stand on besides the source: the tools, and the processor as valgrind shows it.
//!
//! Libraries choose their code by the processor while they run (memchr, simd-json, the digests, the
//! C library's memcpy). Valgrind shows one and the same made-up processor on every x86-64 machine
//! that has AVX2, whatever else it has; older machines are shown as older.

use crate::callgrind;
use std::fmt;
use std::process::Command;

/// See the module.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Ground {
    /// Architecture and what it can do.
    pub processor: String,
    /// Compiler, valgrind, C library.
    pub tools: String,
}

/// How two grounds are alike.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Likeness {
    /// Counts are equal when the code is.
    Same,
    /// The same paths are taken through the code, but a compiler may make more or less of them.
    OtherTools,
    /// Other paths are taken.
    OtherProcessor,
}

impl Ground {
    /// The ground of this build on this machine.
    pub fn here() -> Result<Self, String> {
        let features = callgrind::run(&["--tool=none".to_owned()], &["features"])?;
        let features = String::from_utf8_lossy(&features.stdout).into_owned();
        Ok(Self {
            processor: format!("{} {features}", std::env::consts::ARCH)
                .trim()
                .to_owned(),
            tools: format!(
                "{}, {}, {}",
                env!("COMPILER"),
                said("valgrind", "--version")?,
                said("getconf", "GNU_LIBC_VERSION")?
            ),
        })
    }

    /// How this ground is like the other.
    pub fn likeness(&self, other: &Self) -> Likeness {
        match (self.processor == other.processor, self.tools == other.tools) {
            (true, true) => Likeness::Same,
            (true, false) => Likeness::OtherTools,
            (false, _) => Likeness::OtherProcessor,
        }
    }
}

impl fmt::Display for Ground {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        writeln!(f, "# processor: {}", self.processor)?;
        writeln!(f, "# tools: {}", self.tools)
    }
}

fn said(program: &str, arg: &str) -> Result<String, String> {
    let output = Command::new(program).arg(arg).output();
    let output = output.map_err(|error| format!("{program}: {error}"))?;
    Ok(String::from_utf8_lossy(&output.stdout).trim().to_owned())
}

/// What the processor can do, of what libraries here choose their code by.
#[cfg(target_arch = "x86_64")]
pub fn features() -> String {
    macro_rules! found {
        ($($feature:tt)*) => {
            [$(($feature, std::arch::is_x86_feature_detected!($feature))),*]
        };
    }
    let features = found!(
        "ssse3" "sse4.1" "sse4.2" "popcnt" "aes" "pclmulqdq"
        "avx" "avx2" "bmi1" "bmi2" "sha" "avx512f"
    );
    let found = features.into_iter().filter(|(_, found)| *found);
    found.map(|(name, _)| name).collect::<Vec<_>>().join(" ")
}

/// Elsewhere nothing is chosen at run time, or it is not known here.
#[cfg(not(target_arch = "x86_64"))]
pub fn features() -> String {
    String::new()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn another_processor_weighs_more_than_another_tool() {
        let ground = |processor: &str, tools: &str| Ground {
            processor: processor.into(),
            tools: tools.into(),
        };
        let here = ground("a", "1");
        assert_eq!(here.likeness(&here.clone()), Likeness::Same);
        assert_eq!(here.likeness(&ground("a", "2")), Likeness::OtherTools);
        assert_eq!(here.likeness(&ground("b", "1")), Likeness::OtherProcessor);
        assert_eq!(here.likeness(&ground("b", "2")), Likeness::OtherProcessor);
    }
}

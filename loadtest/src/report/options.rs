//! What can be asked of the outputs on the command line. The same for every scenario.

use crate::report::require::Requirement;
use clap::Args;
use std::path::PathBuf;

/// Where the outcome goes, and what it is held to.
#[derive(Args, Clone, Debug, Default)]
#[command(next_help_heading = "Output")]
pub struct Options {
    /// Print one JSON object instead of the table.
    #[arg(long, global = true)]
    pub json: bool,
    /// Write that JSON object to a file, to be compared with later.
    #[arg(long, global = true, value_name = "PATH")]
    pub json_file: Option<PathBuf>,
    /// Write a page with tables and charts to a file; it needs no other file and no network.
    #[arg(long, global = true, value_name = "PATH")]
    pub html: Option<PathBuf>,
    /// Write each latency as SCENARIO-LATENCY.hgrm, in milliseconds, for the HdrHistogram plotter.
    /// The directory is made when it is missing.
    #[arg(long, global = true, value_name = "DIR")]
    pub hgrm: Option<PathBuf>,
    /// Compare with an earlier run of the same scenario, written with --json-file or --json.
    #[arg(long, global = true, value_name = "OLD.json")]
    pub compare: Option<PathBuf>,
    /// With --compare: fail when a figure is worse than it was by more than so many percent.
    /// Without this, a comparison only informs.
    #[arg(long, global = true, value_name = "PERCENT", value_parser = percent)]
    pub tolerate: Option<f64>,
    /// Fail unless a figure keeps a bound: KEY, one of >= <= > < ==, and a number, such as
    /// 'deliveries_per_s>=1500000' or 'delivery_p99_us < 5000'. The keys are those of the JSON.
    /// Can be repeated.
    #[arg(long, global = true, value_name = "KEY OP NUMBER")]
    pub require: Vec<Requirement>,
    /// Show no progress.
    #[arg(long, short, global = true)]
    pub quiet: bool,
}

fn percent(text: &str) -> Result<f64, String> {
    let number: f64 = text
        .trim_end_matches('%')
        .trim_end()
        .parse()
        .map_err(|_| "expected a number of percent".to_owned())?;
    if number.is_finite() && number >= 0.0 {
        Ok(number)
    } else {
        Err("expected a number of percent, 0 or more".to_owned())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::{CommandFactory, Parser};

    #[derive(Debug, Parser)]
    struct Whole {
        #[command(flatten)]
        options: Options,
        #[command(subcommand)]
        scenario: Scenario,
    }

    #[derive(Debug, clap::Subcommand)]
    enum Scenario {
        Idle,
    }

    fn parse(arguments: &[&str]) -> Result<Options, clap::Error> {
        let arguments = ["x"].iter().chain(arguments);
        let Whole { options, scenario } = Whole::try_parse_from(arguments)?;
        assert!(matches!(scenario, Scenario::Idle));
        Ok(options)
    }

    #[test]
    fn options_stand_before_and_behind_the_scenario() {
        Whole::command().debug_assert();
        for arguments in [
            ["--json", "--require", "lost==0", "idle"],
            ["idle", "--json", "--require", "lost==0"],
            ["--json", "idle", "--require", "lost==0"],
        ] {
            let options = parse(&arguments).unwrap();
            assert!(options.json, "{arguments:?}");
            assert_eq!(options.require.len(), 1, "{arguments:?}");
        }
    }

    #[test]
    fn tolerances_are_percents() {
        for (text, number) in [("5", 5.0), ("2.5%", 2.5), ("0", 0.0), ("300 %", 300.0)] {
            let options = parse(&["idle", "--compare", "x", "--tolerate", text]).unwrap();
            assert_eq!(options.tolerate, Some(number));
        }
        for wrong in ["-1", "inf", "nan", "much", ""] {
            let equals = format!("--tolerate={wrong}");
            assert!(parse(&["idle", &equals]).is_err(), "{wrong}");
        }
    }

    #[test]
    fn malformed_requirements_are_refused_at_once() {
        for wrong in ["lost", "lost=0", "==0", "lost==", "lost==none", "lo st==0"] {
            let error = parse(&["idle", "--require", wrong]).unwrap_err();
            assert_eq!(error.exit_code(), 2, "{wrong}");
        }
    }
}

//! How far a scenario is, for the person who waits.
//!
//! One bar at a time on a terminal; a phase that ended leaves a line. On a pipe nothing is written,
//! so that a log holds the report and nothing else.

use indicatif::{
    HumanCount, HumanDuration, ProgressBar, ProgressDrawTarget, ProgressState, ProgressStyle,
};
use std::fmt;
use std::time::Duration;

/// Redraws in a second: enough for the eye, and nothing that the load would feel.
const REDRAWS_PER_S: u8 = 5;

/// Steps of a known number.
const STEPS: &str = "  {prefix:12} [{wide_bar}] {human_pos}/{human_len} {rate}/s eta {eta} {msg}";
/// Steps of a number that nobody knows.
const ENDLESS: &str = "  {prefix:12} {spinner} {human_pos} {elapsed} {msg}";
/// Steps that are milliseconds.
const TIMED: &str = "  {prefix:12} [{wide_bar}] {seconds} {msg}";
/// The line that a phase leaves.
const ENDED: &str = "  {prefix:12} {wide_msg}";

/// Bars on a terminal, nothing on a pipe.
#[derive(Debug, Default)]
pub struct Progress {
    /// Where bars go; `None` is the standard error.
    target: Option<Target>,
    phase: Option<Phase>,
    /// Which of several runs this is; its phases leave no lines of their own.
    run: Option<String>,
}

#[derive(Debug)]
struct Phase {
    bar: ProgressBar,
    timed: bool,
}

/// A terminal other than the standard error.
#[derive(Debug)]
enum Target {
    Nowhere,
    #[cfg(test)]
    Memory(indicatif::InMemoryTerm),
}

impl Progress {
    /// Bars on the standard error, when that is a terminal and they are wanted.
    pub fn new(quiet: bool) -> Self {
        Self {
            target: quiet.then_some(Target::Nowhere),
            phase: None,
            run: None,
        }
    }

    /// One of several runs begins: its bars bear its name, and its phases leave no lines.
    pub fn run(&mut self, name: String) {
        self.end();
        self.run = Some(name);
    }

    /// A new phase begins; `total` is how many steps it has, when that is known.
    pub fn phase(&mut self, name: &str, total: Option<u64>) {
        let template = if total.is_some() { STEPS } else { ENDLESS };
        self.begin(name, total, template, false);
    }

    /// A new phase begins that takes so many milliseconds; its steps are those.
    pub fn timed(&mut self, name: &str, milliseconds: u64) {
        self.begin(name, Some(milliseconds), TIMED, true);
    }

    /// So many steps are done; `detail` is what stands beside the bar. Called a few times a second.
    pub fn at(&mut self, done: u64, detail: &str) {
        if let Some(Phase { bar, .. }) = &self.phase {
            bar.set_message(detail.to_owned());
            bar.set_position(done);
        }
    }

    /// Takes the bars off the screen; each phase leaves a line.
    pub fn end(&mut self) {
        let Some(Phase { bar, timed }) = self.phase.take() else {
            return;
        };
        if self.run.is_some() {
            bar.finish_and_clear();
            return;
        }
        let (took, detail) = (took(bar.elapsed()), bar.message());
        let steps = HumanCount(bar.position());
        bar.set_style(style(ENDED));
        bar.abandon_with_message(match (timed, steps.0) {
            (false, 1..) => format!("{steps} in {took}  {detail}"),
            _ => format!("{took}  {detail}"),
        });
    }

    fn begin(&mut self, name: &str, total: Option<u64>, template: &str, timed: bool) {
        self.end();
        let bar = ProgressBar::with_draw_target(total, self.draw_target());
        bar.set_style(style(template));
        bar.set_prefix(match &self.run {
            Some(run) => format!("{run}: {name}"),
            None => name.to_owned(),
        });
        self.phase = Some(Phase { bar, timed });
    }

    fn draw_target(&self) -> ProgressDrawTarget {
        match &self.target {
            None => ProgressDrawTarget::stderr_with_hz(REDRAWS_PER_S),
            Some(Target::Nowhere) => ProgressDrawTarget::hidden(),
            #[cfg(test)]
            Some(Target::Memory(terminal)) => {
                ProgressDrawTarget::term_like_with_hz(Box::new(terminal.clone()), u8::MAX)
            }
        }
    }
}

impl Drop for Progress {
    fn drop(&mut self) {
        self.end();
    }
}

fn took(time: Duration) -> String {
    if time < Duration::from_secs(60) {
        format!("{:.1} s", time.as_secs_f64())
    } else {
        HumanDuration(time).to_string()
    }
}

fn style(template: &str) -> ProgressStyle {
    let style = ProgressStyle::with_template(template).expect("the templates stand above");
    let seconds = |state: &ProgressState, out: &mut dyn fmt::Write| {
        let (done, all) = (state.pos(), state.len().unwrap_or_default());
        let _ = write!(out, "{}/{} s", done / 1000, all.div_ceil(1000));
    };
    let rate = |state: &ProgressState, out: &mut dyn fmt::Write| {
        let _ = write!(out, "{}", HumanCount(state.per_sec() as u64));
    };
    let style = style.with_key("seconds", seconds).with_key("rate", rate);
    style.progress_chars("=> ").tick_chars("|/-\\ ")
}

#[cfg(test)]
mod tests {
    use super::*;
    use indicatif::InMemoryTerm;

    fn in_memory() -> (Progress, InMemoryTerm) {
        let terminal = InMemoryTerm::new(24, 80);
        let progress = Progress {
            target: Some(Target::Memory(terminal.clone())),
            phase: None,
            run: None,
        };
        (progress, terminal)
    }

    #[test]
    fn a_phase_of_known_length_is_a_bar() {
        let (mut progress, terminal) = in_memory();
        progress.phase("connect", Some(10_000));
        progress.at(2_500, "7 refused");
        let text = terminal.contents();
        assert!(text.starts_with("  connect      [==="), "{text}");
        assert!(text.contains("] 2,500/10,000 "), "{text}");
        assert!(text.contains(" eta "), "{text}");
        assert!(text.ends_with(" 7 refused"), "{text}");
        assert!(
            text.lines().all(|line| line.chars().count() <= 80),
            "{text}"
        );
    }

    #[test]
    fn a_phase_of_time_counts_seconds() {
        let (mut progress, terminal) = in_memory();
        progress.timed("measure", 30_000);
        progress.at(7_900, "50,000 /s");
        let text = terminal.contents();
        assert!(text.ends_with("] 7/30 s 50,000 /s"), "{text}");
    }

    #[test]
    fn a_phase_of_unknown_length_has_no_bar() {
        let (mut progress, terminal) = in_memory();
        progress.phase("drain", None);
        progress.at(1_234, "waiting");
        let text = terminal.contents();
        assert!(
            text.contains(" 1,234 ") && text.ends_with(" waiting"),
            "{text}"
        );
        assert!(!text.contains('[') && !text.contains("eta"), "{text}");
    }

    #[test]
    fn a_phase_that_ended_leaves_one_line() {
        let (mut progress, terminal) = in_memory();
        progress.phase("connect", Some(10));
        progress.at(10, "");
        progress.timed("measure", 30_000);
        progress.at(3_000, "fast");
        progress.end();
        progress.end();
        let text = terminal.contents();
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines.len(), 2, "{text}");
        assert!(lines[0].starts_with("  connect      10 in 0."), "{text}");
        assert!(lines[1].starts_with("  measure      0."), "{text}");
    }

    #[test]
    fn one_of_several_runs_has_a_name_and_leaves_no_line() {
        let (mut progress, terminal) = in_memory();
        progress.run("2 of 10, channels, floor".to_owned());
        progress.timed("measuring", 30_000);
        progress.at(3_000, "");
        let text = terminal.contents();
        let start = "  2 of 10, channels, floor: measuring [=";
        assert!(text.starts_with(start), "{text}");
        progress.end();
        assert_eq!(terminal.contents(), "");
    }

    #[test]
    fn quiet_is_quiet() {
        let mut progress = Progress::new(true);
        progress.phase("connect", Some(10));
        assert!(progress.phase.as_ref().unwrap().bar.is_hidden());
    }

    #[test]
    fn steps_before_any_phase_are_nothing() {
        let (mut progress, terminal) = in_memory();
        progress.at(5, "early");
        progress.end();
        assert_eq!(terminal.contents(), "");
    }
}

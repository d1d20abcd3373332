//! From the options to the outputs: what is asked before the load, and what is done after it.

use crate::outcome::Outcome;
use crate::report::compare::Comparison;
use crate::report::document::{Circumstances, Document, Verdict as Check};
use crate::report::machine::Machine;
use crate::report::options::Options;
use crate::report::require::unknown_keys;
use crate::report::table::Paint;
use crate::report::{files, hgrm, html, table};
use std::io::{self, IsTerminal, Write};
use std::path::PathBuf;
use std::time::{Instant, SystemTime};

/// How a run ended that could be made.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// It kept all that was asked of it.
    Passed,
    /// It did not.
    Failed,
}

/// A report that waits for its outcome.
#[derive(Debug)]
pub struct Report {
    options: Options,
    /// The run to compare with, read before any output can take its place.
    old: Option<(PathBuf, Document)>,
    /// Asked before the run, which may keep itself to one core.
    machine: Machine,
    began: Instant,
    started_at: SystemTime,
}

impl Report {
    /// Looks at everything that can be wrong before there is a load; the clock of the run starts.
    ///
    /// # Errors
    /// When the run to compare with cannot be used, or an output not be written.
    pub fn prepare(options: &Options, scenario: &str) -> io::Result<Self> {
        let old = match &options.compare {
            Some(path) => Some((path.clone(), Document::read(path, scenario)?)),
            None if options.tolerate.is_some() => {
                return Err(io::Error::other("--tolerate needs --compare"));
            }
            None => None,
        };
        if let (Some(json), Some(html)) = (&options.json_file, &options.html)
            && files::same(json, html)
        {
            let what = "--json-file and --html name the same file";
            return Err(io::Error::other(what));
        }
        for path in [&options.json_file, &options.html].into_iter().flatten() {
            files::check_writable(path)?;
        }
        if let Some(directory) = &options.hgrm {
            files::check_directory(directory)?;
        }
        Ok(Self {
            options: options.clone(),
            old,
            machine: Machine::here(),
            began: Instant::now(),
            started_at: SystemTime::now(),
        })
    }

    /// Prints and writes everything, and says whether the run passed.
    ///
    /// # Errors
    /// When an output cannot be written or a requirement names no figure. All else is written
    /// nevertheless: a long run is not lost for a name.
    pub fn finish(self, outcome: &Outcome) -> io::Result<Verdict> {
        self.finish_on(outcome, paint(), &mut io::stdout().lock())
    }

    fn finish_on(
        self,
        outcome: &Outcome,
        paint: Paint,
        out: &mut dyn Write,
    ) -> io::Result<Verdict> {
        let circumstances = Circumstances {
            started_at: humantime::format_rfc3339_seconds(self.started_at).to_string(),
            took_s: self.began.elapsed().as_secs_f64(),
            machine: self.machine.clone(),
        };
        let document = self.judged(outcome, circumstances);
        let text = if self.options.json {
            document.to_json()
        } else {
            table::text(&document, paint)
        };
        // A reader that went away is no reason to fail.
        let _ = out.write_all(text.as_bytes());
        let written = self.write(&document, outcome);
        if let Some(unknown) = unknown_keys(&self.options.require, &document) {
            return Err(io::Error::other(unknown));
        }
        written.map(|()| match document.passed {
            true => Verdict::Passed,
            false => Verdict::Failed,
        })
    }

    fn judged(&self, outcome: &Outcome, circumstances: Circumstances) -> Document {
        let mut document = Document::new(outcome, circumstances);
        let required = self.options.require.iter();
        let required: Vec<Check> = required.map(|bound| bound.check(&document)).collect();
        document.judge(required);
        if let Some((path, old)) = &self.old {
            let comparison = Comparison::new(old, &document, path.display().to_string());
            if let Some(percent) = self.options.tolerate {
                document.judge(comparison.judge(percent));
            }
            document.comparison = Some(comparison);
        }
        document
    }

    /// Writes every file that it can, and tells of the first that it cannot.
    fn write(&self, document: &Document, outcome: &Outcome) -> io::Result<()> {
        let mut written = Vec::new();
        if let Some(path) = &self.options.json_file {
            written.push(files::write(path, &document.to_json()));
        }
        if let Some(path) = &self.options.html {
            let old = self.old.as_ref().map(|(_, old)| old);
            let views = document.latency_views(old);
            let page = views.map(|views| html::page(document, &views));
            written.push(page.and_then(|page| files::write(path, &page)));
        }
        if let Some(directory) = &self.options.hgrm {
            for latency in &outcome.latencies {
                let name = format!("{}-{}.hgrm", outcome.scenario, latency.key);
                let text = hgrm::text(&latency.nanoseconds);
                written.push(files::write(&directory.join(name), &text));
            }
        }
        written.into_iter().collect()
    }
}

/// Colours for a terminal whose user has nothing against them.
fn paint() -> Paint {
    let set = |name| std::env::var_os(name).is_some_and(|value| !value.is_empty());
    let dumb = std::env::var_os("TERM").is_some_and(|terminal| terminal == "dumb");
    Paint {
        on: io::stdout().is_terminal() && !set("NO_COLOR") && !dumb,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use std::fs;
    use std::path::Path;

    /// A directory that goes when the test ends.
    struct Place(PathBuf);

    impl Place {
        fn new(name: &str) -> Self {
            let name = format!("shardcast-report-{}-{name}", std::process::id());
            let path = std::env::temp_dir().join(name);
            fs::create_dir_all(&path).unwrap();
            Self(path)
        }

        fn file(&self, name: &str) -> PathBuf {
            self.0.join(name)
        }
    }

    impl Drop for Place {
        fn drop(&mut self) {
            let _ = fs::remove_dir_all(&self.0);
        }
    }

    fn run(options: &Options) -> io::Result<Verdict> {
        printed(options).map(|(verdict, _)| verdict)
    }

    fn printed(options: &Options) -> io::Result<(Verdict, String)> {
        let mut out = Vec::new();
        let report = Report::prepare(options, "fan-out")?;
        let verdict = report.finish_on(&sample::outcome(), Paint { on: false }, &mut out)?;
        Ok((verdict, String::from_utf8(out).unwrap()))
    }

    fn message(options: &Options) -> String {
        Report::prepare(options, "fan-out").unwrap_err().to_string()
    }

    fn require(bounds: &[&str]) -> Options {
        Options {
            require: bounds.iter().map(|bound| bound.parse().unwrap()).collect(),
            json: true,
            ..Options::default()
        }
    }

    #[test]
    fn every_output_is_written_and_the_json_can_be_compared_with() {
        let place = Place::new("outputs");
        let options = Options {
            json_file: Some(place.file("run.json")),
            html: Some(place.file("run.html")),
            hgrm: Some(place.file("deep/hgrm")),
            ..require(&["lost==0"])
        };
        assert_eq!(run(&options).unwrap(), Verdict::Passed);
        let hgrm = fs::read_to_string(place.file("deep/hgrm/fan-out-delivery.hgrm")).unwrap();
        assert!(hgrm.contains("#[Mean    ="));
        assert!(
            fs::read_to_string(place.file("run.html"))
                .unwrap()
                .ends_with("</html>\n")
        );
        let names = fs::read_dir(place.file("deep/hgrm")).unwrap().count();
        assert_eq!(names, 1, "no trace of the look at the directory");
        // The file to compare with is also the one to be written.
        let again = Options {
            compare: options.json_file.clone(),
            tolerate: Some(0.0),
            ..options
        };
        assert_eq!(run(&again).unwrap(), Verdict::Passed);
        let json = Document::read(&place.file("run.json"), "fan-out").unwrap();
        assert_eq!(json.verdicts.len(), 2);
        assert!(json.comparison.is_some());
        assert!(json.passed);
    }

    #[test]
    fn either_the_table_or_the_json_is_printed() {
        let (_, table) = printed(&Options::default()).unwrap();
        assert!(table.starts_with("fan-out: passed\n"), "{table}");
        let (_, json) = printed(&require(&[])).unwrap();
        let value: serde_json::Value = serde_json::from_str(&json).unwrap();
        assert_eq!(value["scenario"], "fan-out");
        assert_eq!(json.lines().count(), 1);
    }

    #[test]
    fn a_bound_that_is_not_kept_fails_the_run() {
        assert_eq!(run(&require(&["lost==0"])).unwrap(), Verdict::Passed);
        let options = require(&["lost==0", "deliveries_per_s>=1500000"]);
        assert_eq!(run(&options).unwrap(), Verdict::Failed);
    }

    #[test]
    fn a_run_that_is_too_much_worse_fails() {
        let place = Place::new("worse");
        let mut old = sample::document();
        old.figures["deliveries_per_s"].value = Some(1_500_000.0);
        fs::write(place.file("old.json"), old.to_json()).unwrap();
        let tolerate = |percent| Options {
            json: true,
            compare: Some(place.file("old.json")),
            tolerate: percent,
            ..Options::default()
        };
        assert_eq!(run(&tolerate(None)).unwrap(), Verdict::Passed);
        assert_eq!(run(&tolerate(Some(18.0))).unwrap(), Verdict::Passed);
        assert_eq!(run(&tolerate(Some(17.0))).unwrap(), Verdict::Failed);
    }

    #[test]
    fn an_unknown_figure_is_told_after_all_is_written() {
        let place = Place::new("unknown");
        let options = Options {
            json_file: Some(place.file("run.json")),
            ..require(&["losst==0"])
        };
        let error = run(&options).unwrap_err().to_string();
        assert!(error.contains("did you mean lost?"), "{error}");
        let json = Document::read(&place.file("run.json"), "fan-out").unwrap();
        assert!(!json.passed);
    }

    #[test]
    fn what_cannot_be_written_or_read_is_told_before_the_load() {
        let place = Place::new("before");
        let none = Path::new("/nowhere/at/all/run.json");
        let json_file = |path: &Path| Options {
            json_file: Some(path.to_owned()),
            ..Options::default()
        };
        assert_eq!(
            message(&json_file(none)),
            format!(
                "cannot write {}: No such file or directory (os error 2)",
                none.display()
            )
        );
        assert!(message(&json_file(&place.0)).contains("is a directory"));
        fs::write(place.file("file"), "kept").unwrap();
        let options = Options {
            hgrm: Some(place.file("file")),
            ..json_file(&place.file("file"))
        };
        assert!(
            message(&options).contains("file: File exists"),
            "{}",
            message(&options)
        );
        assert_eq!(fs::read_to_string(place.file("file")).unwrap(), "kept");
        Report::prepare(&json_file(&place.file("new")), "fan-out").unwrap();
        assert!(
            !place.file("new").exists(),
            "nothing is left behind by the look"
        );
        Report::prepare(&json_file(Path::new("/dev/null")), "fan-out").unwrap();
    }

    #[test]
    fn what_cannot_be_compared_with_is_told_before_the_load() {
        let place = Place::new("compare");
        let compare = |text: Option<&str>| {
            if let Some(text) = text {
                fs::write(place.file("old.json"), text).unwrap();
            }
            let message = message(&Options {
                compare: Some(place.file("old.json")),
                ..Options::default()
            });
            let path = format!("{}: ", place.file("old.json").display());
            message.strip_prefix(&path).unwrap().to_owned()
        };
        assert_eq!(compare(None), "No such file or directory (os error 2)");
        assert!(compare(Some("[]")).starts_with("this is no outcome of a load test"));
        let other = sample::document().to_json().replace("fan-out", "idle");
        assert!(compare(Some(&other)).starts_with("it is a run of idle"));
        let alone = Options {
            tolerate: Some(5.0),
            ..Options::default()
        };
        assert_eq!(message(&alone), "--tolerate needs --compare");
    }

    #[test]
    fn two_outputs_never_go_to_one_file() {
        let place = Place::new("same");
        let both = |left: PathBuf, right: PathBuf| Options {
            json_file: Some(left),
            html: Some(right),
            ..Options::default()
        };
        let told = "--json-file and --html name the same file";
        assert_eq!(message(&both(place.file("a"), place.0.join("./a"))), told);
        fs::write(place.file("a"), "").unwrap();
        std::os::unix::fs::symlink(place.file("a"), place.file("b")).unwrap();
        assert_eq!(message(&both(place.file("a"), place.file("b"))), told);
        let fine = both(place.file("a"), place.file("c"));
        Report::prepare(&fine, "fan-out").unwrap();
        let nowhere = both("/dev/null".into(), "/dev/null".into());
        Report::prepare(&nowhere, "fan-out").unwrap();
    }
}

//! What Prometheus' own tool says of our metrics and of the dashboard's expressions.

use crate::Folder;
use crate::dashboard::{self, expressions};
use crate::support::metrics::Values;
use crate::support::server::TestServer;
use std::ffi::OsString;
use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};

fn promtool(arguments: &[&str], input: &str) -> Output {
    let built = Path::new(env!("CARGO_TARGET_TMPDIR")).with_file_name("tools/bin/promtool");
    let program = match built.exists() {
        true => built.into_os_string(),
        false => OsString::from("promtool"),
    };
    let child = Command::new(program)
        .args(arguments)
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn();
    let mut child = child.expect("scripts/setup-promtool.sh was run");
    // It may have said no already.
    let _ = child.stdin.take().unwrap().write_all(input.as_bytes());
    child.wait_with_output().unwrap()
}

fn said(output: &Output) -> String {
    let texts = [&output.stdout, &output.stderr].map(|bytes| String::from_utf8_lossy(bytes));
    texts.concat()
}

/// What it does not like of a page, line by line.
fn complaints(page: &str) -> Vec<String> {
    let output = promtool(&["check", "metrics"], page);
    said(&output).lines().map(str::to_owned).collect()
}

#[test]
fn the_metrics_are_as_prometheus_wants_them() {
    let server = TestServer::plain();
    server.client().subscribe("c");
    let page = Values::of(server.handle().admin_addr().unwrap());
    assert_eq!(complaints(page.text()), Vec::<String>::new());
    // It is a check that finds something.
    let broken = page.text().replace(
        "# TYPE soketi_draining gauge",
        "# TYPE soketi_draining counter",
    );
    assert!(!complaints(&broken).is_empty());
}

#[test]
fn every_expression_of_the_dashboard_can_be_read() {
    let folder = Folder::new("rules");
    let check = |expressions: &[String]| {
        let mut rules = "groups: [{name: dashboard, rules: [".to_owned();
        for (at, expression) in expressions.iter().enumerate() {
            // A string of JSON is one of YAML.
            let text = serde_json::to_string(expression).unwrap();
            rules.push_str(&format!("{{record: 'expression:{at}', expr: {text}}},\n"));
        }
        rules.push_str("]}]");
        let file = folder.write("rules.yaml", &rules);
        promtool(&["check", "rules", file.to_str().unwrap()], "")
    };
    let filled = expressions(&dashboard::dashboard()).into_iter();
    let mut filled: Vec<String> = filled
        .map(|(_, expression)| {
            let filled = expression.replace(dashboard::PREFIX, "soketi_");
            let filled = filled.replace("$__rate_interval", "1m");
            filled.replace("$__range", "1h").replace('$', "x")
        })
        .collect();
    let output = check(&filled);
    assert!(output.status.success(), "{}", said(&output));
    filled.push("sum by (shard (x)".into());
    assert!(!check(&filled).status.success());
}

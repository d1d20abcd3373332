//! The table of one load, for people and for documents.

use super::tally::{ServerTally, Spread, Tally};
use crate::outcome::Unit;
use crate::report::number::{NOTHING, bare, with_unit};
use crate::report::table;

/// What stands behind the name of a server whose runs did not all keep everything.
const FLAG: &str = " !";

/// As people read it.
pub fn text(tally: &Tally) -> String {
    let rows = rows(tally);
    let columns = 0..rows[0].len();
    let width = |column: usize| rows.iter().map(|row| row[column].chars().count()).max();
    let widths: Vec<usize> = columns.map(|column| width(column).unwrap_or(0)).collect();
    let mut out = format!("{}: {}\n", tally.line, tally.what);
    for row in rows {
        let cells = row.iter().zip(&widths).enumerate();
        let cells = cells.map(|(at, (cell, width))| match at {
            0 => format!("  {cell:width$}"),
            _ => format!("  {cell:>width$}"),
        });
        out.push_str(cells.collect::<String>().trim_end());
        out.push('\n');
    }
    out.push_str(&table::notes(&notes(tally)));
    out
}

/// As a document has it.
pub fn markdown(tally: &Tally) -> String {
    let mut rows = rows(tally);
    let right = vec!["--:".to_owned(); rows[0].len() - 1];
    let rule = ["---".to_owned()].into_iter().chain(right).collect();
    rows.insert(1, rule);
    let rows = rows.iter().map(|row| format!("| {} |\n", row.join(" | ")));
    let notes = notes(tally);
    let notes = notes.iter().map(|note| format!("- {}\n", plain(note)));
    let (rows, notes): (String, String) = (rows.collect(), notes.collect());
    let gap = if notes.is_empty() { "" } else { "\n" };
    let Tally {
        line,
        what,
        arguments,
        ..
    } = tally;
    format!("### {line}: {what}\n\n`{arguments}`\n\n{rows}{gap}{notes}")
}

/// What a server printed must not become part of the document's own markup.
fn plain(text: &str) -> String {
    let text = text.replace(|letter: char| letter.is_control(), " ");
    text.replace('`', "'").replace('<', "&lt;")
}

fn rows(tally: &Tally) -> Vec<Vec<String>> {
    let against = format!("x {}", tally.floor);
    let header = [
        "server",
        tally.label,
        &against,
        "CPU us each",
        &against,
        "p50",
        "p99",
        "CPU tester",
        "server",
    ];
    let header = header.map(str::to_owned).to_vec();
    let servers = tally.servers.iter().map(row);
    std::iter::once(header).chain(servers).collect()
}

fn row(tally: &ServerTally) -> Vec<String> {
    let flag = if tally.is_good() { "" } else { FLAG };
    vec![
        format!("{}{flag}", tally.server),
        spread(tally.figure),
        ratio(tally.ratio),
        spread(tally.cpu_us_each),
        ratio(tally.cpu_ratio),
        with_unit(tally.p50_us, Unit::Microseconds),
        with_unit(tally.p99_us, Unit::Microseconds),
        with_unit(tally.tester_cpu_share, Unit::Share),
        with_unit(tally.server_cpu_share, Unit::Share),
    ]
}

fn spread(spread: Option<Spread>) -> String {
    spread.map_or(NOTHING.to_owned(), |spread| {
        let [median, least, most] = [spread.median, spread.least, spread.most].map(bare);
        format!("{median} [{least}..{most}]")
    })
}

fn ratio(ratio: Option<f64>) -> String {
    ratio.map_or(NOTHING.to_owned(), |ratio| format!("{ratio:.2}"))
}

fn notes(tally: &Tally) -> Vec<String> {
    tally.servers.iter().flat_map(ServerTally::notes).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::suite::tally::Run;
    use crate::suite::tally::tests::run;

    fn tally() -> Tally {
        let floor = vec![run(1_000_000.0, 0.5), run(1_200_000.0, 0.4)];
        let mut lossy = run(600_000.0, 1.0);
        lossy.failures = vec!["7 deliveries were lost".to_owned()];
        let servers = vec![
            ServerTally::new("floor", floor.clone(), &floor),
            ServerTally::new("mine", vec![run(500_000.0, 1.0), lossy], &floor),
            ServerTally::new("gone", vec![Run::failed("a `b` <c>".to_owned()); 2], &floor),
        ];
        Tally {
            line: "fan-out-16",
            what: "one channel",
            arguments: "fan-out --publishers 16".to_owned(),
            figure: "deliveries_per_s",
            label: "deliveries/s",
            floor: "floor".to_owned(),
            servers,
        }
    }

    #[test]
    fn columns_stand_below_each_other() {
        let text = text(&tally());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "fan-out-16: one channel");
        assert!(lines[1].starts_with("  server    "), "{text}");
        assert!(
            lines[2].contains("1,100,000 [1,000,000..1,200,000]     1.00"),
            "{text}"
        );
        assert!(
            lines[2].ends_with("1.20 ms  5.34 ms      62.0 %  99.0 %"),
            "{text}"
        );
        assert!(lines[3].starts_with("  mine !  "), "{text}");
        assert!(lines[3].contains("     0.50  "), "{text}");
        assert!(lines[4].starts_with("  gone !  "), "{text}");
        assert_eq!(lines[4].matches(" -").count(), 8, "{text}");
        assert_eq!(lines[1].len(), lines[2].len());
        assert_eq!(lines[5], "  - mine, run 2: 7 deliveries were lost");
        assert_eq!(lines[6], "  - gone, run 1, 2: a `b` <c>");
    }

    #[test]
    fn a_document_has_a_table() {
        let text = markdown(&tally());
        let lines: Vec<&str> = text.lines().collect();
        assert_eq!(lines[0], "### fan-out-16: one channel");
        assert_eq!(lines[2], "`fan-out --publishers 16`");
        assert!(lines[4].starts_with("| server | deliveries/s | x floor | CPU us each |"));
        assert_eq!(
            lines[5],
            "| --- | --: | --: | --: | --: | --: | --: | --: | --: |"
        );
        assert!(lines[7].starts_with("| mine ! | 550,000 [500,000..600,000] | 0.50 | 1.00 "));
        assert_eq!(lines.last(), Some(&"- gone, run 1, 2: a 'b' &lt;c>"));
    }
}

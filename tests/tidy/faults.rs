//! The table of faults: every row has tests that stand where the table says, one of them beside the
//! bystanders of `tests/faults`, and every test there stands in its row.

/// The rows that a single server has to withstand.
const ROWS: [std::ops::RangeInclusive<u8>; 3] = [1..=34, 38..=40, 42..=47];

/// Rows of which no test has bystanders, each with its reason. There is none: where a fault ends
/// the server, or keeps it from starting, the bystanders are on another one beside it.
const WITHOUT_BYSTANDERS: [(&str, &str); 0] = [];

/// Whether a file of tests starts a scene, in which the bystanders are.
fn has_scene(text: &str) -> bool {
    let mut calls = text.match_indices("row(");
    calls.any(|(at, _)| {
        let before = text[..at].chars().next_back();
        before.is_some_and(|c| !c.is_alphanumeric() && !"_.".contains(c))
    })
}

/// What is wrong with the bystanders of a row.
fn of_bystanders(id: &str, has_some: bool) -> Option<String> {
    let is_excused = WITHOUT_BYSTANDERS.iter().any(|(row, _)| *row == id);
    match (has_some, is_excused) {
        (false, false) => Some(format!("{id}: no test of tests/faults has bystanders")),
        (true, true) => Some(format!(
            "{id} has bystanders, and an excuse for having none"
        )),
        _ => None,
    }
}

/// Takes the table apart and compares it with the tests; `text` gives a file of the tree, `files`
/// the paths under `tests/`. Gives what is wrong.
pub fn check(table: &str, files: &[&str], text: impl Fn(&str) -> String) -> Vec<String> {
    let mut found = Vec::new();
    let mut numbers = ROWS.into_iter().flatten();
    let mut shown = Vec::new();
    for line in table.lines().filter(|line| line.starts_with("| R")) {
        let cells: Vec<&str> = line.trim_matches('|').split(" | ").map(str::trim).collect();
        let id = cells[0];
        let Some(number) = numbers.next() else {
            found.push(format!("{id}: no such row"));
            continue;
        };
        if id != format!("R{number:02}") {
            found.push(format!("{id} stands where R{number:02} should"));
        }
        let tests: Vec<&str> = line.split('`').filter(|part| part.contains("::")).collect();
        if tests.is_empty() {
            found.push(format!("{id}: there is no test"));
        }
        let mut has_bystanders = false;
        for test in tests {
            let (program, function) = test.split_once("::").expect("it was asked for");
            if program == "faults" && !function.starts_with(&id.to_lowercase()) {
                found.push(format!("{id}: {test} is of another row"));
            }
            let own = |path: &&&str| {
                let path = path.trim_start_matches("tests/");
                path == format!("{program}.rs") || path.starts_with(&format!("{program}/"))
            };
            let wanted = format!("#[test]\nfn {function}()");
            let place = files
                .iter()
                .filter(own)
                .map(|path| text(path))
                .find(|text| text.contains(&wanted));
            match place {
                None => found.push(format!("{id}: there is no {test}")),
                Some(text) => has_bystanders |= program == "faults" && has_scene(&text),
            }
            shown.push(function.to_owned());
        }
        found.extend(of_bystanders(id, has_bystanders));
    }
    found.extend(numbers.map(|number| format!("R{number:02} is missing")));
    for path in files
        .iter()
        .filter(|path| path.starts_with("tests/faults/"))
    {
        let text = text(path);
        for part in text.split("#[test]\nfn ").skip(1) {
            let name = part.split('(').next().unwrap_or_default();
            if !shown.iter().any(|shown| shown == name) {
                found.push(format!("{path}: {name} is not in the table"));
            }
        }
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn table() -> String {
        let line =
            |number: u8| format!("| R{number:02} | fault | deed | `faults::r{number:02}_x` |\n");
        ROWS.into_iter().flatten().map(line).collect()
    }

    fn tests() -> String {
        let rows = ROWS.into_iter().flatten();
        rows.map(|number| format!("#[test]\nfn r{number:02}_x() {{ row(\"x\") }}\n"))
            .collect()
    }

    fn found(table: &str, tests: &str) -> Vec<String> {
        check(table, &["tests/faults.rs"], |_| tests.to_owned())
    }

    #[test]
    fn a_whole_table_passes() {
        assert_eq!(found(&table(), &tests()), Vec::<String>::new());
    }

    #[test]
    fn what_is_missing_or_strange_is_named() {
        for (table, tests, word) in [
            (
                table().replace("| R47", "| R99"),
                tests(),
                "R99 stands where R47",
            ),
            (
                table().replace("| R47 ", "| Z47 "),
                tests(),
                "R47 is missing",
            ),
            (
                table() + "| R48 | x | y | `faults::r48_x` |\n",
                tests(),
                "R48: no such row",
            ),
            (
                table(),
                tests().replace("fn r05_x", "fn other"),
                "R05: there is no",
            ),
            (
                table().replace("::r05_x", "::r06_x"),
                tests(),
                "R05: faults::r06_x is of another",
            ),
            (
                table().replace("`faults::r05_x`", "not yet"),
                tests(),
                "R05: there is no test",
            ),
            (
                table().replace("faults::r05_x", "other::r05_x"),
                tests(),
                "R05: no test of tests/faults has bystanders",
            ),
            (
                table(),
                tests().replace(" row(", " nothing("),
                "R05: no test of tests/faults has bystanders",
            ),
        ] {
            let found = found(&table, &tests);
            assert!(
                found.iter().any(|found| found.contains(word)),
                "{word}: {found:?}"
            );
        }
        let more = check(
            &table(),
            &["tests/faults.rs", "tests/faults/x.rs"],
            |path| {
                if path == "tests/faults.rs" {
                    tests()
                } else {
                    "#[test]\nfn r05_y() {}".to_owned()
                }
            },
        );
        assert_eq!(more, ["tests/faults/x.rs: r05_y is not in the table"]);
    }
}

//! The page for those who move here: every row has an example, and names a test that there is.

const PAGE: &str = include_str!("../../docs/migrating.md");

/// The cells of each row of a table, without its head.
fn rows() -> impl Iterator<Item = Vec<String>> {
    // Above it the tables are of settings and servers.
    let (_, page) = PAGE
        .split_once("\n## Custom handlers\n")
        .expect("the page has such a part");
    let rows = page.lines().filter(|line| line.starts_with("| "));
    rows.map(|row| {
        let row = row.replace("\\|", "\u{1}");
        let cells = row.trim_matches('|').split('|');
        cells.map(|cell| cell.trim().to_owned()).collect()
    })
    .filter(|cells: &Vec<String>| cells[0] != "theirs")
}

#[test]
fn every_row_has_a_name_ours_an_example_and_a_test_that_exists() {
    let root = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("tests");
    let mut count = 0;
    for cells in rows() {
        let [theirs, ours, example, test] = &cells[..] else {
            panic!("a row has four cells: {cells:?}");
        };
        for cell in [theirs, ours, example, test] {
            assert!(!cell.is_empty(), "{cells:?}");
        }
        let name = test.trim_end_matches(" in `tests/`").trim_matches('`');
        let (file, function) = match name.split_once("::") {
            Some((file, function)) => (root.join(format!("handlers/{file}.rs")), function),
            None => (root.join(format!("{name}.rs")), ""),
        };
        let text = std::fs::read_to_string(&file);
        let text = text.unwrap_or_else(|error| panic!("{}: {error}", file.display()));
        let wanted = format!("#[test]\nfn {function}");
        assert!(text.contains(&wanted), "{test}: there is no such test");
        count += 1;
    }
    assert!(count > 70, "{count} rows were found");
}

//! A run as one page: no script, no other file, no network. It is well-formed XML too.

use crate::outcome::Unit;
use crate::report::chart;
use crate::report::compare::{Change, Comparison, Word};
use crate::report::document::{Document, LatencyView, Verdict};
use crate::report::markup::escaped;
use crate::report::number::{NOTHING, with_unit};
use std::fmt::Write;

const STYLE: &str = include_str!("style.css");

/// Time lines longer than this are drawn and not listed: nobody reads so long a table.
const READINGS_MAX: usize = 900;

/// The page.
pub fn page(document: &Document, latencies: &[LatencyView<'_>]) -> String {
    let comparison = document.comparison.as_ref();
    let mut out = format!(
        "<!DOCTYPE html>\n<html lang=\"en\" xmlns=\"http://www.w3.org/1999/xhtml\">\n<head>\n\
         <meta charset=\"utf-8\"/>\n\
         <meta name=\"viewport\" content=\"width=device-width, initial-scale=1\"/>\n\
         <title>{}: {}</title>\n<style>\n{STYLE}</style>\n</head>\n<body>\n",
        escaped(&document.scenario),
        verdict(document).0,
    );
    out.push_str(&heading(document));
    out.push_str("<main>\n");
    out.push_str(&checks(&document.verdicts));
    out.push_str(&notes(&document.notes));
    out.push_str(&figures(document, comparison));
    out.push_str(&percentiles(document));
    out.push_str(&charts(
        "Latency by percentile",
        latencies.iter().map(chart::percentiles),
    ));
    out.push_str(&charts("Over time", chart::timelines(document).into_iter()));
    out.push_str(&readings(document));
    out.push_str(&circumstances(document, comparison));
    let (name, version) = (&document.tool.name, &document.tool.version);
    let _ = write!(
        out,
        "</main>\n<footer>Written by {} {}.</footer>\n</body>\n</html>\n",
        escaped(name),
        escaped(version)
    );
    out
}

/// What the run came to, and the class of its colour.
fn verdict(document: &Document) -> (&'static str, &'static str) {
    if document.passed {
        ("passed", "good")
    } else {
        ("failed", "bad")
    }
}

fn heading(document: &Document) -> String {
    let (word, class) = verdict(document);
    let against = document.comparison.as_ref().map(|comparison| {
        let (with, at) = (escaped(&comparison.with), escaped(&comparison.started_at));
        format!(" Compared with <code>{with}</code> of {at}.")
    });
    format!(
        "<header>\n<h1>Load test: {}</h1>\n<span class=\"verdict {class}\">{word}</span>\n\
         <p>Begun {}, took {}.{}</p>\n</header>\n",
        escaped(&document.scenario),
        escaped(&document.started_at),
        with_unit(Some(document.took_s), Unit::Seconds),
        against.unwrap_or_default()
    )
}

fn checks(verdicts: &[Verdict]) -> String {
    let rows = verdicts.iter().map(|verdict| {
        let (word, class) = if verdict.passed {
            ("ok", "good")
        } else {
            ("failed", "bad")
        };
        format!(
            "<tr><td class=\"{class}\">{word}</td><th scope=\"row\">{}</th>\
             <td class=\"text\">{}</td></tr>\n",
            escaped(&verdict.check),
            escaped(&verdict.found)
        )
    });
    section("Checks", &["Verdict", "Check", "Found"], rows)
}

fn notes(notes: &[String]) -> String {
    if notes.is_empty() {
        return String::new();
    }
    let items = notes
        .iter()
        .map(|note| format!("<li>{}</li>\n", escaped(note)));
    let items: String = items.collect();
    format!("<section>\n<h2>Notes</h2>\n<ul>\n{items}</ul>\n</section>\n")
}

fn figures(document: &Document, comparison: Option<&Comparison>) -> String {
    match comparison {
        None => {
            let rows = document.own_figures().map(|(key, figure)| {
                format!(
                    "<tr>{}<td class=\"number\">{}</td></tr>\n",
                    named(key, &figure.label),
                    with_unit(figure.value, figure.unit)
                )
            });
            section("Figures", &["Figure", "#Value"], rows)
        }
        Some(comparison) => {
            let rows = comparison.figures.iter();
            let rows = rows.map(|(key, change)| compared(key, change));
            section(
                "Figures",
                &["Figure", "#Earlier", "#Now", "#Ratio", "Change"],
                rows,
            )
        }
    }
}

fn compared(key: &str, change: &Change) -> String {
    let class = match change.word {
        Word::Better => "good",
        Word::Worse | Word::Gone => "bad",
        Word::Same | Word::Differs | Word::New => "same",
    };
    format!(
        "<tr>{}<td class=\"number\">{}</td><td class=\"number\">{}</td>\
         <td class=\"number\">{}</td><td class=\"{class}\">{}</td></tr>\n",
        named(key, &change.label),
        with_unit(change.old, change.unit),
        with_unit(change.new, change.unit),
        change
            .ratio
            .map_or(NOTHING.to_owned(), |ratio| format!("{ratio:.2}")),
        change.word.text()
    )
}

fn named(key: &str, label: &str) -> String {
    let (key, label) = (escaped(key), escaped(label));
    format!("<th scope=\"row\">{label}<code>{key}</code></th>")
}

fn percentiles(document: &Document) -> String {
    let Some(first) = document.latencies.values().next() else {
        return String::new();
    };
    let names = first.percentiles_us.keys().map(|name| format!("#{name} %"));
    let mut head = vec!["Latency".to_owned()];
    head.extend(names);
    head.extend(["#Most", "#Mean", "#Samples"].map(str::to_owned));
    let us = |value| {
        let value = with_unit(value, Unit::Microseconds);
        format!("<td class=\"number\">{value}</td>")
    };
    let rows = document.latencies.iter().map(|(key, latency)| {
        let cells = latency.percentiles_us.values().copied();
        let cells: String = cells
            .chain([latency.max_us, latency.mean_us])
            .map(us)
            .collect();
        let count = with_unit(Some(latency.count as f64), Unit::Count);
        let (name, label) = (escaped(key), escaped(&latency.label));
        let name = format!("<th scope=\"row\">{name}<small>{label}</small></th>");
        format!("<tr>{name}{cells}<td class=\"number\">{count}</td></tr>\n")
    });
    section("Latencies", &head, rows)
}

fn charts(title: &str, charts: impl Iterator<Item = crate::report::svg::Chart>) -> String {
    let figures = charts.map(|chart| {
        format!(
            "<figure>\n<figcaption>{}</figcaption>\n\
             <div class=\"wide\" tabindex=\"0\" role=\"group\" aria-label=\"{}\">\n{}</div>\n\
             </figure>\n",
            escaped(&chart.title),
            escaped(&chart.title),
            chart.draw()
        )
    });
    let figures: String = figures.collect();
    if figures.is_empty() {
        return figures;
    }
    let title = escaped(title);
    format!("<section>\n<h2>{title}</h2>\n<div class=\"charts\">\n{figures}</div>\n</section>\n")
}

/// The time lines as numbers, for those who do not see them drawn.
fn readings(document: &Document) -> String {
    let timeline = &document.timeline;
    if timeline.rows.is_empty() || timeline.rows.len() > READINGS_MAX {
        return String::new();
    }
    let mut head = vec!["#Second".to_owned()];
    head.extend(
        timeline
            .series
            .iter()
            .map(|series| format!("#{}", series.label)),
    );
    let rows = timeline.rows.iter().map(|(at, values)| {
        let cells = timeline.series.iter().zip(values);
        let cells = cells.map(|(series, value)| with_unit(*value, series.unit));
        let cells = cells.map(|cell| format!("<td class=\"number\">{cell}</td>"));
        let cells: String = cells.collect();
        format!("<tr><th scope=\"row\" class=\"number\">{at:.1}</th>{cells}</tr>\n")
    });
    let table = table(&head, rows);
    format!("<details>\n<summary>All readings as a table</summary>\n{table}</details>\n")
}

fn circumstances(document: &Document, comparison: Option<&Comparison>) -> String {
    let machine = &document.machine;
    let cores = machine.cores.to_string();
    let rows = [
        ("Processor", machine.cpu.as_str()),
        ("Cores for the tester", &cores),
        ("Kernel", &machine.kernel),
    ];
    let plain = |name: &str, value: &str| {
        let (name, value) = (escaped(name), escaped(value));
        format!("<tr><th scope=\"row\">{name}</th><td class=\"text\">{value}</td></tr>\n")
    };
    let machine = section(
        "Machine",
        &["Part", "What"],
        rows.iter().map(|(name, value)| plain(name, value)),
    );
    let settings = document
        .settings
        .iter()
        .map(|(name, value)| plain(name, value));
    let settings = section("Settings", &["Setting", "Value"], settings);
    let other = comparison.map_or(String::new(), |comparison| {
        let machine = comparison
            .other_machine
            .then(|| "<p>The earlier run was made on another machine or kernel.</p>\n".to_owned());
        let text = |value: &Option<String>| value.as_deref().map_or(NOTHING.into(), escaped);
        let rows = comparison.settings.iter().map(|setting| {
            format!(
                "<tr><th scope=\"row\">{}</th><td class=\"text\">{}</td>\
                 <td class=\"text\">{}</td></tr>\n",
                escaped(&setting.name),
                text(&setting.old),
                text(&setting.new)
            )
        });
        let rows = section("Settings that differ", &["Setting", "Earlier", "Now"], rows);
        format!("{}{rows}", machine.unwrap_or_default())
    });
    format!("<div class=\"sides\">\n{settings}{machine}</div>\n{other}")
}

/// A titled table, or nothing when it has no row.
fn section<H: AsRef<str>>(title: &str, head: &[H], rows: impl Iterator<Item = String>) -> String {
    let mut rows = rows.peekable();
    if rows.peek().is_none() {
        return String::new();
    }
    let (title, table) = (escaped(title), table(head, rows));
    format!("<section>\n<h2>{title}</h2>\n{table}</section>\n")
}

/// A head that begins with `#` stands over numbers.
fn table<H: AsRef<str>>(head: &[H], rows: impl Iterator<Item = String>) -> String {
    let head = head
        .iter()
        .map(|name| match name.as_ref().strip_prefix('#') {
            Some(name) => format!("<th scope=\"col\" class=\"number\">{}</th>", escaped(name)),
            None => format!("<th scope=\"col\">{}</th>", escaped(name.as_ref())),
        });
    let (head, rows): (String, String) = (head.collect(), rows.collect());
    format!(
        "<div class=\"wide\">\n<table>\n<thead><tr>{head}</tr></thead>\n\
         <tbody>\n{rows}</tbody>\n</table>\n</div>\n"
    )
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::report::sample;
    use roxmltree::{Document as Xml, Node, ParsingOptions};

    fn parse(page: &str) -> Xml<'_> {
        let options = ParsingOptions {
            allow_dtd: true,
            ..ParsingOptions::default()
        };
        Xml::parse_with_options(page, options).unwrap()
    }

    fn drawn(document: &Document, old: Option<&Document>) -> String {
        page(document, &document.latency_views(old).unwrap())
    }

    fn count(xml: &Xml<'_>, name: &str) -> usize {
        xml.descendants()
            .filter(|node| node.has_tag_name(name))
            .count()
    }

    fn texts(xml: &Xml<'_>) -> String {
        let texts = xml
            .descendants()
            .filter_map(|node: Node<'_, '_>| node.text());
        texts.collect::<Vec<_>>().join("\n")
    }

    #[test]
    fn the_page_is_well_formed_and_whole() {
        let mut document = sample::document();
        document.judge(vec![Verdict {
            check: "lost == 0".to_owned(),
            passed: true,
            found: "0".to_owned(),
        }]);
        let page = drawn(&document, None);
        let xml = parse(&page);
        let texts = texts(&xml);
        for text in [
            "Load test: fan-out",
            "passed",
            "lost == 0",
            "1,234,567 /s",
            "deliveries_per_s",
            "from when a publish was due until a subscriber had it",
            "Some CPU @ 3.0 GHz",
            "payload-bytes",
            "The server had 98 % of its core: it was the bottleneck.",
            "All readings as a table",
        ] {
            assert!(texts.contains(text), "{text}");
        }
        let charts: Vec<_> = xml
            .descendants()
            .filter(|n| n.has_tag_name("svg"))
            .collect();
        assert_eq!(charts.len(), 4);
        for chart in charts {
            assert_eq!(chart.attribute("role"), Some("img"));
            let named: Vec<_> = chart
                .attribute("aria-labelledby")
                .unwrap()
                .split(' ')
                .collect();
            for (part, id) in ["title", "desc"].into_iter().zip(named) {
                let part = chart.children().find(|n| n.has_tag_name(part)).unwrap();
                assert_eq!(part.attribute("id"), Some(id));
                assert!(!part.text().unwrap().is_empty());
            }
        }
    }

    #[test]
    fn nothing_is_fetched_and_nothing_runs() {
        let mut document = sample::document();
        document.notes.push("see https://example.com/".to_owned());
        let page = drawn(&document, None);
        let xml = parse(&page);
        for name in [
            "script", "link", "img", "iframe", "object", "embed", "base", "form",
        ] {
            assert_eq!(count(&xml, name), 0, "{name}");
        }
        for node in xml.descendants() {
            for attribute in node.attributes() {
                let (name, value) = (attribute.name(), attribute.value());
                assert!(!name.starts_with("on"), "{name}");
                assert!(
                    !["src", "href", "style", "srcset", "action"].contains(&name),
                    "{name}"
                );
                assert!(!value.contains("://"), "{name}={value}");
            }
        }
        assert!(!STYLE.contains("url(") && !STYLE.contains("@import"));
        assert!(
            !STYLE.contains(['<', '&']),
            "the style sheet stands in markup as it is"
        );
    }

    #[test]
    fn hostile_text_stays_text() {
        let hostile = "<script>alert(\"1\")</script>' onload='x' ]]> &amp; \0";
        let mut document = sample::document();
        document
            .settings
            .insert(hostile.to_owned(), hostile.to_owned());
        document.notes.push(hostile.to_owned());
        document.scenario = hostile.to_owned();
        document.machine.cpu = hostile.to_owned();
        document.figures["lost"].label = hostile.to_owned();
        document.latencies["delivery"].label = hostile.to_owned();
        document.timeline.series[0].label = hostile.to_owned();
        let figure = document.figures["lost"].clone();
        document.figures.insert(hostile.to_owned(), figure);
        let latency = document.latencies["delivery"].clone();
        document.latencies.insert(hostile.to_owned(), latency);
        document.judge(vec![Verdict {
            check: hostile.to_owned(),
            passed: false,
            found: hostile.to_owned(),
        }]);
        let mut old = sample::document();
        old.settings.insert("gone".to_owned(), hostile.to_owned());
        old.started_at = hostile.to_owned();
        document.comparison = Some(Comparison::new(&old, &document, hostile.to_owned()));
        let page = drawn(&document, Some(&old));
        assert!(!page.contains("<script") && !page.contains("onload='"));
        let xml = parse(&page);
        assert!(
            texts(&xml).contains("<script>alert(\"1\")</script>' onload='x' ]]> &amp; \u{fffd}")
        );
    }

    #[test]
    fn a_comparison_has_its_columns_and_its_dashed_line() {
        let mut old = sample::document();
        old.figures["deliveries_per_s"].value = Some(1_000_000.0);
        old.settings["subscribers"] = "500".to_owned();
        let mut document = sample::document();
        document.comparison = Some(Comparison::new(&old, &document, "old.json".to_owned()));
        let page = drawn(&document, Some(&old));
        let xml = parse(&page);
        let heads: Vec<_> = xml
            .descendants()
            .filter(|node| node.attribute("scope") == Some("col"))
            .filter_map(|node| node.text())
            .collect();
        assert!(
            heads.starts_with(&["Figure", "Earlier", "Now", "Ratio", "Change"]),
            "{heads:?}"
        );
        let dashed = xml.descendants().filter(|node| {
            node.attribute("class")
                .is_some_and(|class| class.contains(" old"))
        });
        assert_eq!(dashed.count(), 2, "the line and its entry in the legend");
        assert!(texts(&xml).contains("Settings that differ"));
    }

    #[test]
    fn a_run_with_nothing_measured_is_a_page_too() {
        let mut document = sample::document();
        document.latencies.clear();
        document.figures.clear();
        document.settings.clear();
        document.timeline = Default::default();
        document.notes.clear();
        let page = drawn(&document, None);
        let xml = parse(&page);
        assert_eq!(count(&xml, "svg"), 0);
        assert!(texts(&xml).contains("Load test: fan-out"));
    }
}

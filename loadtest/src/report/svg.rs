//! Line charts as inline SVG: scales with round ticks, lines with gaps, a legend.
//!
//! Colours, fonts and dashes are classes that the page's style sheet gives a meaning.

use crate::report::markup::escaped;
use std::fmt::Write;

/// Units of the drawing from left to right.
const WIDTH: f64 = 620.0;
/// Units from the top of the plot to its bottom.
const PLOT_HEIGHT: f64 = 230.0;
const LEFT: f64 = 78.0;
/// Half of the last number below may stand out here.
const RIGHT: f64 = 30.0;
const TOP: f64 = 30.0;
/// Room for the numbers and the name of the lower axis.
const BELOW: f64 = 46.0;
const LEGEND_LINE: f64 = 20.0;
/// What a letter of the legend takes, near enough.
const LETTER: f64 = 7.5;

/// A chart.
#[derive(Clone, Debug)]
pub struct Chart {
    /// Tells its parts from those of other charts on the page.
    pub id: String,
    /// What it shows.
    pub title: String,
    /// The same for those who do not see it, with the most telling numbers.
    pub description: String,
    /// From left to right.
    pub x: Axis,
    /// From bottom to top.
    pub y: Axis,
    /// What is drawn.
    pub lines: Vec<Line>,
}

/// One direction of a chart.
#[derive(Clone, Debug)]
pub struct Axis {
    /// What it measures, with the unit.
    pub name: String,
    /// The value at its beginning.
    pub from: f64,
    /// The value at its end.
    pub to: f64,
    /// Whether equal steps are equal factors.
    pub logarithmic: bool,
    /// Where a number stands, and which.
    pub ticks: Vec<(f64, String)>,
}

/// One line of a chart.
#[derive(Clone, Debug)]
pub struct Line {
    /// What the legend calls it.
    pub name: String,
    /// The number of its colour.
    pub colour: usize,
    /// Whether it belongs to the run that is compared with.
    pub old: bool,
    /// Left to right. The line has a gap where a value is no number.
    pub points: Vec<(f64, f64)>,
}

impl Axis {
    /// From `from` to a round number past `to`, with round ticks. A little room is left above, so
    /// that a line does not lie on the edge.
    pub fn linear(name: &str, from: f64, to: f64, label: impl Fn(f64) -> String) -> Self {
        let room = (to - from) * 1.02;
        let step = round_step(room / 5.0);
        let last = (room / step).ceil().max(1.0) as u32;
        let ticks = (0..=last).map(|at| from + f64::from(at) * step);
        Self {
            name: name.to_owned(),
            from,
            to: from + f64::from(last) * step,
            logarithmic: false,
            ticks: ticks.map(|value| (value, label(value))).collect(),
        }
    }

    /// Over whole powers of ten, for what differs by factors. Both ends are above nought.
    pub fn powers(name: &str, least: f64, most: f64, label: impl Fn(f64) -> String) -> Self {
        let first = least.log10().floor() as i32;
        let last = (most.log10() - 1e-9).ceil().max(f64::from(first) + 1.0) as i32;
        let ticks = (first..=last).map(|power| 10_f64.powi(power));
        Self {
            name: name.to_owned(),
            from: 10_f64.powi(first),
            to: 10_f64.powi(last),
            logarithmic: true,
            ticks: ticks.map(|value| (value, label(value))).collect(),
        }
    }

    /// How far along a value lies, 0 at the beginning and 1 at the end.
    fn share(&self, value: f64) -> f64 {
        let at = |value: f64| {
            if self.logarithmic {
                value.log10()
            } else {
                value
            }
        };
        let share = (at(value) - at(self.from)) / (at(self.to) - at(self.from));
        share.clamp(0.0, 1.0)
    }
}

/// The least of 1, 2 and 5 times a power of ten that is no smaller.
fn round_step(least: f64) -> f64 {
    if !(least.is_finite() && least > 0.0) {
        return 1.0;
    }
    let power = 10_f64.powf(least.log10().floor());
    let steps = [1.0, 2.0, 5.0, 10.0].map(|factor| factor * power);
    let fits = steps.into_iter().find(|step| *step >= least * (1.0 - 1e-9));
    fits.unwrap_or(10.0 * power)
}

impl Chart {
    /// The SVG element.
    pub fn draw(&self) -> String {
        let legend = self.legend();
        let rows = legend.last().map_or(0.0, |entry| entry.row as f64 + 1.0);
        let height = TOP + PLOT_HEIGHT + BELOW + rows * LEGEND_LINE;
        let id = escaped(&self.id);
        let mut out = format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" viewBox=\"0 0 {WIDTH} {height}\" \
             role=\"img\" aria-labelledby=\"{id}-t {id}-d\">\n\
             <title id=\"{id}-t\">{}</title>\n<desc id=\"{id}-d\">{}</desc>\n",
            escaped(&self.title),
            escaped(&self.description)
        );
        self.draw_axes(&mut out);
        for line in &self.lines {
            let class = class(line);
            let path = self.path(line);
            let _ = writeln!(out, "<path class=\"{class}\" d=\"{path}\"/>");
        }
        draw_legend(&legend, height - rows * LEGEND_LINE, &mut out);
        out.push_str("</svg>\n");
        out
    }

    fn at_x(&self, value: f64) -> f64 {
        LEFT + self.x.share(value) * (WIDTH - LEFT - RIGHT)
    }

    fn at_y(&self, value: f64) -> f64 {
        TOP + (1.0 - self.y.share(value)) * PLOT_HEIGHT
    }

    fn draw_axes(&self, out: &mut String) {
        let (bottom, right) = (TOP + PLOT_HEIGHT, WIDTH - RIGHT);
        for (value, label) in &self.y.ticks {
            let y = self.at_y(*value);
            let _ = writeln!(
                out,
                "<path class=\"grid\" d=\"M{LEFT} {y:.1}H{right}\"/>\
                 <text x=\"{:.1}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
                LEFT - 8.0,
                y + 4.0,
                escaped(label)
            );
        }
        for (value, label) in &self.x.ticks {
            let x = self.at_x(*value);
            let _ = writeln!(
                out,
                "<path class=\"grid\" d=\"M{x:.1} {TOP}V{bottom}\"/>\
                 <text x=\"{x:.1}\" y=\"{:.1}\" text-anchor=\"middle\">{}</text>",
                bottom + 17.0,
                escaped(label)
            );
        }
        let _ = writeln!(
            out,
            "<path class=\"axis\" d=\"M{LEFT} {TOP}V{bottom}H{right}\"/>\n\
             <text class=\"name\" x=\"4\" y=\"16\">{}</text>\n\
             <text class=\"name\" x=\"{right}\" y=\"{:.1}\" text-anchor=\"end\">{}</text>",
            escaped(&self.y.name),
            bottom + 36.0,
            escaped(&self.x.name)
        );
    }

    /// A point that stands alone becomes a short line, or nobody would see it.
    fn path(&self, line: &Line) -> String {
        let mut path = String::new();
        let mut pen_down = false;
        for (at, &(x, y)) in line.points.iter().enumerate() {
            if !(x.is_finite() && y.is_finite()) {
                pen_down = false;
                continue;
            }
            let (x, y) = (self.at_x(x), self.at_y(y));
            let goes_on = line.points.get(at + 1).is_some_and(|(_, y)| y.is_finite());
            let _ = match (pen_down, goes_on) {
                (true, _) => write!(path, "L{x:.1} {y:.1}"),
                (false, true) => write!(path, "M{x:.1} {y:.1}"),
                (false, false) => write!(path, "M{:.1} {y:.1}h4", x - 2.0),
            };
            pen_down = true;
        }
        path
    }

    /// One line needs none: the title says what it is.
    fn legend(&self) -> Vec<Entry<'_>> {
        if self.lines.len() < 2 {
            return Vec::new();
        }
        let (mut row, mut x) = (0, LEFT);
        let entries = self.lines.iter().map(|line| {
            let width = 44.0 + line.name.chars().count() as f64 * LETTER;
            if x > LEFT && x + width > WIDTH {
                row += 1;
                x = LEFT;
            }
            let entry = Entry { line, row, x };
            x += width;
            entry
        });
        entries.collect()
    }
}

struct Entry<'a> {
    line: &'a Line,
    row: usize,
    x: f64,
}

fn draw_legend(entries: &[Entry<'_>], top: f64, out: &mut String) {
    for Entry { line, row, x } in entries {
        let y = top + *row as f64 * LEGEND_LINE + 10.0;
        let _ = writeln!(
            out,
            "<path class=\"{}\" d=\"M{x:.1} {:.1}h24\"/><text x=\"{:.1}\" y=\"{y:.1}\">{}</text>",
            class(line),
            y - 4.0,
            x + 30.0,
            escaped(&line.name)
        );
    }
}

fn class(line: &Line) -> String {
    let old = if line.old { " old" } else { "" };
    format!("line c{}{old}", line.colour)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ticks(axis: &Axis) -> Vec<f64> {
        axis.ticks.iter().map(|(value, _)| *value).collect()
    }

    fn linear(from: f64, to: f64) -> Axis {
        Axis::linear("x", from, to, |value| value.to_string())
    }

    #[test]
    fn ticks_are_round_and_hold_everything() {
        assert_eq!(ticks(&linear(0.0, 9.8)), [0.0, 2.0, 4.0, 6.0, 8.0, 10.0]);
        assert_eq!(ticks(&linear(0.0, 10.0)), [0.0, 5.0, 10.0, 15.0]);
        assert_eq!(
            ticks(&linear(0.0, 980.0)),
            [0.0, 200.0, 400.0, 600.0, 800.0, 1000.0]
        );
        assert_eq!(linear(0.0, 1_269_134.0).to, 1_500_000.0);
        assert_eq!(ticks(&linear(0.0, 0.9)).len(), 6);
        assert_eq!(ticks(&linear(0.0, 0.0)), [0.0, 1.0]);
        assert_eq!(ticks(&linear(0.0, f64::NAN)), [0.0, 1.0]);
    }

    #[test]
    fn powers_of_ten_hold_everything() {
        let powers = |least, most| ticks(&Axis::powers("y", least, most, |v| v.to_string()));
        assert_eq!(powers(1.0, 1_000.0), [1.0, 10.0, 100.0, 1_000.0]);
        assert_eq!(powers(2.0, 1_001.0), [1.0, 10.0, 100.0, 1_000.0, 10_000.0]);
        assert_eq!(powers(1.0, 1.0), [1.0, 10.0]);
    }

    fn chart(points: &[(f64, f64)]) -> Chart {
        Chart {
            id: "a".to_owned(),
            title: "A".to_owned(),
            description: "B".to_owned(),
            x: linear(0.0, 3.9),
            y: linear(0.0, 9.8),
            lines: vec![Line {
                name: "line".to_owned(),
                colour: 0,
                old: false,
                points: points.to_vec(),
            }],
        }
    }

    #[test]
    fn what_is_no_number_is_a_gap() {
        let chart = chart(&[
            (0.0, 0.0),
            (1.0, 10.0),
            (2.0, f64::NAN),
            (3.0, 5.0),
            (4.0, f64::NAN),
        ]);
        let path = chart.path(&chart.lines[0]);
        assert_eq!(path, "M78.0 260.0L206.0 30.0M460.0 145.0h4");
    }

    #[test]
    fn values_past_the_end_stay_on_the_plot() {
        let chart = chart(&[(-5.0, -5.0), (99.0, 99.0)]);
        assert_eq!(chart.path(&chart.lines[0]), "M78.0 260.0L590.0 30.0");
    }

    #[test]
    fn the_legend_breaks_into_lines() {
        let mut chart = chart(&[]);
        chart.lines[0].name = "x".repeat(60);
        let line = chart.lines[0].clone();
        chart.lines.extend([line.clone(), line]);
        let rows: Vec<usize> = chart.legend().iter().map(|entry| entry.row).collect();
        assert_eq!(rows, [0, 1, 2]);
        assert!(chart.draw().contains("viewBox=\"0 0 620 366\""));
        chart.lines.truncate(1);
        assert!(chart.draw().contains("viewBox=\"0 0 620 306\""));
    }
}

//! The picture of a report: a page that needs nothing but itself, as SVG or as HTML.

use std::fmt::Write as _;
use std::io::{ErrorKind, Write as _};
use std::path::Path;

use super::report::{DayStats, StatsReport};
use crate::error::Error;
use crate::files::{Place, as_operator};
use crate::model::{Timestamp, counted};
use crate::ui::sanitize;

/// The kind of page, by the name of the file.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Kind {
    Svg,
    Html,
}

/// The file for the picture, which does not exist yet.
pub(super) struct Picture<'f> {
    file: &'f Path,
    kind: Kind,
}

impl<'f> Picture<'f> {
    /// An error if the file exists, or cannot be written.
    pub(super) fn of(file: &'f Path) -> Result<Self, Error> {
        let extension = file.extension().and_then(|end| end.to_str()).unwrap_or_default();
        let kind = match &*extension.to_ascii_lowercase() {
            "svg" => Kind::Svg,
            "html" | "htm" => Kind::Html,
            _ => {
                return Err(Error::usage(
                    "--svg: the name of the file says what it is to be, and this one does not",
                    "let it end in .svg, or in .html for a page with the picture",
                ));
            }
        };
        let status = as_operator(|| Place::of_output(file).and_then(|place| place.status()));
        match status.map_err(|error| Error::cannot_write(file, error))? {
            Some(_) => Err(exists(file)),
            None => Ok(Self { file, kind }),
        }
    }

    /// Creates the file, which only this user may read.
    pub(super) fn write(&self, report: &StatsReport, table: &str) -> Result<(), Error> {
        let now =
            Timestamp::from_seconds(Timestamp::now().as_seconds()).unwrap_or_else(Timestamp::now);
        let text = self.kind.page(&draw(report, table, now));
        let write = || {
            let place = Place::of_output(self.file)?;
            let mut file = place.create(0o600)?;
            let whole = file.write_all(text.as_bytes()).and_then(|()| file.sync_all());
            if whole.is_err() {
                // Remove the incomplete file.
                let _ = place.remove();
            }
            whole
        };
        as_operator(write).map_err(|error| match error.kind() {
            ErrorKind::AlreadyExists => exists(self.file),
            _ => Error::cannot_write(self.file, error),
        })
    }
}

fn exists(file: &Path) -> Error {
    Error::usage(
        format!("--svg: there is something already at {}", file.display()),
        "name a file that does not exist: none is overwritten",
    )
}

impl Kind {
    fn page(self, svg: &str) -> String {
        match self {
            Self::Svg => format!("<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n{svg}"),
            Self::Html => format!(
                "<!doctype html>\n<html lang=\"en\"><head><meta charset=\"utf-8\"><title>Sessions</title>\
                 <meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">\
                 </head><body>\n{svg}</body></html>\n"
            ),
        }
    }
}

const WIDTH: usize = 960;
const MARGIN: usize = 40;
const INNER: usize = WIDTH - 2 * MARGIN;
/// Height of a chart of columns, and of a line of text.
const CHART: usize = 120;
const LINE: usize = 18;
/// Days in a chart.
const DAYS: i64 = 60;
const DAY_MICROS: i64 = 24 * 3_600 * 1_000_000;
/// Most characters of a label.
const MOST_CHARS: usize = 60;

/// A column of a chart: its name, its height, and the part of it that is marked.
struct Bar {
    name: String,
    rows: u64,
    marked: u64,
}

/// The picture, from the top down.
struct Canvas {
    y: usize,
    body: String,
}

/// Draws the report.
fn draw(report: &StatsReport, table: &str, now: Timestamp) -> String {
    let mut canvas = Canvas { y: MARGIN, body: String::new() };
    canvas.text(MARGIN, "t", &format!("Sessions in {table}, {now}"));
    canvas.lines(&[
        format!("{} rows: {} live, {} expired", report.rows, report.live, report.expired),
        format!(
            "live: {} logins of {}{} users, {} anonymous, {} unverified, {} unreadable, {} damaged; {} never expire",
            report.logged_in,
            if report.users_exact { "" } else { "about " },
            report.users,
            report.anonymous,
            report.unverified,
            report.unreadable,
            report.damaged,
            report.never_expire
        ),
    ]);
    let today = now.as_micros().div_euclid(DAY_MICROS);
    canvas.days(
        "Live sessions by the day of their last save (grey: anonymous)",
        &report.saved,
        today - DAYS + 1,
    );
    canvas.days(
        "Live sessions by the day on which they expire (grey: anonymous)",
        &report.expires,
        today,
    );
    let sizes = report.size.steps.iter();
    let bar = |name: String, rows: u64| Bar { name, rows, marked: 0 };
    let sizes: Vec<Bar> =
        sizes.map(|step| bar(format!("up to {}", step.up_to), step.rows)).collect();
    canvas.columns("Rows by size, in bytes", &sizes, &[]);
    canvas.columns_below(
        "Keys in sessions, by bytes",
        report.keys.iter().map(|key| (&*key.key, key.bytes)),
    );
    let users = |user: &super::report::UserStats| match &user.username {
        Some(name) => format!("{name} ({})", user.user_id),
        None => user.user_id.clone(),
    };
    let top: Vec<_> = report.top_users.iter().map(|user| (users(user), user.sessions)).collect();
    canvas.columns_below(
        "Users with the most sessions",
        top.iter().map(|(name, rows)| (&**name, *rows)),
    );
    if let Some(staff) = &report.staff {
        let top: Vec<_> = staff.top.iter().map(|user| (users(user), user.sessions)).collect();
        let (sessions, users) = (counted(staff.sessions, "session"), counted(staff.users, "user"));
        let title = format!("Staff: {sessions} of {users}");
        canvas.columns_below(&title, top.iter().map(|(name, rows)| (&**name, *rows)));
    }
    let keys: Vec<_> =
        report.signed_by.iter().map(|key| (format!("key {}", key.key), key.live)).collect();
    canvas.columns_below(
        "Live sessions by the key that signed them",
        keys.iter().map(|(name, rows)| (&**name, *rows)),
    );
    canvas.finish()
}

impl Canvas {
    /// One line of text. The class is that of the style sheet.
    fn text(&mut self, x: usize, class: &str, text: &str) {
        // Writing to a string cannot fail.
        let _ = writeln!(
            self.body,
            "<text class=\"{class}\" x=\"{x}\" y=\"{}\">{}</text>",
            self.y,
            escaped(text)
        );
        self.y += LINE;
    }

    fn lines(&mut self, lines: &[String]) {
        for line in lines {
            self.text(MARGIN, "n", line);
        }
    }

    fn title(&mut self, title: &str) {
        self.y += LINE;
        self.text(MARGIN, "h", title);
    }

    /// A chart of the days from `first` on, and a line with what is before and behind them.
    fn days(&mut self, title: &str, days: &[DayStats], first: i64) {
        let mut bars: Vec<Bar> =
            (first..first + DAYS).map(|day| Bar { name: date(day), rows: 0, marked: 0 }).collect();
        let (mut before, mut later, mut others) = (0, 0, Vec::new());
        for day in days {
            let at = day_of(&day.day).map(|number| number - first);
            match at.map(|at| usize::try_from(at).map(|at| bars.get_mut(at))) {
                Some(Ok(Some(bar))) => (bar.rows, bar.marked) = (day.sessions, day.anonymous),
                Some(Ok(None)) => later += day.sessions,
                Some(Err(_)) => before += day.sessions,
                None => others.push(format!("{}: {}", day.day, day.sessions)),
            }
        }
        others.extend((before > 0).then(|| format!("before {}: {before}", date(first))));
        others.extend((later > 0).then(|| format!("after {}: {later}", date(first + DAYS - 1))));
        self.columns(title, &bars, &others);
    }

    /// A chart of columns, with the names of the first and the last.
    fn columns(&mut self, title: &str, bars: &[Bar], others: &[String]) {
        let Some(most) = bars.iter().map(|bar| bar.rows).max().filter(|most| *most > 0) else {
            if !others.is_empty() {
                self.title(title);
                self.lines(&[others.join("; ")]);
            }
            return;
        };
        self.title(&format!("{title}; the highest column is {most}"));
        let step = INNER / bars.len().max(1);
        for (place, bar) in bars.iter().enumerate() {
            let x = MARGIN + place * step;
            let tip = format!("{}: {}, of these {} anonymous", bar.name, bar.rows, bar.marked);
            let tip = if bar.marked > 0 { tip } else { format!("{}: {}", bar.name, bar.rows) };
            let _ = writeln!(self.body, "<g><title>{}</title>", escaped(&tip));
            for (class, rows) in
                [("a", bar.rows), ("b", bar.marked)].into_iter().filter(|(_, rows)| *rows > 0)
            {
                let height = scaled(rows, most, CHART).max(1);
                let _ = writeln!(
                    self.body,
                    "<rect class=\"{class}\" x=\"{x}\" y=\"{}\" width=\"{}\" height=\"{height}\"/>",
                    self.y + CHART - height,
                    step.saturating_sub(2).clamp(1, 60)
                );
            }
            let _ = writeln!(self.body, "</g>");
        }
        self.y += CHART + LINE;
        let names = bars.first().zip(bars.last());
        let names = names.map(|(first, last)| format!("{} … {}", first.name, last.name));
        self.lines(&[names
            .into_iter()
            .chain(others.iter().cloned())
            .collect::<Vec<_>>()
            .join("; ")]);
    }

    /// Bars below each other, each with its name.
    fn columns_below<'n>(
        &mut self,
        title: &str,
        bars: impl Iterator<Item = (&'n str, u64)> + Clone,
    ) {
        let Some(most) = bars.clone().map(|(_, rows)| rows).max().filter(|most| *most > 0) else {
            return;
        };
        self.title(title);
        for (name, rows) in bars {
            let width = scaled(rows, most, INNER / 3).max(1);
            let _ = writeln!(
                self.body,
                "<rect class=\"a\" x=\"{MARGIN}\" y=\"{}\" width=\"{width}\" height=\"{}\"/>",
                self.y - LINE + 6,
                LINE - 4
            );
            self.text(MARGIN + INNER / 3 + 10, "n", &format!("{rows}  {}", short(name)));
        }
    }

    fn finish(self) -> String {
        let height = self.y + MARGIN;
        format!(
            "<svg xmlns=\"http://www.w3.org/2000/svg\" width=\"{WIDTH}\" height=\"{height}\" viewBox=\"0 0 {WIDTH} {height}\">\n\
             <style>text{{font:13px sans-serif;fill:#222}}.t{{font-size:20px}}.h{{font-weight:bold}}.a{{fill:#2a6f97}}.b{{fill:#b5b5b5}}\
             </style>\n<rect width=\"100%\" height=\"100%\" fill=\"#fff\"/>\n{}</svg>\n",
            self.body
        )
    }
}

/// How long a bar is.
fn scaled(rows: u64, most: u64, length: usize) -> usize {
    let length = u128::try_from(length).unwrap_or(0);
    usize::try_from(u128::from(rows) * length / u128::from(most.max(1))).unwrap_or(0)
}

fn date(day: i64) -> String {
    let midnight = Timestamp::from_micros(day.saturating_mul(DAY_MICROS)).to_string();
    midnight.split_once('T').map_or(midnight.clone(), |(date, _)| date.to_owned())
}

/// The number of a day since 1970.
fn day_of(date: &str) -> Option<i64> {
    let midnight: Timestamp = format!("{date}T00:00:00Z").parse().ok()?;
    Some(midnight.as_micros().div_euclid(DAY_MICROS))
}

/// The beginning of a name.
fn short(name: &str) -> String {
    match name.char_indices().nth(MOST_CHARS) {
        Some((end, _)) => format!("{}…", name.get(..end).unwrap_or_default()),
        None => name.to_owned(),
    }
}

/// A text as XML and HTML have it: nothing in it is markup, and no character is invisible.
fn escaped(text: &str) -> String {
    let mut safe = String::new();
    for c in sanitize(text).chars() {
        match c {
            '&' => safe += "&amp;",
            '<' => safe += "&lt;",
            '>' => safe += "&gt;",
            '"' => safe += "&quot;",
            '\'' => safe += "&#39;",
            c => safe.push(c),
        }
    }
    safe
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn nothing_in_a_text_is_markup() {
        let text = "</text><script>alert('\u{1b}[2J')</script>&amp;\" \u{202e}\u{fffe}";
        let safe = escaped(text);
        assert!(!safe.contains(['<', '>', '"', '\'', '\u{1b}', '\u{202e}', '\u{fffe}']), "{safe}");
        assert_eq!(escaped("a&b"), "a&amp;b");
        assert_eq!(short(&"ü".repeat(100)).chars().count(), MOST_CHARS + 1);
    }

    #[test]
    fn a_day_is_found_by_its_name() {
        for day in [-1, 0, 20_779, 40_000] {
            assert_eq!(day_of(&date(day)), Some(day));
        }
        for name in ["never", "unknown", "other", ""] {
            assert_eq!(day_of(name), None);
        }
        assert_eq!((scaled(1, 3, 120), scaled(u64::MAX, u64::MAX, 120)), (40, 120));
    }
}

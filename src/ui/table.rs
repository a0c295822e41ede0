//! Writes sessions as lines of a table.

use std::io::{self, Write};

use unicode_width::{UnicodeWidthChar, UnicodeWidthStr};

use super::human::{format, seconds, signature, user, username};
use super::json::word;
use super::terminal::Terminal;
use super::{sanitize, sanitize_name};
use crate::report::{Column, ListedSession};

/// The columns of a table of sessions. They have a fixed width, so that a table of any length can be printed as it is read.
pub struct Table {
    columns: Vec<(Column, usize)>,
    /// Whether cells that are wider than their column are cut.
    cuts: bool,
}

/// What separates two columns.
const GAP: usize = 2;
/// The columns that a terminal goes without if it is too narrow, in this order.
const LEFT_OUT: [Column; 3] = [Column::Format, Column::Expires, Column::Size];
/// The columns that are narrowed then, in this order, and how far.
const NARROWED: [(Column, usize); 5] = [
    (Column::Error, 16),
    (Column::Backend, 16),
    (Column::Format, 16),
    (Column::Username, 12),
    (Column::UserId, 13),
];

impl Table {
    /// A table in which the first sessions have room, as far as the terminal has. The columns are those that were asked for,
    /// or the usual ones.
    pub fn of<'r>(
        first: &(impl Iterator<Item = &'r ListedSession> + Clone),
        asked: &[Column],
        with_schemas: bool,
        with_names: bool,
    ) -> Self {
        Self::within(Terminal::of_stdout().columns(), first, asked, with_schemas, with_names)
    }

    fn within<'r>(
        room: Option<usize>,
        first: &(impl Iterator<Item = &'r ListedSession> + Clone),
        asked: &[Column],
        with_schemas: bool,
        with_names: bool,
    ) -> Self {
        let usual = Column::OF_TABLE.into_iter();
        let usual = usual.filter(|column| with_names || *column != Column::Username);
        let usual = with_schemas.then_some(Column::Schema).into_iter().chain(usual);
        let shown: Vec<Column> = if asked.is_empty() { usual.collect() } else { asked.to_vec() };
        let width = |column: Column| {
            let longest = first.clone().map(|row| columns(&cell(row, column))).max().unwrap_or(0);
            longest.min(most(column)).max(least(column)).max(columns(title(column)))
        };
        let columns = shown.into_iter().map(|column| (column, width(column))).collect();
        let mut table = Self { columns, cuts: room.is_some() };
        if let Some(room) = room {
            table.fit(room, asked.is_empty());
        }
        table
    }

    /// Leaves out or narrows columns until the table has room.
    fn fit(&mut self, room: usize, may_leave_out: bool) {
        for column in LEFT_OUT.into_iter().filter(|_| may_leave_out) {
            if self.width() > room {
                self.columns.retain(|(other, _)| *other != column);
            }
        }
        for (column, least) in NARROWED {
            let excess = self.width().saturating_sub(room);
            for (_, width) in self.columns.iter_mut().filter(|(other, _)| *other == column) {
                *width = width.saturating_sub(excess).max(least.min(*width));
            }
        }
    }

    fn width(&self) -> usize {
        let gaps = GAP * self.columns.len().saturating_sub(1);
        self.columns.iter().map(|(_, width)| width).sum::<usize>() + gaps
    }

    /// Writes the head of the table.
    pub fn write_header(&self, out: &mut dyn Write) -> io::Result<()> {
        self.write(out, |column| title(column).into())
    }

    /// Writes one session as a line of the table.
    pub fn write_row(&self, out: &mut dyn Write, row: &ListedSession) -> io::Result<()> {
        self.write(out, |column| cell(row, column))
    }

    fn write(&self, out: &mut dyn Write, cell: impl Fn(Column) -> String) -> io::Result<()> {
        let mut line = String::new();
        for (place, (column, width)) in self.columns.iter().enumerate() {
            let text = cell(*column);
            let text = if self.cuts { cut(text, *width) } else { text };
            let gap = if place > 0 { GAP } else { 0 };
            let padding = width.saturating_sub(columns(&text));
            let (before, after) = if is_number(*column) { (padding, 0) } else { (0, padding) };
            line.extend(std::iter::repeat_n(' ', gap + before));
            line += &text;
            line.extend(std::iter::repeat_n(' ', after));
        }
        writeln!(out, "{}", line.trim_end_matches(' '))
    }
}

/// Writes the first of the sessions that a dry run found, and how many more there are.
pub fn write_preview(out: &mut dyn Write, first: &[ListedSession], found: u64) -> io::Result<()> {
    if first.is_empty() {
        return Ok(());
    }
    writeln!(out)?;
    let has_names = first.iter().any(|row| row.username.is_some());
    let table = Table::of(&first.iter(), &[], false, has_names);
    table.write_header(out)?;
    for row in first {
        table.write_row(out, row)?;
    }
    match found.saturating_sub(u64::try_from(first.len()).unwrap_or(u64::MAX)) {
        0 => Ok(()),
        more => writeln!(out, "... and {more} more"),
    }
}

fn title(column: Column) -> &'static str {
    match column {
        Column::Schema => "SCHEMA",
        Column::SessionKey => "SESSION",
        Column::State => "STATE",
        Column::UserId => "USER",
        Column::Username => "USERNAME",
        Column::Backend => "BACKEND",
        Column::Behind => "BEHIND",
        Column::Signature => "SIGNATURE",
        Column::Key => "KEY",
        Column::Saved => "LAST SAVED",
        Column::Expires => "EXPIRES",
        Column::Size => "SIZE",
        Column::Layout => "LAYOUT",
        Column::Serializer => "SERIALIZER",
        Column::Compressed => "ZLIB",
        Column::Error => "ERROR",
        Column::Format => "FORMAT",
    }
}

fn cell(row: &ListedSession, column: Column) -> String {
    let session = &row.session;
    let text = |field: &Option<String>| sanitize_name(field.as_deref().unwrap_or("-")).into_owned();
    match column {
        Column::Schema => sanitize(row.schema.as_deref().unwrap_or("-")).into_owned(),
        Column::SessionKey => sanitize_name(&row.session_key).into_owned(),
        Column::State => word(session.state),
        Column::UserId => user(row),
        Column::Username => username(row),
        Column::Backend => text(&session.backend),
        Column::Behind => match &*session.behind {
            [] => "-".into(),
            behind => sanitize_name(&behind.join(", ")).into_owned(),
        },
        Column::Signature => signature(session),
        Column::Key => session.key.map_or_else(|| "-".into(), |key| key.to_string()),
        Column::Saved => seconds(session.saved.as_deref()).into_owned(),
        Column::Expires => seconds(row.expires.as_deref()).into_owned(),
        Column::Size => row.size.to_string(),
        Column::Layout => session.layout.map_or_else(|| "-".into(), word),
        Column::Serializer => session.serializer.map_or_else(|| "-".into(), word),
        Column::Compressed => if session.compressed { "zlib" } else { "-" }.into(),
        Column::Error => text(&session.error),
        Column::Format => format(row),
    }
}

fn is_number(column: Column) -> bool {
    column == Column::Size
}

/// The least width, for rows that come after the first.
fn least(column: Column) -> usize {
    match column {
        Column::SessionKey => 8,
        Column::Saved | Column::Expires => 20,
        Column::UserId | Column::Size => 7,
        _ => 0,
    }
}

/// The most width: a longer text does not make the whole table wide.
fn most(column: Column) -> usize {
    match column {
        Column::UserId | Column::Username | Column::Schema | Column::Behind => 40,
        Column::Backend | Column::Error | Column::Format => 60,
        _ => usize::MAX,
    }
}

/// The columns of a terminal that a text takes: a character of East Asian scripts takes two, a combining one none.
fn columns(text: &str) -> usize {
    if text.is_ascii() { text.len() } else { text.width() }
}

/// The beginning of a text that is wider than its column. The mark shows that there is more.
fn cut(mut text: String, width: usize) -> String {
    if columns(&text) <= width {
        return text;
    }
    let mut taken = 1;
    let end = text.char_indices().find(|(_, char)| {
        taken += char.width().unwrap_or(0);
        taken > width
    });
    text.truncate(end.map_or(text.len(), |(at, _)| at));
    text.push('…');
    text
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Signature;
    use crate::report::{DecodedSession, State};

    fn session(user: &str, name: &str) -> ListedSession {
        let session = DecodedSession {
            state: State::User,
            user_id: Some(user.into()),
            backend: None,
            behind: Vec::new(),
            behind_unclear: false,
            signature: Signature::Valid,
            key: Some(1),
            saved: Some("2026-11-22T01:57:46Z".into()),
            layout: None,
            serializer: None,
            compressed: false,
            error: None,
            payload: None,
        };
        ListedSession {
            schema: None,
            session_key: "jo3q3qa3".into(),
            expires: None,
            size: 185,
            username: Some(name.into()),
            session,
        }
    }

    fn lines(room: Option<usize>, rows: &[ListedSession], asked: &[Column]) -> Vec<String> {
        let table = Table::within(room, &rows.iter(), asked, false, true);
        let mut out = Vec::new();
        table.write_header(&mut out).unwrap();
        for row in rows {
            table.write_row(&mut out, row).unwrap();
        }
        String::from_utf8(out).unwrap().lines().map(str::to_owned).collect()
    }

    #[test]
    fn a_table_has_the_width_of_the_terminal_and_all_columns_in_a_pipe() {
        let rows = [
            session(
                "ce6db715-bb98-4199-8cff-7a7d3eff1a4f",
                "somebody.with.a.long.name@example.org",
            ),
            session("7", "ann"),
        ];
        for room in [72, 80, 100, 132, 200] {
            let lines = lines(Some(room), &rows, &[]);
            assert!(lines.iter().all(|line| columns(line) <= room), "{room}: {lines:#?}");
            assert!(
                lines[0].contains("LAST SAVED") && lines[0].contains("SIGNATURE"),
                "{lines:#?}"
            );
            assert_eq!(lines[0].contains("FORMAT"), room > 132, "{lines:#?}");
        }
        let wide = lines(None, &rows, &[]);
        assert!(wide[0].ends_with("FORMAT") && wide[1].contains("7a7d3eff1a4f"), "{wide:#?}");
        assert!(wide[1].contains("name@example.org"), "{wide:#?}");
    }

    #[test]
    fn columns_that_were_asked_for_are_cut_and_not_left_out() {
        let rows = [session(&"x".repeat(39), "somebody.with.a.long.name@example.org")];
        let asked = [Column::UserId, Column::Expires, Column::Format, Column::Username];
        let lines = lines(Some(60), &rows, &asked);
        assert_eq!(lines[0].split_whitespace().count(), 4, "{lines:#?}");
        assert!(lines[1].contains("xxxxxxxxxxxx…") && columns(&lines[1]) <= 60, "{lines:#?}");
    }

    #[test]
    fn names_of_wide_and_of_combining_characters_do_not_shift_the_columns() {
        let rows = [
            session("1", "ann"),
            session("2", "山田太郎"),
            session("3", "e\u{301}lise"),
            session("4", "한국어"),
        ];
        let asked = [Column::UserId, Column::Username, Column::Saved];
        let columns = |text: &str| -> usize {
            let width = |char| match char {
                '\u{301}' => 0,
                '\u{3040}'.. => 2,
                _ => 1,
            };
            text.chars().map(width).sum()
        };
        for room in [None, Some(80)] {
            let lines = lines(room, &rows, &asked);
            let at = |line: &str| columns(line.split_once("2026-11-22").unwrap().0);
            assert!(lines[1..].iter().all(|line| at(line) == at(&lines[1])), "{lines:#?}");
        }
        // The room of a terminal is kept, whatever is cut.
        let rows = [session("1", &"山".repeat(30)), session("2", &"a山".repeat(20))];
        for room in 44..60 {
            let lines = lines(Some(room), &rows, &asked);
            assert!(lines.iter().all(|line| columns(line) <= room), "{room}: {lines:#?}");
            assert!(lines[1].contains('…') && lines[2].contains('…'), "{lines:#?}");
        }
    }
}

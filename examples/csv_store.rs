//! A database of one's own, in under 150 lines: sessions in a CSV file of `session_key,session_data,expire_date`. It can
//! scan and delete, and has no other capability. A toy: what others write while it writes the file is lost.
//!
//! `cargo run --example csv_store -- -d csv://sessions.csv logout-user 42 --dry-run`

use std::error::Error;
use std::fs;
use std::ops::ControlFlow;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use clap::Parser as _;
use serde_json::json;
use sessctl::cli::Cli;
use sessctl::consent::Consent;
use sessctl::model::{Data, Expiry, Page, Row, Timestamp};
use sessctl::stop::Stop;
use sessctl::store::{
    Backend, Capability, Emit, Fault, Filter, Gone, Opening, Reader, Source, SourceError, Store,
    StoreError, Surroundings, Traits, Writer,
};

static BACKENDS: &[&dyn Backend] = &[&Csv];

static TRAITS: Traits = Traits {
    why_not: &[(Capability::UserColumn, "a CSV file of sessions has three columns, and no more")],
    ..Traits::plain("CSV")
};

fn main() -> ExitCode {
    ExitCode::from(sessctl::run(&Cli::parse(), &Arc::new(Stop::default()), BACKENDS).code())
}

struct Csv;

impl Backend for Csv {
    fn traits(&self) -> &'static Traits {
        &TRAITS
    }

    fn schemes(&self) -> &'static [&'static str] {
        &["csv"]
    }

    fn example(&self) -> &'static str {
        "csv://FILE"
    }

    fn read_url(&self, rest: &str, _: &Surroundings) -> Result<Box<dyn Source>, SourceError> {
        Ok(Box::new(CsvFile(rest.into())))
    }
}

/// A file. It is its own source, store, reader and writer, since nothing is kept open.
#[derive(Clone, Debug)]
pub(crate) struct CsvFile(pub(crate) PathBuf);

impl Source for CsvFile {
    fn place(&self) -> String {
        self.0.display().to_string()
    }

    fn open(&self, _: Opening) -> Box<dyn Store> {
        Box::new(self.clone())
    }
}

impl Store for CsvFile {
    fn traits(&self) -> &'static Traits {
        &TRAITS
    }

    fn reader(&self) -> Result<Box<dyn Reader + '_>, StoreError> {
        self.records()?;
        Ok(Box::new(self.clone()))
    }

    fn writer(&self, _: Consent) -> Result<Box<dyn Writer + '_>, StoreError> {
        Ok(Box::new(self.clone()))
    }
}

impl Reader for CsvFile {
    fn scan(&mut self, filter: &Filter, emit: &mut Emit<'_>) -> Result<(), StoreError> {
        let mut page = Page::default();
        for record in self.records()? {
            let row = row(&record);
            let is_live = filter.live_at.is_none_or(|now| row.expires.may_be_after(now));
            if is_live && row.key.starts_with(filter.key_prefix.as_deref().unwrap_or_default()) {
                page.push(row);
            }
            if page.is_full() {
                let ControlFlow::Continue(empty) = emit(page) else { return Ok(()) };
                page = empty;
            }
        }
        let _ = emit(page);
        Ok(())
    }
}

impl Writer for CsvFile {
    fn delete(&mut self, keys: &[&str]) -> Result<Gone, StoreError> {
        let all = self.records()?;
        let stay: Vec<_> = all.iter().filter(|row| !keys.contains(&&*row[0])).cloned().collect();
        if stay.len() < all.len() {
            self.write(&stay)?;
        }
        Ok(Gone::of((all.len() - stay.len()) as u64))
    }

    fn read(&mut self, keys: &[&str]) -> Result<Page, StoreError> {
        let (mut page, all) = (Page::default(), self.records()?);
        all.iter().filter(|row| keys.contains(&&*row[0])).for_each(|record| page.push(row(record)));
        Ok(page)
    }
}

/// Key, data, and when it expires (`2026-11-29T20:00:00Z`): in the file each is quoted as in JSON.
type Record = [String; 3];

impl CsvFile {
    fn cannot<E: Error + Send + Sync + 'static>(&self, doing: &str, cause: E) -> StoreError {
        StoreError::new(Fault::Fatal, format!("cannot {doing} {}", self.0.display())).because(cause)
    }

    pub(crate) fn records(&self) -> Result<Vec<Record>, StoreError> {
        let text = fs::read_to_string(&self.0).map_err(|error| self.cannot("read", error))?;
        let read = |line: &str| serde_json::from_str(&format!("[{line}]"));
        text.lines().map(read).collect::<Result<_, _>>().map_err(|error| self.cannot("read", error))
    }

    /// Puts a new file in the place of the old one.
    pub(crate) fn write(&self, records: &[Record]) -> Result<(), StoreError> {
        let line = |record| format!("{}\n", json!(record).to_string().trim_matches(['[', ']']));
        let new = self.0.with_extension("new");
        fs::write(&new, records.iter().map(line).collect::<Vec<_>>().concat())
            .and_then(|()| fs::rename(new, &self.0))
            .map_err(|error| self.cannot("write", error))
    }
}

fn row([key, data, expires]: &Record) -> Row<'_> {
    // What cannot be read may be live.
    let expires = expires.parse().map_or(Expiry::Unreadable(Timestamp::LATEST), Expiry::At);
    Row { key, data: Data::Text(data), expires, user: None }
}

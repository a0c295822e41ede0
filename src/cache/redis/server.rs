//! A client of one server: the requests that sessctl makes of it.

use std::time::Duration;

use super::Params;
use super::connection::Connection;
use super::failure::Failure;
use super::glob;
use super::resp::Reply;
use crate::cache::{Entry, Page, Server, Shape, Walk};
use crate::store::{Fault, StoreError, Waits};

/// How often a request is made, and the pause after the first time; it doubles.
const ATTEMPTS: u32 = 4;
const FIRST_PAUSE: Duration = Duration::from_millis(200);
/// Most keys in one request.
const KEYS: usize = 500;
/// Keys that the server looks at for one answer to SCAN.
const SCANNED: &str = "1000";
/// Values that are read in one go, and the most bytes of each: together they have 16 MiB.
const VALUES: usize = 256;
const MOST_VALUE: usize = 64 << 10;

/// How often a walk over the entries begins anew because the connection was lost.
const MOST_RESTARTS: u32 = 5;

pub(super) struct Client {
    params: Params,
    waits: Waits,
    connection: Option<Connection>,
    /// How many connections there were.
    connections: u32,
}

impl Client {
    pub(super) fn new(params: Params, waits: Waits) -> Self {
        Self { params, waits, connection: None, connections: 0 }
    }

    /// Makes requests that may be repeated, over a new connection if one is lost.
    fn ask(&mut self, doing: &str, requests: &[Vec<&str>]) -> Result<Vec<Reply>, StoreError> {
        let mut pause = FIRST_PAUSE;
        for attempt in 1.. {
            let failure = match self.ask_once(requests) {
                Ok(replies) => return Ok(replies),
                Err(failure) => failure,
            };
            // Another wait for a server that is silent would be as long.
            let may_heal = matches!(failure.fault(), Fault::Busy | Fault::Lost)
                && !matches!(failure, Failure::GaveUp(_));
            if attempt >= ATTEMPTS || !may_heal {
                return Err(failure.on(format!("cannot {doing} in the cache {}", self.params)));
            }
            self.waits.stop().sleep(pause);
            pause *= 2;
        }
        Ok(Vec::new())
    }

    fn ask_once(&mut self, requests: &[Vec<&str>]) -> Result<Vec<Reply>, Failure> {
        // Taken out, so that a reply which was not read is not taken for that of a later request.
        let mut connection = if let Some(connection) = self.connection.take() {
            connection
        } else {
            self.connections += 1;
            Connection::open(&self.params, &self.waits)?
        };
        let asked = connection.ask(requests);
        if matches!(asked, Ok(_) | Err(Failure::Server(_))) {
            self.connection = Some(connection);
        }
        asked
    }

    /// The error for a reply that the request cannot have.
    fn odd(&self) -> StoreError {
        Failure::Protocol.on(format!("cannot read entries in the cache {}", self.params))
    }

    fn values(
        &mut self,
        keys: &[(String, String)],
        entries: &mut Vec<Entry>,
    ) -> Result<(), StoreError> {
        let last = MOST_VALUE.to_string();
        let requests: Vec<Vec<&str>> =
            keys.iter().map(|(key, _)| vec!["GETRANGE", key, "0", &last]).collect();
        let replies = self.ask("read entries", &requests)?;
        for ((key, session_key), reply) in keys.iter().zip(replies) {
            // It is gone meanwhile if it is empty.
            let Reply::Bytes(Some(mut value)) = reply else { continue };
            if value.is_empty() {
                continue;
            }
            let is_cut = value.len() > MOST_VALUE;
            value.truncate(MOST_VALUE);
            let (key, session_key) = (key.clone(), session_key.clone());
            entries.push(Entry { key, session_key, value, is_cut });
        }
        Ok(())
    }
}

impl Server for Client {
    fn place(&self) -> String {
        self.params.to_string()
    }

    fn demand_rights(&mut self, key: &str, writes: bool) -> Result<(), StoreError> {
        // Two keys have two places in a cluster, of which one node has all only by chance: it refuses them, whichever it has.
        let (second, third) = (format!("{key}:"), format!("{key}::"));
        let mut requests = vec![
            vec!["SCAN", "0", "MATCH", key, "COUNT", "1"],
            vec!["EXISTS", key, &second, &third],
            vec!["GETRANGE", key, "0", "0"],
        ];
        if writes {
            requests.push(vec!["DEL", key]);
        }
        self.ask("find and delete entries", &requests).map(|_| ())
    }

    fn delete(&mut self, keys: &[String]) -> Result<u64, StoreError> {
        let mut deleted = 0;
        for some in keys.chunks(KEYS) {
            let request = ["DEL"].into_iter().chain(some.iter().map(String::as_str)).collect();
            match self.ask("delete entries", &[request])?.as_slice() {
                [Reply::Number(number)] => deleted += u64::try_from(*number).unwrap_or_default(),
                _ => return Err(self.odd()),
            }
        }
        Ok(deleted)
    }

    fn existing(&mut self, keys: &[String]) -> Result<Vec<String>, StoreError> {
        let mut existing = Vec::new();
        for some in keys.chunks(KEYS) {
            let requests: Vec<Vec<&str>> =
                some.iter().map(|key| vec!["EXISTS", key.as_str()]).collect();
            let replies = self.ask("find entries", &requests)?;
            let found = some.iter().zip(replies).filter(|(_, reply)| *reply != Reply::Number(0));
            existing.extend(found.map(|(key, _)| key.clone()));
        }
        Ok(existing)
    }

    fn walk(&mut self, walk: &mut Walk, shape: &Shape) -> Result<Page, StoreError> {
        let pattern = glob::of(shape);
        let (mut began, mut cursor) = (self.connections, walk.cursor.clone());
        if cursor.is_empty() || walk.connection != began {
            (cursor, began) = ("0".into(), 0);
        }
        let request = vec!["SCAN", &cursor, "MATCH", &pattern, "COUNT", SCANNED];
        let replies = self.ask("find entries", &[request])?;
        let Some((next, keys)) = scanned(replies) else { return Err(self.odd()) };
        let is_valid = began == self.connections || cursor == "0";
        walk.restarts += u32::from(!is_valid || walk.connection != 0 && began == 0);
        if walk.restarts > MOST_RESTARTS {
            let why = std::io::Error::from(std::io::ErrorKind::ConnectionReset);
            return Err(Failure::Io(why)
                .on(format!("cannot find all entries in the cache {}", self.params)));
        }
        walk.connection = self.connections;
        walk.has_ended = is_valid && next == "0";
        walk.cursor = if is_valid { next } else { String::new() };
        let (mut page, mut wanted) = (Page::default(), Vec::new());
        for key in keys {
            if let Some(session_key) = shape.session_key(&key) {
                let session_key = session_key.to_owned();
                wanted.push((key, session_key));
            } else if shape.is_of_another(&key) {
                page.others.push(key);
            }
        }
        for some in wanted.chunks(VALUES) {
            self.values(some, &mut page.entries)?;
        }
        Ok(page)
    }
}

/// The next cursor and the keys in a reply to SCAN. A key that is not UTF-8 is none of Django's.
fn scanned(replies: Vec<Reply>) -> Option<(String, Vec<String>)> {
    let [Reply::List(parts)]: [Reply; 1] = replies.try_into().ok()? else { return None };
    let [Reply::Bytes(Some(cursor)), Reply::List(keys)]: [Reply; 2] = parts.try_into().ok()? else {
        return None;
    };
    let text = |reply| match reply {
        Reply::Bytes(Some(bytes)) => String::from_utf8(bytes).ok(),
        _ => None,
    };
    let cursor = String::from_utf8(cursor).ok().filter(|text| !text.is_empty())?;
    Some((cursor, keys.into_iter().filter_map(text).collect()))
}

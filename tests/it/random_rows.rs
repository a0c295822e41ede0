//! Rows of all kinds, chosen by a seed.

use hmac::{Hmac, KeyInit, Mac};
use sha1::{Digest, Sha1};

use crate::world::{SECRET_KEY, World, base64_url, login, signed_at};

/// `SplitMix64`: the same numbers from the same seed.
pub(crate) struct Random(pub(crate) u64);

impl Random {
    fn next(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9E37_79B9_7F4A_7C15);
        let mixed = (self.0 ^ (self.0 >> 30)).wrapping_mul(0xBF58_476D_1CE4_E5B9);
        let mixed = (mixed ^ (mixed >> 27)).wrapping_mul(0x94D0_49BB_1331_11EB);
        mixed ^ (mixed >> 31)
    }

    pub(crate) fn below(&mut self, end: usize) -> usize {
        usize::try_from(self.next() % u64::try_from(end).unwrap()).unwrap()
    }

    pub(crate) fn number(&mut self, end: i64) -> i64 {
        self.below(end.try_into().unwrap()).try_into().unwrap()
    }

    pub(crate) fn one_in(&mut self, n: usize) -> bool {
        self.below(n) == 0
    }

    pub(crate) fn pick<T: Copy>(&mut self, from: &[T]) -> T {
        from[self.below(from.len())]
    }

    /// Each of these or not, but one at least.
    pub(crate) fn some<T: Copy>(&mut self, from: &[T]) -> Vec<T> {
        let first = self.below(from.len());
        let chosen = |at: usize, random: &mut Self| at == first || random.one_in(3);
        (0..from.len()).filter(|at| chosen(*at, self)).map(|at| from[at]).collect()
    }
}

/// The work of another serializer.
const OTHER: &str = "\u{93}msgpack";
/// A login that is no JSON.
const CUT: &str = r#"{"_auth_user_id":"42""#;

pub(crate) const USERS: [&str; 5] = ["42", "4", "142", "7", "9223372036854775807"];

/// Whose a session is.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(crate) enum Owner {
    User(&'static str),
    Nobody,
    /// It cannot be read.
    Unknown,
}

/// A row, and all that there is to know of it.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) key: String,
    pub(crate) owner: Owner,
    /// Whether the site's key signed it.
    pub(crate) valid: bool,
    /// Seconds since 1970, where the row says it.
    pub(crate) saved: Option<i64>,
    /// How many seconds ago it expired; negative if it is live.
    pub(crate) age: i64,
    /// What the user column says.
    pub(crate) stamp: Option<&'static str>,
    /// Whom one that cannot be read names at its very beginning.
    pub(crate) begins: Option<&'static str>,
    /// Whether it is broken so that it is nobody's login.
    is_damaged: bool,
    data: String,
}

impl Row {
    pub(crate) fn user(&self) -> Option<&'static str> {
        match self.owner {
            Owner::User(id) => Some(id),
            Owner::Nobody | Owner::Unknown => None,
        }
    }

    pub(crate) fn is_of(&self, users: &[&str]) -> bool {
        self.user().is_some_and(|user| users.contains(&user))
    }

    /// Whether it cannot be read and may be somebody's login, for all that can be told.
    pub(crate) fn is_doubtful(&self) -> bool {
        self.owner == Owner::Unknown && !self.is_damaged
    }

    pub(crate) fn is_live(&self) -> bool {
        self.age < 0
    }

    fn new(w: &World, random: &mut Random, owner: Owner, valid: bool) -> Self {
        let payload = match owner {
            Owner::User(id) => match random.below(4) {
                0 => format!("(dS'_auth_user_id'\nS'{id}'\ns."),
                1 => format!(r#"{{"_auth_user_id":{id},"cart":{{"_auth_user_id":"7"}}}}"#),
                _ => login(id),
            },
            Owner::Nobody => {
                random.pick(&["{}", r#"{"cart":["_auth_user_id","42"]}"#, "(d."]).into()
            }
            Owner::Unknown => random.pick(&[OTHER, CUT, "(d"]).into(),
        };
        let secret = if valid { SECRET_KEY } else { "the key of another site" };
        let saved = (!random.one_in(5)).then(|| FIRST_SAVED + 3_600 * random.number(480));
        let data = match saved {
            Some(saved) => signed_at(&base64_url(payload.as_bytes()), &base62(saved), secret),
            None => legacy(&payload, secret),
        };
        // Whole hours are what commands are given, so no row is near one of them.
        let ago = 3_600 * random.number(1_500) + 1_800;
        let age = if random.one_in(3) { ago } else { -ago };
        let key = w.next_key();
        // No two expire at the same time.
        let age = age + key[..8].parse::<i64>().unwrap();
        let is_cut = owner == Owner::Unknown && payload == CUT && saved.is_some();
        let begins = is_cut.then_some("42");
        // What begins as Django writes it and is broken is nobody's login, unless the site's key signed it.
        let is_damaged = owner == Owner::Unknown && !valid && payload != OTHER;
        let row = Self { key, owner, valid, saved, age, stamp: None, begins, is_damaged, data };
        if owner == Owner::Unknown && random.one_in(4) {
            // It may be of an `encode` of the site's own, unless it begins as Django's does.
            let is_damaged = random.one_in(2);
            let data = if is_damaged { ".eJcut off" } else { "in no layout" }.into();
            Self { valid: false, saved: None, begins: None, is_damaged, data, ..row }
        } else {
            row
        }
    }
}

/// 2026-11-01, and twenty days follow.
pub(crate) const FIRST_SAVED: i64 = 1_793_491_200;

/// A few rows, and with them a live login and a live cart that show that the key is right.
pub(crate) fn rows(w: &World, random: &mut Random) -> Vec<Row> {
    let mut rows: Vec<Row> = [Owner::User("7"), Owner::Nobody]
        .map(|owner| Row { age: -86_400, ..Row::new(w, random, owner, true) })
        .into();
    for _ in 0..random.below(16) {
        let owner = match random.below(8) {
            0 => Owner::Unknown,
            1 | 2 => Owner::Nobody,
            _ => Owner::User(random.pick(&USERS)),
        };
        let valid = !random.one_in(6);
        rows.push(Row::new(w, random, owner, valid));
    }
    insert(w, &rows);
    rows
}

/// Logins that come later.
pub(crate) fn logins(w: &World, random: &mut Random) -> Vec<Row> {
    let rows: Vec<Row> = (0..random.below(4))
        .map(|_| {
            let user = Owner::User(random.pick(&USERS));
            Row::new(w, random, user, true)
        })
        .collect();
    insert(w, &rows);
    rows
}

fn insert(w: &World, rows: &[Row]) {
    let now = jiff::Timestamp::now();
    let expires = |row: &Row| {
        let at = (now - jiff::SignedDuration::from_secs(row.age)).to_zoned(jiff::tz::TimeZone::UTC);
        let zone = if w.is_sqlite() { "" } else { "+00" };
        format!("{}{zone}", at.strftime("%Y-%m-%d %H:%M:%S"))
    };
    if !rows.is_empty() {
        w.rows(rows.iter().map(|row| (&*row.key, &*row.data, expires(row))));
    }
}

/// A payload as Django 1.3 to 3.0 stores it.
fn legacy(payload: &str, secret_key: &str) -> String {
    let salt = "django.contrib.sessionsSessionStore";
    let key = Sha1::new().chain_update(salt).chain_update(secret_key).finalize();
    let mac = Hmac::<Sha1>::new_from_slice(&key).unwrap().chain_update(payload).finalize();
    let hash =
        mac.into_bytes().iter().map(|byte| format!("{byte:02x}")).collect::<Vec<_>>().concat();
    let text = base64_url(format!("{hash}:{payload}").as_bytes());
    let padding = "=".repeat(text.len().wrapping_neg() % 4);
    text.replace('-', "+").replace('_', "/") + &padding
}

pub(crate) fn base62(mut number: i64) -> String {
    const DIGITS: &[u8] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";
    let mut text = Vec::new();
    while number > 0 {
        text.insert(0, DIGITS[usize::try_from(number % 62).unwrap()]);
        number /= 62;
    }
    String::from_utf8(text).unwrap()
}

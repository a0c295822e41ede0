use std::error::Error;
use std::sync::mpsc::sync_channel;
use std::thread;

use clap::ValueEnum;
use jiff::Timestamp;

use crate::encoder::Encoder;
use crate::random::Random;

/// A session as it will stand in the table.
pub(crate) struct Session {
    pub(crate) key: String,
    pub(crate) data: String,
    pub(crate) expires: Timestamp,
}

/// What expiry has to do with the order of creation.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub(crate) enum Expiry {
    /// Two weeks after the last use, which comes some days after creation.
    Used,
    /// Nothing.
    Shuffled,
    /// As `used`, but whatever has expired did so at one and the same instant.
    Tied,
}

/// Which sessions there are to be.
pub(crate) struct Plan {
    rows: u64,
    expiry: Expiry,
    seed: u64,
    cart: Option<usize>,
    /// The first session that is live, in the order of last use.
    first_live: (i64, u64),
}

const DAY: i64 = 24 * 60 * 60 * 1_000_000;
/// Created in so many microseconds, whatever the number of rows.
const PERIOD: i64 = 30 * DAY;
/// From the creation of a session to its last use, on average.
const USE: f64 = 3.0 * DAY as f64;
/// `SESSION_COOKIE_AGE`.
const AGE: i64 = 14 * DAY;
/// 2025-01-01. What has expired did so before, so that it has expired on every clock.
const REFERENCE: i64 = 1_735_689_600_000_000;
/// Twenty years for what is live, so that it stays so.
const MUCH_LATER: i64 = 7_305 * DAY;

const USERS: u64 = 200_000;
/// The user that commands are tried on, and how many sessions it has, spread over the table.
const SAMPLE_USER: u64 = 42;
const SAMPLES: u64 = 10;

const CHUNK: u64 = 1_000;

impl Plan {
    pub(crate) fn new(rows: u64, expired: f64, expiry: Expiry, seed: u64) -> Self {
        let mut plan = Self { rows, expiry, seed, cart: None, first_live: (i64::MAX, u64::MAX) };
        let mut used: Vec<_> = (0..rows).map(|row| (plan.used(row).0, row)).collect();
        let expired = (rows as f64 * expired).round() as usize;
        if expired < used.len() {
            plan.first_live = *used.select_nth_unstable(expired).1;
        }
        plan
    }

    /// Makes carts of so many bytes, if that is given.
    pub(crate) fn with_carts(self, cart: Option<usize>) -> Self {
        Self { cart, ..self }
    }

    /// Hands all sessions over in the order of their creation. Every processor makes some.
    pub(crate) fn sessions(
        &self,
        secret_key: &str,
        mut take: impl FnMut(Session) -> Result<(), Box<dyn Error>>,
    ) -> Result<(), Box<dyn Error>> {
        let chunks = self.rows.div_ceil(CHUNK);
        let makers = thread::available_parallelism().map_or(1, usize::from);
        thread::scope(|scope| {
            let queues: Vec<_> = (0..makers as u64)
                .map(|first| {
                    let (queue, made) = sync_channel(2);
                    scope.spawn(move || {
                        let mut encoder = Encoder::new(secret_key);
                        for chunk in (first..chunks).step_by(makers) {
                            let rows = chunk * CHUNK..self.rows.min((chunk + 1) * CHUNK);
                            let sessions: Vec<_> =
                                rows.map(|row| self.session(row, &mut encoder)).collect();
                            // Nobody takes it after an error there.
                            if queue.send(sessions).is_err() {
                                return;
                            }
                        }
                    });
                    made
                })
                .collect();
            for chunk in 0..chunks {
                for session in queues[chunk as usize % makers].recv()? {
                    take(session)?;
                }
            }
            Ok(())
        })
    }

    /// When the session was last used, in microseconds, and the random numbers that are left.
    fn used(&self, row: u64) -> (i64, Random) {
        let mut random = Random::of_row(self.seed, row);
        let created = match self.expiry {
            Expiry::Shuffled => random.fraction(),
            Expiry::Used | Expiry::Tied => row as f64 / self.rows as f64,
        };
        let used_for = -(1.0 - random.fraction()).ln() * USE;
        ((created * PERIOD as f64 + used_for) as i64, random)
    }

    fn session(&self, row: u64, encoder: &mut Encoder) -> Session {
        let (used, mut random) = self.used(row);
        let is_live = (used, row) >= self.first_live;
        let since_reference = used - self.first_live.0;
        let saved = REFERENCE - AGE + since_reference;
        let expires = match self.expiry {
            _ if is_live => REFERENCE + since_reference + MUCH_LATER,
            Expiry::Tied => REFERENCE - DAY,
            Expiry::Used | Expiry::Shuffled => REFERENCE + since_reference,
        };
        let key = random.text(36, 32);
        let owner = self.owner(row, &mut random);
        let data = encoder.encode(
            &payload(owner, &self.cart(&mut random), &mut random),
            (saved / 1_000_000) as u64,
        );
        let expires = Timestamp::from_microsecond(expires).expect("it is in this century");
        Session { key, data, expires }
    }

    fn cart(&self, random: &mut Random) -> String {
        let articles = self.cart.map_or_else(|| random.below(6), |bytes| (bytes / 6) as u64);
        let articles: Vec<_> = (0..articles).map(|_| random.below(100_000).to_string()).collect();
        articles.join(",")
    }

    fn owner(&self, row: u64, random: &mut Random) -> Option<u64> {
        let sample = self.rows >= SAMPLES && row.is_multiple_of(self.rows / SAMPLES);
        let sample = sample && row / (self.rows / SAMPLES) < SAMPLES;
        match random.below(USERS) + 1 {
            _ if sample => Some(SAMPLE_USER),
            _ if random.below(5) == 0 => None,
            SAMPLE_USER => Some(USERS + 1),
            user => Some(user),
        }
    }
}

impl Session {
    /// As Django writes it to SQLite.
    pub(crate) fn expire_date(&self) -> String {
        self.expires.strftime("%Y-%m-%d %H:%M:%S%.6f").to_string()
    }
}

/// Half of those who logged in did so before they put anything into their cart.
fn payload(user: Option<u64>, cart: &str, random: &mut Random) -> String {
    let hash = random.text(16, 64);
    let Some(user) = user else {
        return format!(r#"{{"cart":[{cart}],"seen":{}}}"#, random.below(100));
    };
    let login = format!(
        r#""_auth_user_id":"{user}","_auth_user_backend":"django.contrib.auth.backends.ModelBackend","_auth_user_hash":"{hash}""#
    );
    if random.below(2) == 0 {
        format!(r#"{{{login},"cart":[{cart}]}}"#)
    } else {
        format!(r#"{{"cart":[{cart}],{login}}}"#)
    }
}

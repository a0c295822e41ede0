//! The ranking against a plain one, with tables of users that are far too small.

use std::time::Duration;

use django_session::Codec;

use super::*;
use crate::consent::{Ask, Consent};
use crate::engine::{Driver, Ended, Pace, Silent, Work};
use crate::error::Exit;
use crate::memory::Memory;
use crate::sessions::cache_keys::CacheKeys;
use crate::sessions::delete_until_gone::tests::in_ctx;
use crate::sessions::delete_until_gone::{Outcome, Plan};
use crate::sessions::record::Record;
use crate::sessions::removal::Removal;
use crate::sessions::survey::{Collect, SurveyOptions};
use crate::stop::Stop;

/// A generator of numbers that are the same in every run (Knuth, MMIX).
struct Numbers(u64);

impl Numbers {
    fn below(&mut self, end: u64) -> u64 {
        self.0 =
            self.0.wrapping_mul(6_364_136_223_846_793_005).wrapping_add(1_442_695_040_888_963_407);
        (self.0 >> 33) % end
    }
}

const CLASSES: [Class; 4] =
    [Class::Dated, Class::Undated, Class::UnverifiedDated, Class::UnverifiedUndated];

fn ranked(class: Class, saved: i64, expires: i64, key: &str) -> Ranked {
    Ranked { class, saved, expires, key: key.into(), is_behind: false, is_shared: false }
}

/// The keys that go, sorted, and how many more would have to.
fn settled(sessions: Vec<Ranked>, keep: usize) -> (Vec<String>, u64) {
    let Settled { beyond, unknown } = ranked::settle(sessions, keep);
    let mut keys: Vec<String> = beyond.into_iter().map(|one| one.key.into()).collect();
    keys.sort();
    (keys, unknown)
}

#[test]
fn the_newest_by_save_then_expiry_then_key_stay() {
    let of = |saved, expires, key| ranked(Class::Dated, saved, expires, key);
    let all =
        vec![of(1, 9, "old"), of(2, 5, "b"), of(2, 5, "a"), of(2, 6, "late"), of(3, 0, "new")];
    let goes = |keep| settled(all.clone(), keep);
    assert_eq!(goes(1).0, ["a", "b", "late", "old"]);
    assert_eq!(goes(2).0, ["a", "b", "old"]);
    assert_eq!(goes(3).0, ["b", "old"]);
    assert_eq!(goes(5), (vec![], 0));
    assert_eq!(goes(1_000), (vec![], 0));
}

#[test]
fn without_times_the_expiry_decides_and_between_both_kinds_nothing() {
    let undated = |expires, key| ranked(Class::Undated, 0, expires, key);
    let dated = |saved, key| ranked(Class::Dated, saved, 5, key);
    let all = vec![undated(1, "u1"), undated(2, "u2"), undated(3, "u3")];
    assert_eq!(settled(all.clone(), 1), (vec!["u1".into(), "u2".into()], 0));
    let mixed = [all, vec![dated(7, "d7"), dated(8, "d8")]].concat();
    // The oldest of each kind have enough newer ones; of the two that are left one has to go.
    assert_eq!(settled(mixed.clone(), 1), (vec!["d7".into(), "u1".into(), "u2".into()], 1));
    assert_eq!(settled(mixed.clone(), 3), (vec![], 2));
    assert_eq!(settled(mixed, 5), (vec![], 0));
}

#[test]
fn what_no_key_verifies_takes_no_place_whatever_time_it_claims() {
    let forged = |saved, key| ranked(Class::UnverifiedDated, saved, i64::MAX, key);
    let mine = |saved, key| ranked(Class::Dated, saved, 5, key);
    let all = vec![forged(99, "f1"), forged(98, "f2"), mine(1, "m1"), mine(2, "m2")];
    assert_eq!(settled(all.clone(), 1).0, ["f1", "f2", "m1"]);
    assert_eq!(settled(all.clone(), 2).0, ["f1", "f2"]);
    assert_eq!(settled(all, 3).0, ["f2"]);
}

/// All keys that go of these sessions by user, and how many more would have to.
fn rank(sessions: &[(u128, Ranked)], keep: usize, most: usize) -> (Vec<String>, u64, usize, usize) {
    let mut ranking = Ranking::new(keep, most, usize::MAX);
    let (mut keys, mut passes, mut held) = (Vec::new(), 0, 0);
    loop {
        passes += 1;
        for page in sessions.chunks(100) {
            let candidate = |(user, session): &(u128, Ranked)| Candidate {
                user: *user,
                id: None,
                session: session.clone(),
            };
            ranking.add(page.iter().map(candidate).collect());
            held = held.max(ranking.users.values().map(|of| of.sessions.len()).sum());
        }
        let goes_on = ranking.end_pass();
        keys.extend(ranking.take_beyond().into_iter().filter_map(|one| one.key).map(String::from));
        if !goes_on {
            break;
        }
    }
    keys.sort();
    (keys, ranking.unknown, passes, held)
}

#[test]
fn bounded_tables_find_what_a_plain_ranking_finds() {
    let mut numbers = Numbers(1);
    for (users, count, keep) in
        [(3, 500, 1), (40, 400, 3), (2_000, 3_000, 1), (2_000, 6_000, 2), (1, 5_000, 7)]
    {
        let sessions: Vec<(u128, Ranked)> = (0..count)
            .map(|number| {
                let user = RandomUser::of(numbers.below(users));
                let class = CLASSES[usize::try_from(numbers.below(8).saturating_sub(4)).unwrap()];
                let saved = if matches!(class, Class::Dated | Class::UnverifiedDated) {
                    i64::try_from(numbers.below(50)).unwrap()
                } else {
                    0
                };
                let expires = i64::try_from(numbers.below(3)).unwrap();
                (user, ranked(class, saved, expires, &format!("{number:05}")))
            })
            .collect();
        let mut by_user: HashMap<u128, Vec<Ranked>> = HashMap::new();
        for (user, session) in &sessions {
            by_user.entry(*user).or_default().push(session.clone());
        }
        let (mut expected, mut unknown) = (Vec::new(), 0);
        for of_user in by_user.into_values() {
            let (keys, more) = settled(of_user, keep);
            expected.extend(keys);
            unknown += more;
        }
        expected.sort();
        for most in [1, 100, 1_000, 1_000_000] {
            let (keys, more, passes, held) = rank(&sessions, keep, most);
            let what = format!("{users} users, {count} sessions, keep {keep}, most {most}");
            assert_eq!(keys, expected, "{what}");
            assert_eq!(more, unknown, "{what}");
            assert!(passes > 1 || most >= 1_000 || users < 50, "{what}: {passes} passes");
            assert!(most == 1_000_000 || held <= most.max(least(keep)), "{what}: {held} held");
        }
    }
}

/// Hashes of users, the same in every run.
struct RandomUser;

impl RandomUser {
    fn of(number: u64) -> u128 {
        u128::from(number).wrapping_mul(0x2d99_787d_e5c1_9f3d_4b5c_9a3f_1e8d_7c65_u128 | 1)
            ^ (u128::from(number) << 77)
    }
}

/// Of many users few have many sessions: the first pass shows which, so that the second ranks only these.
#[test]
fn many_users_take_few_passes() {
    let mut sessions: Vec<(u128, Ranked)> = Vec::new();
    let hasher = RandomState::new();
    let user = |number: u64| {
        (u128::from(hasher.hash_one((number, 0))) << 64) | u128::from(hasher.hash_one((number, 1)))
    };
    for number in 0..200_000 {
        sessions.push((user(number), ranked(Class::Dated, 1, 1, &format!("{number:06}-a"))));
        if number % 1_000 == 0 {
            sessions.push((user(number), ranked(Class::Dated, 2, 1, &format!("{number:06}-b"))));
        }
    }
    let (keys, _, passes, held) = rank(&sessions, 1, 10_000);
    assert_eq!(keys.len(), 200);
    assert!(keys.iter().all(|key| key.ends_with("-a")), "the older ones");
    assert!(passes <= 3, "{passes} passes");
    assert!(held <= 10_000, "{held}");
}

const DIGITS: &[u8] = b"ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789-_";

/// The session of a user as Django stores it, but for the signature.
fn stored(user: usize) -> String {
    // A multiple of three bytes, so that there is no padding.
    let payload = format!(r#"{{"_auth_user_id":"{user:010}"}}"#);
    let mut text = String::new();
    for three in payload.as_bytes().chunks(3) {
        let bits = three.iter().fold(0_usize, |bits, byte| (bits << 8) | usize::from(*byte));
        for digit in (0..4).rev() {
            text.push(char::from(DIGITS[(bits >> (6 * digit)) & 63]));
        }
    }
    text + ":1r31eq:9-lDUIrMk3uksYsP0muww_qFLG4nfE8KOVaI6XN_feI"
}

/// The table of users has room for 500 sessions, and one scan collects 1,000 keys.
#[test]
fn more_users_than_fit_into_memory_and_more_sessions_than_one_scan_collects() {
    let memory = Memory::default();
    let (mut newest, users) = (Vec::new(), 2_100);
    for user in 0..users {
        for number in 0..=(user % 3) {
            let key = format!("{:07}", (user * 7_919 + number * 31) % 9_999_991);
            let expires = i64::try_from(3_900_000_000 + number * 10).unwrap();
            memory.insert(
                &key,
                &stored(user),
                Expiry::At(Timestamp::from_seconds(expires).unwrap()),
            );
            if number == user % 3 {
                newest.push(key);
            }
        }
    }
    newest.sort();
    assert_eq!(memory.keys().len(), 2 * users);
    let nobody = UserIds::default();
    let (codec, stop) = (Codec::default(), Stop::default());
    in_ctx(&codec, &stop, &Silent, |ctx| {
        let query = SessionQuery {
            newest: Newest::of(Some(1)),
            ..SessionQuery::of(UserFilter::AllBut(&nobody))
        };
        let options = |query, collect| SurveyOptions {
            query,
            by_user: None,
            skim: false,
            collect,
            key_is_right: false,
        };
        let store = &memory;
        let found = options(query, Collect::CountOnly).run(ctx, &store).unwrap();
        let expected = u64::try_from(users).unwrap();
        assert_eq!((found.matches.matched, found.tally.scanned), (expected, 2 * expected));
        assert_eq!((found.kinds.logins, found.ended), (expected, Ended::Whole));
        assert_eq!(found.preview().len(), 20);
        let plan = Plan {
            store: &store,
            first: options(query, Collect::Keys),
            proof: Some(options(query.proving(), Collect::Keys)),
            settle: Duration::ZERO,
            removal: Removal::Delete,
            record: Record { audit: None, cache: &CacheKeys::None },
            emptied: false,
            doubts_no_login: true,
        };
        let consent = Consent::from_ask(Ask::Explicit).unwrap();
        let (pace, progress) = (Pace::default(), ctx.progress);
        let mut driver = Driver::new(Work { store: &store, consent, stop: &stop, pace, progress });
        let outcome = Outcome::run(ctx, &plan, Some(&mut driver)).unwrap();
        assert_eq!((outcome.deleted, outcome.remaining), (expected, Some(0)));
        assert_eq!((outcome.matches.matched, outcome.exit()), (expected, Exit::Done));
    });
    assert_eq!(memory.keys(), newest);
}

//! What decoding a row costs, stage by stage, on one core and beside the fastest libraries for the same payloads:
//!
//! ```text
//! cargo bench --bench decode
//! cargo bench --bench decode -- --rows 20000 --rounds 31
//! ```
//!
//! The yardstick, bare, is base64-simd and libdeflate on the payloads alone: nothing is split off, nothing is read in
//! what they give. Each stage is what sessctl takes up to there. All take their turn in each round; ratios are made
//! in each round, and all figures are medians.

#![allow(
    missing_docs,
    clippy::doc_markdown,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::cast_possible_truncation,
    clippy::cast_precision_loss,
    clippy::cast_sign_loss,
    clippy::print_stdout,
    dead_code,
    reason = "it measures, prints what it measured, and may panic; of the generator it wants only a part"
)]

#[path = "../generate/encoder.rs"]
mod encoder;
#[path = "../generate/plan.rs"]
mod plan;
#[path = "../generate/random.rs"]
mod random;

use std::hint::black_box;
use std::time::Instant;

use clap::Parser;
use django_session::{Codec, DEFAULT_KEY_SALT, Decoder, Keyring, UserIds};
use libdeflater::Decompressor;
use sessctl::model::Signature;

use crate::encoder::Encoder;
use crate::plan::{Expiry, Plan};
use crate::random::Random;

const SECRET_KEY: &str = "only-of-benchmarks";
/// What one payload of the bench inflates to at most.
const LARGEST: usize = 1 << 20;

/// Time the decoding of rows as benches/generate makes them, and of large ones.
#[derive(Parser)]
struct Args {
    /// How many rows.
    #[arg(long, default_value_t = 20_000)]
    rows: u64,
    /// How many large ones.
    #[arg(long, default_value_t = 40)]
    large: u64,
    /// How often each stage has its turn.
    #[arg(long, default_value_t = 21)]
    rounds: usize,
    /// Other sessions for another number.
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// One stage alone, named as in the table, and no ratios: for a profiler.
    #[arg(long)]
    only: Option<String>,
    /// What cargo says to every benchmark.
    #[arg(long, hide = true)]
    bench: bool,
}

fn main() {
    let args = Args::parse();
    let plan = Plan::new(args.rows, 0.3, Expiry::Used, args.seed);
    let mut typical = Vec::new();
    plan.sessions(SECRET_KEY, |session| {
        typical.push(session.data);
        Ok(())
    })
    .expect("taking them cannot fail");
    measure("typical sessions", &typical, &args);
    let mut encoder = Encoder::new(SECRET_KEY);
    let large: Vec<_> =
        (0..args.large).map(|row| encoder.encode(&cart(args.seed, row), 1_700_000_000)).collect();
    if !large.is_empty() {
        measure("sessions of 200 KB", &large, &args);
    }
}

/// What the first look of `logout-user` does: no stage of the others.
const LEFT_EARLY: &str = "logins of others left early";

/// A login with a cart of about 200 KB, before or behind it.
fn cart(seed: u64, row: u64) -> String {
    let mut random = Random::of_row(seed, row);
    let mut items = Vec::new();
    for _ in 0..2_000 {
        let (product, count) = (random.below(100_000), random.below(9) + 1);
        let (cents, note) = (random.below(100_000), random.text(36, 20));
        items.push(format!(
            r#"{{"product_id":{product},"quantity":{count},"price":"{}.{:02}","note":"{note}","gift":false}}"#,
            cents / 100,
            cents % 100,
        ));
    }
    let cart = format!(r#""cart":[{}]"#, items.join(","));
    let login = format!(
        r#""_auth_user_id":"{}","_auth_user_backend":"django.contrib.auth.backends.ModelBackend","_auth_user_hash":"{}""#,
        random.below(200_000),
        random.text(16, 64)
    );
    if row.is_multiple_of(2) {
        format!("{{{login},{cart}}}")
    } else {
        format!("{{{cart},{login}}}")
    }
}

/// What a stage does with all rows once.
type Stage<'a> = (&'static str, Box<dyn FnMut() + 'a>);

fn measure(title: &str, rows: &[String], args: &Args) {
    // Without its dot a compressed payload is read up to its base64, and then taken for no serializer's.
    let undotted: Vec<_> = rows.iter().map(|row| row.trim_start_matches('.')).collect();
    let codec = Codec { keyring: Keyring::new([SECRET_KEY], DEFAULT_KEY_SALT), ..Codec::default() };
    let wanted: UserIds = ["42"].into_iter().collect();
    let mut bare = Bare::new();
    let mut decoders: Vec<_> = (0..6).map(|_| Decoder::new(&codec)).collect();
    let [base64, inflated, read, compared, checked, left] = &mut decoders[..] else {
        unreachable!()
    };
    let mut stages: [Stage<'_>; 7] = [
        ("bare", Box::new(|| rows.iter().for_each(|row| bare.decode(row)))),
        (
            "layout, base64",
            Box::new(|| {
                for row in &undotted {
                    let _ = black_box(base64.decode(row).payload());
                }
            }),
        ),
        (
            "inflate",
            Box::new(|| {
                for row in rows {
                    black_box(inflated.decode(row).payload().expect("it is whole"));
                }
            }),
        ),
        (
            "JSON",
            Box::new(|| {
                for row in rows {
                    black_box(read.decode(row).auth().expect("it is whole"));
                }
            }),
        ),
        (
            "is it the user",
            Box::new(|| {
                for row in rows {
                    let auth = compared.decode(row).auth().expect("it is whole");
                    black_box(auth.user_id.is_some_and(|id| wanted.contains(&id)));
                }
            }),
        ),
        (
            "signature",
            Box::new(|| {
                for row in rows {
                    let session = checked.decode(row);
                    let auth = session.auth().expect("it is whole");
                    black_box(auth.user_id.is_some_and(|id| wanted.contains(&id)));
                    assert_eq!(session.signature(), Signature::Valid);
                }
            }),
        ),
        (
            LEFT_EARLY,
            Box::new(|| {
                for row in rows {
                    let session = left.decode_unless(row, |id| !wanted.contains(id));
                    black_box(session.and_then(|session| session.auth().ok()?.user_id));
                }
            }),
        ),
    ];
    if let Some(only) = &args.only {
        for (_, run) in stages.iter_mut().filter(|(name, _)| name == only) {
            (0..args.rounds).for_each(|_| run());
        }
        return;
    }
    let times = in_turn(&mut stages, args.rounds);
    let stored = rows.iter().map(String::len).sum::<usize>() / rows.len();
    println!("\n{} {title}, {stored} bytes stored, median of {} rounds\n", rows.len(), args.rounds);
    println!("| up to | ns a row | of which the stage | to bare base64 and libdeflate |");
    println!("|---|---|---|---|");
    let per_row = |time: f64| time / rows.len() as f64;
    for (at, (name, _)) in stages.iter().enumerate() {
        let ratios = times[at].iter().zip(&times[0]).map(|(time, bare)| time / bare);
        let step = match at {
            0 => String::new(),
            _ if *name == LEFT_EARLY => String::new(),
            1 => format!("{:.0}", per_row(median(times[1].iter().copied()))),
            _ => {
                let steps = times[at].iter().zip(&times[at - 1]).map(|(time, last)| time - last);
                format!("{:.0}", per_row(median(steps)))
            }
        };
        println!(
            "| {name} | {:.0} | {step} | {:.2}x |",
            per_row(median(times[at].iter().copied())),
            median(ratios)
        );
    }
}

/// Nanoseconds of each stage in each round, after one that does not count.
fn in_turn(stages: &mut [Stage<'_>], rounds: usize) -> Vec<Vec<f64>> {
    let mut times = vec![Vec::new(); stages.len()];
    for round in 0..=rounds {
        for ((_, run), times) in stages.iter_mut().zip(&mut times) {
            let start = Instant::now();
            run();
            if round > 0 {
                times.push(start.elapsed().as_nanos() as f64);
            }
        }
    }
    times
}

fn median(values: impl Iterator<Item = f64>) -> f64 {
    let mut values: Vec<_> = values.collect();
    values.sort_by(f64::total_cmp);
    values[values.len() / 2]
}

/// The yardstick.
struct Bare {
    inflater: Decompressor,
    bytes: Vec<u8>,
    payload: Vec<u8>,
}

impl Bare {
    fn new() -> Self {
        Self { inflater: Decompressor::new(), bytes: vec![0; LARGEST], payload: vec![0; LARGEST] }
    }

    fn decode(&mut self, row: &str) {
        let compressed = row.strip_prefix('.');
        let text = compressed.unwrap_or(row).as_bytes();
        let text = &text[..text.iter().position(|byte| *byte == b':').expect("a save time")];
        let out = base64_simd::Out::from_slice(&mut self.bytes);
        let bytes = base64_simd::URL_SAFE_NO_PAD.decode(text, out).expect("it is base64");
        if compressed.is_some() {
            let payload = self.inflater.zlib_decompress(bytes, &mut self.payload);
            black_box(payload.expect("it is zlib"));
        }
        black_box(&self.payload);
    }
}

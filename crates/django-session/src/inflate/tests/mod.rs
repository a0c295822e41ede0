//! Whatever is accepted here, flate2 gives the same bytes for it, and what it does not accept is not accepted here.

mod streams;

use flate2::{Compress, Compression, Decompress, FlushCompress, FlushDecompress, Status};

use super::super::zlib::{self, Inflater};
use super::*;
use streams::{Random, stream};

/// More than anything here inflates to.
const ROOM: usize = 1 << 20;

/// How many streams each test makes: `SESSCTL_TEST_STREAMS`, for a long run, or as many as take a second or two.
fn count(default: u64) -> u64 {
    match std::env::var("SESSCTL_TEST_STREAMS") {
        Ok(count) => count.parse().unwrap(),
        Err(_) => default,
    }
}

/// What flate2 makes of a stream, and how many bytes that takes; `None` if it is broken or cut short.
fn reference(data: &[u8], with_header: bool) -> Option<(Vec<u8>, usize)> {
    let mut decompress = Decompress::new(with_header);
    let mut out = Vec::with_capacity(ROOM);
    match decompress.decompress_vec(data, &mut out, FlushDecompress::Finish) {
        Ok(Status::StreamEnd) => Some((out, usize::try_from(decompress.total_in()).unwrap())),
        Ok(_) => {
            assert!(out.len() < ROOM);
            None
        }
        Err(_) => None,
    }
}

/// The fast way, alone and as a part of the whole, beside flate2.
struct Both {
    fast: Inflate,
    out: Vec<u8>,
    whole: Inflater,
    accepted: u64,
    refused: u64,
}

impl Both {
    fn new() -> Self {
        let (fast, whole) = (Inflate::new(), Inflater::new());
        Self { fast, out: Vec::new(), whole, accepted: 0, refused: 0 }
    }

    /// A stream without header and checksum, so that no checksum hides what was read wrong. Once the blocks agree, the
    /// same with both.
    fn compare_raw(&mut self, raw: &[u8]) {
        let expected = reference(raw, false);
        let len = whole(self.fast.blocks(&mut Bits::new(raw), &mut self.out, ROOM, |_| false));
        let Some((expected, end)) = expected else {
            assert_eq!(len, None, "flate2 refuses {raw:02x?}");
            self.refused += 1;
            return;
        };
        if let Some(len) = len {
            assert!(self.out[..len] == expected, "{raw:02x?}");
            self.accepted += 1;
        }
        let sum = adler32(1, &expected).to_be_bytes();
        let zlib = [&[0x78, 0x9c], &raw[..end], &sum, b"more"].concat();
        assert_eq!(self.compare(&zlib), len.is_some(), "{raw:02x?}");
        assert!(!self.compare(&zlib[..end + 5]), "a byte of the checksum is missing: {raw:02x?}");
    }

    /// A whole stream; says whether it was accepted.
    fn compare(&mut self, zlib: &[u8]) -> bool {
        let expected = reference(zlib, true).map(|(bytes, _)| bytes);
        let shown = |beginning: &[u8]| {
            assert!(
                expected.as_ref().is_none_or(|whole| whole.starts_with(beginning)),
                "{zlib:02x?}"
            );
            false
        };
        let len = whole(self.fast.inflate(zlib, &mut self.out, ROOM, shown));
        if let Some(len) = len {
            assert_eq!(Some(&self.out[..len]), expected.as_deref(), "{zlib:02x?}");
        }
        let inflated = match self.whole.inflate(zlib, &mut self.out, false, ROOM, |_| false) {
            Ok(zlib::Inflated::Whole(len)) => Some(&self.out[..len]),
            Ok(zlib::Inflated::Beginning(_) | zlib::Inflated::Enough) => {
                unreachable!("all are within the limit, and nothing was enough")
            }
            Err(_) => None,
        };
        assert_eq!(inflated, expected.as_deref(), "{zlib:02x?}");
        len.is_some()
    }
}

fn whole(inflated: Option<Inflated>) -> Option<usize> {
    inflated.map(|inflated| match inflated {
        Inflated::Whole(len) => len,
        Inflated::Enough => unreachable!("nothing was enough"),
    })
}

/// Text somewhat as sessions are, of any length.
fn text(random: &mut Random, len: usize) -> Vec<u8> {
    let words =
        ["_auth_user_id", "django.contrib.auth.backends", "{\"", "\":\"", "\",\"", "0", "a"];
    let letters = 1 + random.below(256);
    let mut text = Vec::new();
    while text.len() < len {
        if random.once_in(4) {
            text.extend_from_slice(words[random.below(words.len())].as_bytes());
        } else {
            text.push(random.below(letters) as u8);
        }
    }
    text.truncate(len);
    text
}

fn deflate(text: &[u8], level: u32) -> Vec<u8> {
    let mut zlib = Vec::with_capacity(text.len() + 1_000);
    let mut compress = Compress::new(Compression::new(level), true);
    compress.compress_vec(text, &mut zlib, FlushCompress::Finish).unwrap();
    zlib
}

/// By another compressor, which chooses other codes.
fn deflate_otherwise(text: &[u8], level: i32) -> Vec<u8> {
    let level = libdeflater::CompressionLvl::new(level).unwrap();
    let mut zlib = vec![0; text.len() + 1_000];
    let len = libdeflater::Compressor::new(level).zlib_compress(text, &mut zlib).unwrap();
    zlib.truncate(len);
    zlib
}

#[test]
fn streams_of_any_codes_are_read_as_flate2_reads_them() {
    let mut both = Both::new();
    let streams = count(8_000);
    for seed in 0..streams {
        both.compare_raw(&stream(&mut Random(seed)));
    }
    assert!(both.accepted > streams / 3, "{} of {streams}", both.accepted);
    assert!(both.refused > streams / 10, "{} of {streams}", both.refused);
}

#[test]
fn what_compressors_write_is_read_and_what_is_damaged_is_not() {
    let mut both = Both::new();
    let mut undamaged = 0;
    let streams = count(1_500);
    for seed in 0..streams {
        let random = &mut Random(seed);
        let len = if random.once_in(50) { random.below(65_536) } else { random.below(600) };
        let text = text(random, len);
        let mut zlib = deflate(&text, random.below(10) as u32);
        if random.once_in(4) {
            zlib = deflate_otherwise(&text, i32::try_from(random.below(13)).unwrap());
        }
        undamaged += u64::from(both.compare(&zlib));
        both.compare(&[&zlib[..], b"more"].concat());
        both.compare(&zlib[..random.below(zlib.len())]);
        both.compare_raw(&zlib[2..]);
        for _ in 0..4 {
            let mut damaged = zlib.clone();
            for _ in 0..=random.below(3) {
                let most = if random.once_in(2) { 60 } else { ROOM };
                let at = random.below(damaged.len().min(most));
                damaged[at] ^= 1 << random.below(8);
            }
            both.compare(&damaged);
            both.compare_raw(&damaged[2..]);
        }
    }
    // The rest are stored, or in a header of another window.
    assert!(undamaged > streams / 2, "{undamaged} of {streams}");
}

#[test]
fn what_django_writes_is_read_without_zlib() {
    let mut both = Both::new();
    for seed in 0..300 {
        let random = &mut Random(seed);
        let digit = |_| char::from(b"0123456789abcdef"[random.below(16)]);
        let hash: String = (0..64).map(digit).collect();
        let session = format!(
            r#"{{"cart":{:?},"_auth_user_id":"{seed}","_auth_user_backend":"django.contrib.auth.backends.ModelBackend","_auth_user_hash":"{hash}"}}"#,
            vec![random.below(1_000); random.below(if seed % 30 == 0 { 20_000 } else { 6 })],
        );
        assert!(both.compare(&deflate(session.as_bytes(), 6)), "{session}");
    }
}

#[test]
fn the_limit_is_exact() {
    let (mut fast, mut out) = (Inflate::new(), Vec::new());
    for len in [1, 2, 257, 258, 300, 8_191, 8_192, 8_193, 70_000] {
        let text = text(&mut Random(len), len as usize);
        let zlib = deflate(&text, 9);
        assert_eq!(whole(fast.inflate(&zlib, &mut out, text.len(), |_| false)), Some(text.len()));
        assert_eq!(&out[..text.len()], &text[..]);
        assert_eq!(fast.inflate(&zlib, &mut out, text.len() - 1, |_| false), None);
    }
}

//! The primary key of a site's users, and which spellings of an id it reads as the same user.

use super::spelling::{canonical, uuid_digits};

/// The primary key of the table of users, by which Django reads the id in a session (`Field.to_python`) and the database
/// finds the user.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum IdField {
    /// Text, which is taken as it stands.
    #[default]
    Text,
    /// Not known. An id is compared as it stands, and may also be a number or a UUID in another spelling.
    Unknown,
    /// Text that the database compares in either case.
    AnyCase,
    /// Text that the database pads with blanks to its length, and compares without them.
    Padded,
    /// An integer. Django reads it with Python's `int()`, to which ` 42`, `042`, `+42` and `4_2` are 42.
    Integer,
    /// A UUID. Django reads a text with Python's `uuid.UUID()`, which drops `urn:`, `uuid:`, braces and all hyphens, and a
    /// number as the 128 bits of one.
    Uuid,
}

impl IdField {
    /// The id as Django spells it, if it is a text that is spelled otherwise and that Django reads.
    pub fn read(self, user_id: &str) -> Option<String> {
        match self {
            Self::Text | Self::Unknown | Self::AnyCase | Self::Padded => None,
            Self::Integer if is_plain(user_id) => None,
            Self::Integer => read_integer(user_id),
            Self::Uuid if uuid_digits(user_id).is_some() => None,
            Self::Uuid => read_uuid(user_id),
        }
    }

    /// Whether such a key can hold the id, however it is spelled.
    pub fn holds(self, user_id: &str) -> bool {
        match self {
            Self::Text | Self::Unknown | Self::AnyCase | Self::Padded => true,
            Self::Integer => is_plain(user_id) || self.read(user_id).is_some(),
            Self::Uuid => uuid_digits(user_id).is_some() || self.read(user_id).is_some(),
        }
    }

    /// What Django and the database may make of an id in a session, if it can be another one than stands there.
    pub(super) fn readings(self, user_id: &str) -> impl Iterator<Item = String> {
        let all = match self {
            Self::Unknown => [
                Self::Integer.reading(user_id),
                Self::Uuid.reading(user_id),
                Some(canonical(user_id).into_owned()),
            ],
            key => [key.reading(user_id), None, None],
        };
        all.into_iter().flatten()
    }

    fn reading(self, user_id: &str) -> Option<String> {
        match self {
            // A number, which is a text here.
            Self::Uuid if is_plain(user_id) => {
                user_id.parse::<u128>().ok().map(|number| format!("{number:032x}"))
            }
            Self::Integer | Self::Uuid => self.read(user_id),
            Self::Text | Self::Unknown => None,
            Self::AnyCase => Some(user_id.to_lowercase()),
            Self::Padded => Some(user_id.trim_end_matches(' ').into()),
        }
    }

    /// An id that was asked for, in the spellings in which [`readings`](Self::readings) has it.
    pub(super) fn compared(self, user_id: &str) -> impl Iterator<Item = String> {
        let as_it_stands = || Some(canonical(user_id).into_owned());
        let all = match self {
            Self::Text => [None, None, None],
            Self::AnyCase | Self::Padded => [self.reading(user_id), None, None],
            Self::Integer | Self::Uuid => [as_it_stands(), None, None],
            Self::Unknown => {
                [as_it_stands(), Self::Integer.read(user_id), Self::Uuid.read(user_id)]
            }
        };
        all.into_iter().flatten()
    }
}

/// As Python's `int()` reads a text: blanks around it, a sign, digits of any alphabet and underscores between them.
fn read_integer(text: &str) -> Option<String> {
    let (is_negative, digits) = digits(text.trim(), 10)?;
    let digits = digits.trim_start_matches('0');
    Some(match digits {
        "" => "0".into(),
        digits if is_negative => format!("-{digits}"),
        digits => digits.into(),
    })
}

/// Whether a text is an integer as Python writes one.
fn is_plain(text: &str) -> bool {
    let digits = text.strip_prefix('-').unwrap_or(text).as_bytes();
    match digits {
        [] => false,
        [b'0'] => text.len() == 1,
        [first, ..] => *first != b'0' && digits.iter().all(u8::is_ascii_digit),
    }
}

/// As Python's `uuid.UUID()` reads a text.
fn read_uuid(text: &str) -> Option<String> {
    let bare = text.replace("urn:", "").replace("uuid:", "");
    let bare = bare.trim_matches(['{', '}']).replace('-', "");
    if bare.chars().count() != 32 {
        return None;
    }
    // What is left goes through `int(text, 16)`.
    let trimmed = bare.trim();
    let prefix = ["0x", "0X"].into_iter().find_map(|prefix| {
        let unsigned = trimmed.strip_prefix('+').unwrap_or(trimmed);
        unsigned.strip_prefix(prefix).map(|rest| rest.strip_prefix('_').unwrap_or(rest))
    });
    let (_, digits) = digits(prefix.unwrap_or(trimmed), 16)?;
    let number = u128::from_str_radix(&digits, 16).ok()?;
    Some(format!("{number:032x}"))
}

/// A sign, and digits with single underscores between them: whether the sign is a minus, and the digits in ASCII.
fn digits(text: &str, radix: u32) -> Option<(bool, String)> {
    let unsigned = text.strip_prefix(['-', '+']).unwrap_or(text);
    if unsigned.starts_with('_') || unsigned.ends_with('_') || unsigned.contains("__") {
        return None;
    }
    let plain = |digit: char| digit.to_digit(radix).or_else(|| decimal(digit));
    let digits = unsigned.chars().filter(|digit| *digit != '_').map(plain);
    let digits = digits.map(|digit| char::from_digit(digit?, radix)).collect::<Option<String>>()?;
    (!digits.is_empty()).then(|| (text.starts_with('-'), digits))
}

/// The zeros of the alphabets that have decimal digits, each followed by its nine others (Unicode 17, category Nd).
const ZEROS: [u32; 76] = [
    0x30,
    0x660,
    0x6f0,
    0x7c0,
    0x966,
    0x9e6,
    0xa66,
    0xae6,
    0xb66,
    0xbe6,
    0xc66,
    0xce6,
    0xd66,
    0xde6,
    0xe50,
    0xed0,
    0xf20,
    0x1040,
    0x1090,
    0x17e0,
    0x1810,
    0x1946,
    0x19d0,
    0x1a80,
    0x1a90,
    0x1b50,
    0x1bb0,
    0x1c40,
    0x1c50,
    0xa620,
    0xa8d0,
    0xa900,
    0xa9d0,
    0xa9f0,
    0xaa50,
    0xabf0,
    0xff10,
    0x0001_04a0,
    0x0001_0d30,
    0x0001_0d40,
    0x0001_1066,
    0x0001_10f0,
    0x0001_1136,
    0x0001_11d0,
    0x0001_12f0,
    0x0001_1450,
    0x0001_14d0,
    0x0001_1650,
    0x0001_16c0,
    0x0001_16d0,
    0x0001_16da,
    0x0001_1730,
    0x0001_18e0,
    0x0001_1950,
    0x0001_1bf0,
    0x0001_1c50,
    0x0001_1d50,
    0x0001_1da0,
    0x0001_1de0,
    0x0001_1f50,
    0x0001_6a60,
    0x0001_6ac0,
    0x0001_6b50,
    0x0001_6d70,
    0x0001_ccf0,
    0x0001_d7ce,
    0x0001_d7d8,
    0x0001_d7e2,
    0x0001_d7ec,
    0x0001_d7f6,
    0x0001_e140,
    0x0001_e2f0,
    0x0001_e4f0,
    0x0001_e5f1,
    0x0001_e950,
    0x0001_fbf0,
];

/// What a decimal digit of any alphabet stands for.
fn decimal(digit: char) -> Option<u32> {
    let code = u32::from(digit);
    let zero = ZEROS.partition_point(|zero| *zero <= code).checked_sub(1)?;
    ZEROS.get(zero).map(|zero| code - zero).filter(|digit| *digit < 10)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn digits_of_all_alphabets_are_in_runs_of_ten() {
        assert!(ZEROS.is_sorted());
        for (text, read) in [("٤٢", "42"), ("４2", "42"), ("-𝟘𝟟", "-7"), (" ०४_२\u{3000}", "42")]
        {
            assert_eq!(IdField::Integer.read(text).as_deref(), Some(read), "{text}");
        }
        for none in ["²", "½", "四", "٤ ٢", "\u{1f}٤", "0x2a", "٤.٢"] {
            assert_eq!(IdField::Integer.read(none), None, "{none}");
        }
    }

    /// What CPython 3.11 makes of these.
    #[test]
    fn a_uuid_is_read_as_python_reads_it() {
        let zeros = |digits: &str| format!("{digits:0>32}");
        for (text, read) in [
            (format!("0x{:0>30}", "7"), zeros("7")),
            ("٧".repeat(32), "7".repeat(32)),
            (format!("{:0>15}_{:0>16}", "", "f"), zeros("f")),
            (format!("{:>32}", "7"), zeros("7")),
            (format!("+{:0>31}", "7"), zeros("7")),
            (format!("0_{}", "1".repeat(30)), zeros(&"1".repeat(30))),
            (format!("0X_{:0>29}", "7"), zeros("7")),
            (format!("{{urn:uuid:{}}}", "A".repeat(32)), "a".repeat(32)),
        ] {
            assert_eq!(IdField::Uuid.read(&text), Some(read), "{text}");
        }
        for none in [format!("\u{1f}{:0>31}", "7"), format!("{:0>31}_", ""), "7".into()] {
            assert_eq!(IdField::Uuid.read(&none), None, "{none}");
        }
    }
}

//! Parses the names of time zones in options, and refuses POSIX names, whose sign means the opposite of what people expect.

use jiff::tz::TimeZone;

use crate::error::Error;

/// The time zone that an option names: by its IANA name (`UTC`, `Europe/Berlin`) or as an offset (`+05:30`).
///
/// POSIX names such as `UTC+3` are refused: that is a clock 3 hours behind UTC, and hardly anybody who writes it means that.
pub fn zone(option: &str, name: &str) -> Result<TimeZone, Error> {
    let is_offset = name.starts_with(['+', '-']);
    let posix = || jiff::fmt::temporal::DateTimeParser::new().parse_time_zone(name);
    match TimeZone::get(name).ok().or_else(|| fixed(name)) {
        Some(zone) if !zone.is_unknown() => Ok(zone),
        _ if !is_offset && posix().is_ok_and(|zone| !zone.is_unknown()) => Err(Error::usage(
            format!("{option}: \"{name}\" is a time zone of POSIX, where signs mean the opposite"),
            posix_hint(name),
        )),
        _ => Err(Error::usage(
            format!("{option}: \"{name}\" is not a time zone"),
            "give a name such as UTC or Europe/Berlin, or an offset such as +05:30",
        )),
    }
}

/// A note for a name whose sign means the opposite of what most people expect.
pub fn note(option: &str, name: &str) -> Option<String> {
    let sign = name.to_ascii_uppercase().strip_prefix("ETC/GMT")?.chars().next()?;
    let hours = name.get("Etc/GMT+".len()..)?;
    let hours: u8 = hours.parse().ok().filter(|hours| *hours > 0)?;
    let (offset, where_to) = if sign == '-' { ('+', "ahead of") } else { ('-', "behind") };
    Some(format!(
        "{option}: {name} is {hours} hours {where_to} UTC ({offset}{hours:02}:00): the signs of these names mean the opposite"
    ))
}

/// An offset such as `+05:30`. No clock on earth is further ahead than 14 hours.
fn fixed(name: &str) -> Option<TimeZone> {
    if !name.starts_with(['+', '-']) {
        return None;
    }
    let zone = jiff::fmt::temporal::DateTimeParser::new().parse_time_zone(name).ok()?;
    let offset = zone.to_fixed_offset().ok()?;
    (offset.seconds().abs() <= 14 * 3_600).then_some(zone)
}

/// A hint with clear spellings of both clocks that `UTC+3` may mean.
fn posix_hint(name: &str) -> String {
    let offset = name.find(['+', '-']).and_then(|at| name.get(at + 1..)).unwrap_or_default();
    let (hours, minutes) = offset.split_once(':').unwrap_or((offset, "00"));
    let number = |text: &str, most: u8| text.parse::<u8>().ok().filter(|number| *number <= most);
    let (Some(hours), Some(minutes)) = (number(hours, 14), number(minutes, 59)) else {
        return "write an IANA name such as America/New_York, or an offset such as -05:00".into();
    };
    let named = |sign: char| match minutes {
        0 if hours > 0 => format!(" or Etc/GMT{sign}{hours}"),
        _ => String::new(),
    };
    // IANA has a name for each whole hour that some clock keeps: up to 12 behind UTC.
    let behind = if hours <= 12 { named('+') } else { String::new() };
    format!(
        "write +{hours:02}:{minutes:02}{} for a clock that is that far ahead of UTC, \
         -{hours:02}:{minutes:02}{behind} for one that is as far behind",
        named('-')
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones_of_posix_are_refused_with_what_is_clear() {
        for name in
            ["UTC+3", "GMT-3", "utc-03", "EST5", "<+03>-3", "EST5EDT,M3.2.0,M11.1.0", "MSK-3"]
        {
            let error = zone("--timezone", name).unwrap_err();
            assert!(error.to_string().contains("POSIX"), "{name}: {error}");
        }
        for (name, hint) in [
            (
                "UTC+3",
                "write +03:00 or Etc/GMT-3 for a clock that is that far ahead of UTC, -03:00 or Etc/GMT+3 for",
            ),
            (
                "GMT-14:00",
                "write +14:00 or Etc/GMT-14 for a clock that is that far ahead of UTC, -14:00 for",
            ),
            ("IST-5:30", "write +05:30 for a clock that is that far ahead of UTC, -05:30 for"),
            ("EST5", "write an IANA name"),
        ] {
            assert!(posix_hint(name).starts_with(hint), "{}", posix_hint(name));
        }
        for name in
            ["Mars/Olympus", "", " ", "UTC ", "3", "Etc/Unknown", "+99:00", "+25:00", "-14:01", "+"]
        {
            let error = zone("--timezone", name).unwrap_err();
            assert!(error.to_string().contains("is not a time zone"), "{name}: {error}");
        }
    }

    #[test]
    fn names_of_iana_and_offsets_are_taken() {
        for name in
            ["UTC", "Europe/Berlin", "EST5EDT", "Etc/GMT+3", "+05:30", "-03:00", "GMT0", "Z"]
        {
            assert_eq!(zone("--timezone", name).is_ok(), name != "Z", "{name}");
        }
        let note = |name| note("--db-timezone", name);
        assert!(note("Etc/GMT+3").unwrap().contains("3 hours behind UTC (-03:00)"));
        assert!(note("etc/gmt-14").unwrap().contains("14 hours ahead of UTC (+14:00)"));
        for name in ["UTC", "Etc/GMT", "Etc/GMT0", "Etc/GMT+0", "Europe/Berlin", "+03:00"] {
            assert_eq!(note(name), None);
        }
    }
}

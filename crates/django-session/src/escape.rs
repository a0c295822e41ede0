//! Which characters are not shown as they are.

/// Whether a character could steer a terminal, reorder what it shows, or not be seen there at all: then two users would
/// look alike (Unicode Standard Annex #9; Unicode Technical Report #36; CVE-2021-42574). The one blank that is shown as
/// it is is the space.
pub fn needs_escape(c: char) -> bool {
    if c < '\u{a0}' {
        return c.is_control();
    }
    let after = HIDDEN.partition_point(|(_, last)| *last < c);
    HIDDEN.get(after).is_some_and(|(first, _)| *first <= c) || u32::from(c) & 0xfffe == 0xfffe
}

/// First and last of each range, in order. `Default_Ignorable_Code_Point` (Unicode 17.0, DerivedCoreProperties.txt),
/// assigned or not; format characters (`Cf`); separators (`Zs`, `Zl`, `Zp`) but for the space; noncharacters, of which
/// the last two of each plane are left to arithmetic; and what is blank although it is a letter or a symbol: U+2800,
/// U+13440 to U+13442, U+16FE4, U+1D159.
const HIDDEN: [(char, char); 32] = [
    ('\u{a0}', '\u{a0}'),
    ('\u{ad}', '\u{ad}'),
    ('\u{34f}', '\u{34f}'),
    ('\u{600}', '\u{605}'),
    ('\u{61c}', '\u{61c}'),
    ('\u{6dd}', '\u{6dd}'),
    ('\u{70f}', '\u{70f}'),
    ('\u{890}', '\u{891}'),
    ('\u{8e2}', '\u{8e2}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{1680}', '\u{1680}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{2000}', '\u{200f}'),
    ('\u{2028}', '\u{202f}'),
    ('\u{205f}', '\u{206f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{3000}', '\u{3000}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fdd0}', '\u{fdef}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{feff}', '\u{feff}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{fff0}', '\u{fffb}'),
    ('\u{110bd}', '\u{110bd}'),
    ('\u{110cd}', '\u{110cd}'),
    ('\u{13430}', '\u{13442}'),
    ('\u{16fe4}', '\u{16fe4}'),
    ('\u{1bca0}', '\u{1bca3}'),
    ('\u{1d159}', '\u{1d159}'),
    ('\u{1d173}', '\u{1d17a}'),
    ('\u{e0000}', '\u{e0fff}'),
];

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ranges_are_in_order() {
        let ends: Vec<char> = HIDDEN.iter().flat_map(|(first, last)| [*first, *last]).collect();
        assert!(ends.is_sorted());
    }

    #[test]
    fn what_is_not_seen_is_escaped_and_what_is_seen_is_not() {
        for c in "\0\x1b\x7f\u{9b}\u{a0}\u{ad}\u{34f}\u{115f}\u{1160}\u{180e}\u{2003}\u{200b}\u{202e}\u{2800}\u{3000}\
                  \u{3164}\u{fe0f}\u{feff}\u{ffa0}\u{fffe}\u{1d173}\u{e0001}\u{e0041}\u{e0100}\u{e01ef}\u{e0fff}\u{10ffff}"
            .chars()
        {
            assert!(needs_escape(c), "{c:?}");
        }
        for c in " ~¡¬®áßЖжا९한日本語、「😀\u{fffd}\u{e000}".chars() {
            assert!(!needs_escape(c), "{c:?}");
        }
    }
}

//! Decides which characters are escaped before they are shown.

use unicode_properties::{GeneralCategory as Category, UnicodeGeneralCategory as _};

/// Whether a character could steer a terminal, reorder what it shows, or not be seen there at all: then two users would
/// look alike (Unicode Standard Annex #9; Unicode Technical Report #36; CVE-2021-42574). The one blank that is shown as
/// it is is the space. Nobody knows how a terminal shows a character that is private or unassigned.
pub fn needs_escape(c: char) -> bool {
    if c < '\u{a0}' {
        return c.is_control();
    }
    let is_hidden = matches!(
        c.general_category(),
        Category::Format
            | Category::SpaceSeparator
            | Category::LineSeparator
            | Category::ParagraphSeparator
            | Category::PrivateUse
            | Category::Unassigned
    );
    let after = HIDDEN.partition_point(|(_, last)| *last < c);
    is_hidden || HIDDEN.get(after).is_some_and(|(first, _)| *first <= c)
}

/// First and last of each range, in order, of what is hidden although it is a mark, a letter or a symbol:
/// `Default_Ignorable_Code_Point` (Unicode 17.0, DerivedCoreProperties.txt), and what fonts show as a blank or almost.
const HIDDEN: [(char, char); 14] = [
    ('\u{34f}', '\u{34f}'),
    ('\u{115f}', '\u{1160}'),
    ('\u{17b4}', '\u{17b5}'),
    ('\u{180b}', '\u{180f}'),
    ('\u{2800}', '\u{2800}'),
    ('\u{2d7f}', '\u{2d7f}'),
    ('\u{303f}', '\u{303f}'),
    ('\u{3164}', '\u{3164}'),
    ('\u{fe00}', '\u{fe0f}'),
    ('\u{ffa0}', '\u{ffa0}'),
    ('\u{13440}', '\u{13442}'),
    ('\u{16fe4}', '\u{16fe4}'),
    ('\u{1d159}', '\u{1d159}'),
    ('\u{e0100}', '\u{e01ef}'),
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
                  \u{3164}\u{fe0f}\u{feff}\u{ffa0}\u{fffe}\u{1d173}\u{e0001}\u{e0041}\u{e0100}\u{e01ef}\u{e0fff}\u{10ffff}\
                  \u{303f}\u{2d7f}\u{378}\u{e000}\u{10fffd}\u{e01f0}\u{fff0}\u{fdd0}\u{13440}\u{16fe4}\u{1d159}\u{605}\u{17b4}"
            .chars()
        {
            assert!(needs_escape(c), "{c:?}");
        }
        for c in " ~¡¬®áßЖжا९한日本語、「😀\u{fffd}".chars() {
            assert!(!needs_escape(c), "{c:?}");
        }
    }
}

//! Plain data that every room shares.

/// Whether a character could steer a terminal or reorder what it shows: control characters (C0,
/// DEL, C1), line and paragraph separators, and the bidirectional and invisible format characters
/// (Unicode Standard Annex #9; CVE-2021-42574).
pub fn steers_terminal(c: char) -> bool {
    c.is_control()
        || matches!(c,
            '\u{061c}' | '\u{200b}'..='\u{200f}' | '\u{2028}'..='\u{202e}'
            | '\u{2060}'..='\u{206f}' | '\u{feff}' | '\u{fff9}'..='\u{fffb}'
            | '\u{e0000}'..='\u{e007f}')
}

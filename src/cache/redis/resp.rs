//! The protocol (RESP2): requests, and what stands in a line of a reply.

/// What a reply is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Reply {
    /// Status or error of the server.
    Text(Result<String, String>),
    Number(i64),
    /// `None` if there is no such value.
    Bytes(Option<Vec<u8>>),
    List(Vec<Reply>),
}

/// What a line announces.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) enum Head {
    Whole(Reply),
    /// So many bytes follow.
    Bytes(usize),
    /// So many replies follow.
    List(usize),
}

/// Appends a request.
pub(super) fn write(out: &mut Vec<u8>, words: &[&str]) {
    out.extend_from_slice(format!("*{}\r\n", words.len()).as_bytes());
    for word in words {
        out.extend_from_slice(format!("${}\r\n{word}\r\n", word.len()).as_bytes());
    }
}

/// Reads a line, without its end; `None` if the protocol has none like it.
pub(super) fn head(line: &[u8]) -> Option<Head> {
    let (kind, rest) = line.split_first()?;
    let text = || String::from_utf8_lossy(rest).into_owned();
    let number = || std::str::from_utf8(rest).ok()?.parse::<i64>().ok();
    let whole = |reply| Some(Head::Whole(reply));
    match kind {
        b'+' => whole(Reply::Text(Ok(text()))),
        b'-' => whole(Reply::Text(Err(text()))),
        b':' => whole(Reply::Number(number()?)),
        b'$' | b'*' => match (number()?, kind) {
            (-1, _) => whole(Reply::Bytes(None)),
            (length, b'$') => Some(Head::Bytes(usize::try_from(length).ok()?)),
            (length, _) => Some(Head::List(usize::try_from(length).ok()?)),
        },
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn requests_and_lines_are_as_the_protocol_has_them() {
        let mut out = Vec::new();
        write(&mut out, &["DEL", "a\r\nb", "ü"]);
        assert_eq!(out, "*3\r\n$3\r\nDEL\r\n$4\r\na\r\nb\r\n$2\r\nü\r\n".as_bytes());
        for (line, expected) in [
            ("+OK", Some(Head::Whole(Reply::Text(Ok("OK".into()))))),
            ("-NOAUTH no", Some(Head::Whole(Reply::Text(Err("NOAUTH no".into()))))),
            (":12", Some(Head::Whole(Reply::Number(12)))),
            ("$-1", Some(Head::Whole(Reply::Bytes(None)))),
            ("*-1", Some(Head::Whole(Reply::Bytes(None)))),
            ("$5", Some(Head::Bytes(5))),
            ("*2", Some(Head::List(2))),
            ("", None),
            (":x", None),
            ("$-2", None),
            ("$99999999999999999999", None),
            ("HTTP/1.1 400 Bad Request", None),
        ] {
            assert_eq!(head(line.as_bytes()), expected, "{line}");
        }
    }
}

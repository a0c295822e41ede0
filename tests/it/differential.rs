//! sessctl beside the real thing: what it makes of rows and pickles that nobody wrote, and what Django and Python make
//! of them. The programs that make and read these are in `tests/differential`.

use std::path::Path;
use std::process::Command;

use django_session::{Auth, Codec, DEFAULT_KEY_SALT, DecodeError, Decoder, Keyring};
use serde::Deserialize;
use serde_json::{Value, json};
use sessctl::model::{Layout, Serializer, Signature};

use crate::corpus::same;
use crate::support::{django_python, rounds, seed};
use crate::world::RunToEnd;

const KEY: &str = "the key of today: é";
const OLD_KEY: &str = "the key of yesterday: 😀";

/// The lines that one of the programs prints.
fn lines(release: &str, program: &str, arguments: &[&str], stdin: &str) -> Vec<String> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/differential");
    let mut python = Command::new(django_python(release));
    python.arg("-B").arg(folder.join(program)).args(arguments);
    python.env("SITE_SECRET_KEY", KEY).env("SITE_OLD_SECRET_KEY", OLD_KEY);
    // Or sets would come in another order every time, whatever the seed.
    let ran = python.env("PYTHONHASHSEED", "0").ran(stdin);
    assert_eq!(ran.code, 0, "{program} of Django {release}: {}", ran.stderr);
    ran.stdout.lines().map(Into::into).collect()
}

/// Which login a payload holds: a user id, null for nobody, false for what is no id.
fn login(auth: &Result<Auth<'_>, DecodeError>) -> Value {
    match auth {
        Ok(auth) => json!(auth.user_id),
        Err(_) => json!(false),
    }
}

/// What all texts came to.
#[derive(Default)]
struct Tally {
    all: usize,
    sessions: usize,
    logins: usize,
    excused: usize,
    differences: Vec<String>,
}

/// Whether sessctl says the same, or something else for a reason that is known.
#[derive(PartialEq)]
enum Agreed {
    Yes,
    Excused,
}

impl Tally {
    fn add(
        &mut self,
        is_session: bool,
        is_login: bool,
        compared: Result<Agreed, String>,
        of_what: impl Fn() -> String,
    ) {
        self.all += 1;
        self.sessions += usize::from(is_session);
        self.logins += usize::from(is_login);
        self.excused += usize::from(compared == Ok(Agreed::Excused));
        self.differences.extend(compared.err().map(|what| format!("{what}: {}", of_what())));
    }

    /// Fails with some of what differs and how to see all of it again, and where texts of one kind are too few.
    #[allow(clippy::print_stdout, reason = "for --show-output")]
    fn agree(&self, seed: u64, with: &str) {
        let Self { all, sessions, logins, excused, ref differences } = *self;
        let some: Vec<&str> = differences.iter().take(20).map(String::as_str).collect();
        let said = format!(
            "{all} texts, of which {sessions} are sessions and {logins} logins: {} differ from {with}, and {excused} for \
             reasons that are known (SESSCTL_TEST_SEED={seed} SESSCTL_TEST_ROUNDS={all})\n{}",
            differences.len(),
            some.join("\n")
        );
        println!("{said}");
        assert!(differences.is_empty(), "{said}");
        // Of a few texts any share may be sessions.
        if all < 1_000 {
            return;
        }
        assert!(sessions > all / 4 && sessions < all * 9 / 10 && logins > all / 20, "{said}");
        assert!(excused < all / 100, "{said}");
    }
}

/// What `django_reads.py` says of a row.
#[derive(Debug, Deserialize)]
struct Verdict {
    signed: bool,
    loaded: bool,
    login: Value,
}

#[test]
fn rows_are_judged_as_django_judges_them() {
    let (seed, count) = (seed(), rounds(20_000));
    let rows = lines("5.2", "rows.py", &[&seed.to_string(), &count.to_string()], "");
    let stdin = rows.join("\n");
    let verdicts = ["3.2", "4.2", "5.2"].map(|release| {
        let said = lines(release, "django_reads.py", &[], &stdin);
        said.iter().map(|line| serde_json::from_str(line).unwrap()).collect::<Vec<Verdict>>()
    });
    let keyring = Keyring::new([KEY, OLD_KEY], DEFAULT_KEY_SALT);
    let codec = Codec { keyring, ..Codec::default() };
    let mut decoder = Decoder::new(&codec);
    let mut tally = Tally::default();
    for (at, row) in rows.iter().enumerate() {
        let said = verdicts.each_ref().map(|of_release| &of_release[at]);
        let is_session = said.iter().any(|verdict| verdict.loaded);
        let is_login = said.iter().any(|verdict| verdict.login.is_string());
        let stored: String = serde_json::from_str(row).unwrap();
        let judged = judge(&mut decoder, &stored, said).map(|()| Agreed::Yes);
        tally.add(is_session, is_login, judged, || format!("{row}: {said:?}"));
    }
    assert_eq!(rows.len(), count as usize);
    tally.agree(seed, "Django");
}

/// sessctl does not know which release will read a row, and answers as the most accepting of them would.
fn judge(decoder: &mut Decoder<'_>, stored: &str, said: [&Verdict; 3]) -> Result<(), String> {
    let session = decoder.decode(stored);
    let (auth, valid) = (session.auth(), session.signature() == Signature::Valid);
    let signed = said.iter().any(|verdict| verdict.signed);
    let loaded: Vec<_> = said.into_iter().filter(|verdict| verdict.loaded).collect();
    // Of a signed text without a time no release makes a session.
    let is_no_session = session.layout().is_none() && loaded.is_empty();
    // None of these releases reads what Django 1.2 wrote.
    let is_older = session.layout() == Some(Layout::Md5) && !signed;
    if valid != signed && !is_no_session && !is_older {
        return Err(format!("the signature is valid: {valid}, {auth:?}"));
    }
    let serializer = session.payload().map(|payload| payload.serializer());
    if is_older || !valid || serializer == Ok(Serializer::Pickle) {
        return Ok(());
    }
    let read = matches!(auth, Ok(_) | Err(DecodeError::UserId));
    let same = |verdict: &&Verdict| verdict.login == login(&auth);
    match loaded.as_slice() {
        [] if read => Err(format!("Django reads nothing, and sessctl {auth:?}")),
        [] => Ok(()),
        readers if read && readers.iter().any(same) => Ok(()),
        _ => Err(format!("sessctl reads {auth:?}")),
    }
}

/// What `unpickle.py` says of a pickle.
#[derive(Debug, Deserialize)]
struct Unpickled {
    c: Read,
    python: Read,
}

/// What one of Python's unpicklers made of a pickle: why it refuses it, or what is in it.
#[derive(Debug, Deserialize)]
struct Read {
    error: Option<String>,
    #[serde(default)]
    login: Value,
    json: Option<String>,
    /// Whether a call had something else than a tuple.
    #[serde(default)]
    unpacked: bool,
}

#[test]
fn pickles_are_read_as_python_reads_them() {
    let (seed, count) = (seed(), rounds(20_000));
    let pickles = lines("5.2", "pickles.py", &[&seed.to_string(), &count.to_string()], "");
    assert_eq!(pickles.len(), count as usize);
    // Two releases of Python, by the Django that they run.
    for release in ["5.2", "6.1"] {
        let said = lines(release, "unpickle.py", &[], &pickles.join("\n"));
        let said: Vec<Unpickled> =
            said.iter().map(|line| serde_json::from_str(line).unwrap()).collect();
        assert_eq!(said.len(), pickles.len());
        let codec = Codec::default();
        let mut decoder = Decoder::new(&codec);
        let mut tally = Tally::default();
        for (pickle, said) in pickles.iter().zip(&said) {
            let is_session = said.c.error.is_none();
            tally.add(
                is_session,
                said.c.login.is_string(),
                compare(&mut decoder, pickle, said),
                || format!("{pickle}: {said:?}"),
            );
        }
        tally.agree(seed, &format!("the Python of Django {release}"));
    }
}

/// What one of Python's unpicklers refuses and the other takes: floats, states of plain data, frames and a memo that are
/// not as picklers write them, an instance in the place of a class, numbers in the spelling of C, nothing added to what is no
/// set. sessctl takes all of it, so it reads a pickle that has two such things, each of which another one of them refuses.
const ONLY_IN_PYTHON: [&str; 7] = [
    "could not convert string to float",
    "value too large to convert to float",
    "state is not a dictionary",
    "no attribute '__dict__'",
    "pickle data was truncated",
    "MemoryError",
    "NEWOBJ class argument must be a type",
];
const ONLY_IN_C: [&str; 6] = [
    "invalid literal for int() with base 0",
    "could not convert string to float",
    "pickle exhausted before end of frame",
    "beginning of a new frame before end of current frame",
    "no attribute 'add'",
    "no attribute 'append'",
];

/// Where Python's unpicklers differ, sessctl takes the side of the one that reads more.
fn compare(decoder: &mut Decoder<'_>, pickle: &str, said: &Unpickled) -> Result<Agreed, String> {
    let stored = format!("{pickle}:1xUwpu:{}", "A".repeat(43));
    let session = decoder.decode(&stored);
    let auth = session.auth();
    if auth == Err(DecodeError::TooComplex) {
        return Ok(Agreed::Excused);
    }
    let read = session.payload().is_ok() && auth != Err(DecodeError::Pickle);
    let readers: Vec<&Read> =
        [&said.c, &said.python].into_iter().filter(|read| read.error.is_none()).collect();
    // No pickler writes that, and `_pickle.c`, which runs wherever Django does, refuses it.
    if !read && said.c.error.is_some() && said.python.unpacked {
        return Ok(Agreed::Excused);
    }
    let is_refused_for = |error: &Option<String>, reasons: &[&str]| {
        error.as_ref().is_some_and(|error| reasons.iter().any(|reason| error.contains(reason)))
    };
    // An index of the memo that ends at a NUL to C.
    let ends_at_nul = said.python.error.as_ref().is_some_and(|error| {
        error.contains("invalid literal for int() with base 10") && error.contains("\\x00")
    });
    if read
        && is_refused_for(&said.c.error, &ONLY_IN_PYTHON)
        && (is_refused_for(&said.python.error, &ONLY_IN_C) || ends_at_nul)
    {
        return Ok(Agreed::Excused);
    }
    // Of what it does not read as a whole, such as a `bytearray` that objects were added to, it says whose it may be.
    let whole = session.payload().and_then(|payload| payload.json());
    if read && readers.is_empty() && whole.err() == Some(DecodeError::TooComplex) {
        return Ok(Agreed::Excused);
    }
    if read == readers.is_empty() {
        return Err(format!("sessctl reads {auth:?}"));
    }
    if read && !readers.iter().any(|read| read.login == login(&auth)) {
        return Err(format!("sessctl reads {auth:?}"));
    }
    // Where `_pickle.c` reads nothing `pickle.py` may take something for 1 that is true to the former.
    let Some(python) = said.c.json.as_ref().filter(|_| read) else { return Ok(Agreed::Yes) };
    let json = session.payload().and_then(|payload| payload.json());
    let of_ours = json.as_ref().ok().and_then(|json| serde_json::from_str(json).ok());
    if of_ours.is_some_and(|json| same(&json, &serde_json::from_str(python).unwrap())) {
        Ok(Agreed::Yes)
    } else {
        Err(format!("sessctl reads {json:?}"))
    }
}

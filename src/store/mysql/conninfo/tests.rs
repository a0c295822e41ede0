use std::collections::BTreeMap;
use std::path::Path;
use std::time::Duration;

use super::option_file::{GROUPS_OF_CLIENTS, OptionFiles};
use super::parameters::Parameters;
use super::{Conninfo, SourceError, Surroundings, environment, tls, url};
use crate::store::mysql::params::{Endpoint, SslMode};

const SENTINEL: &str = "sentinel7pass";

fn surroundings(variables: &[(&str, &str)]) -> Surroundings {
    let own = |text: &&str| (*text).to_owned();
    Surroundings {
        user: Some("me".into()),
        home: Some("/nonexistent".into()),
        variables: variables.iter().map(|(name, value)| (own(name), own(value))).collect(),
        ..Surroundings::default()
    }
}

/// As `Conninfo::of_url`, with the text of one option file in place of those of this machine.
fn with(url: &str, file: &str, variables: &[(&str, &str)]) -> Result<Conninfo, SourceError> {
    let (scheme, rest) = url.split_once("://").unwrap();
    assert!(super::SCHEMES.contains(&scheme));
    let surroundings = surroundings(variables);
    let mut parameters = url::parse(rest)?;
    tls::settle_mode(&mut parameters)?;
    parameters.settle_place();
    let has_password = parameters.get("password").is_some();
    parameters.complete(read_file(file, parameters.get("read_default_group"), &surroundings)?);
    Ok(Conninfo { has_password, ..Conninfo::complete(parameters, &surroundings)? })
}

fn read_file(
    text: &str,
    group: Option<&str>,
    surroundings: &Surroundings,
) -> Result<Parameters, SourceError> {
    let mut files = OptionFiles::new(GROUPS_OF_CLIENTS, group, surroundings);
    files.take(text, true, 0, Path::new("/nonexistent"))?;
    files.finish()
}

fn of(url: &str) -> Result<Conninfo, SourceError> {
    with(url, "", &[])
}

fn django(options: &[(&str, &str)], variables: &[(&str, &str)]) -> Result<Conninfo, SourceError> {
    let options: BTreeMap<_, _> =
        options.iter().map(|(name, value)| ((*name).to_owned(), (*value).to_owned())).collect();
    Conninfo::of_django(&options, &surroundings(variables))
}

/// `user:password@place/database`, as it was understood. Where a socket is looked for depends on the machine.
fn read(conninfo: &Conninfo) -> String {
    let params = &conninfo.params;
    let place = match &params.endpoint {
        Endpoint::Socket(path) if path.ends_with("mysqld.sock") || path.ends_with("mysql.sock") => {
            "socket".into()
        }
        endpoint => endpoint.to_string(),
    };
    let password = params.password.as_deref().unwrap_or_default();
    format!("{}:{password}@{place}/{}", params.user, params.database)
}

#[test]
fn urls_mean_what_they_mean_to_the_clients() {
    for (url, meant) in [
        ("mysql://u:p@h:1/db", "u:p@h:1/db"),
        ("mariadb://u:p@h/db", "u:p@h:3306/db"),
        ("mysql2://h/db", "me:@h:3306/db"),
        ("mysqlgis://u@h/db", "u:@h:3306/db"),
        ("mysql-connector://u@h/db", "u:@h:3306/db"),
        ("mysql://u:p:q@h/db", "u:p:q@h:3306/db"),
        ("mysql://u:@h/db", "u:@h:3306/db"),
        ("mysql://:p@h/db", "me:p@h:3306/db"),
        ("mysql://u:p%40%2F%23%3f%25@h/d%20b", "u:p@/#?%@h:3306/d b"),
        ("mysql://u:%C3%A9@h/db", "u:é@h:3306/db"),
        ("mysql://u@[::1]:1/db", "u:@[::1]:1/db"),
        ("mysql://u@[2001:db8::1]/db", "u:@[2001:db8::1]:3306/db"),
        ("mysql://u@127.0.0.1/db", "u:@127.0.0.1:3306/db"),
        ("mysql://u@localhost/db", "u:@socket/db"),
        ("mysql://u@LocalHost:3306/db", "u:@socket/db"),
        ("mysql:///db", "me:@socket/db"),
        ("mysql://u@/db", "u:@socket/db"),
        ("mysql://u@localhost:3307/db?protocol=tcp", "u:@localhost:3307/db"),
        ("mysql://u@localhost/db?protocol=TCP", "u:@localhost:3306/db"),
        ("mysql:///db?unix_socket=/run/x.sock", "me:@/run/x.sock/db"),
        ("mysql://u@localhost/db?unix_socket=/run/x.sock", "u:@/run/x.sock/db"),
        ("mysql://u@localhost:3307/db?unix_socket=/run/x.sock", "u:@/run/x.sock/db"),
        ("mysql:///db?socket=/run/x.sock", "me:@/run/x.sock/db"),
        ("mysql://u:p@%2Fvar%2Frun%2Fx.sock/db", "u:p@/var/run/x.sock/db"),
        ("mysql:////run/x.sock/db", "me:@/run/x.sock/db"),
        ("mysql://u:p@//run/x.sock/db", "u:p@/run/x.sock/db"),
        ("mysql://h/db?user=u@server&password=p@ss", "u@server:p@ss@h:3306/db"),
        ("mysql://h/?database=db", "me:@h:3306/db"),
        ("mysql://u@h/db?charset=utf8mb4&ssl-cipher=x&use_unicode=1", "u:@h:3306/db"),
    ] {
        assert_eq!(of(url).map(|conninfo| read(&conninfo)).unwrap(), meant, "{url}");
    }
}

#[test]
fn what_a_password_was_not_encoded_for_is_named_and_not_shown() {
    for (url, culprit) in [
        ("mysql://u:a@S@h/db", '@'),
        ("mysql://u:a@b/S@h/db", '@'),
        ("mysql://u:S/x@h/db", '/'),
        ("mysql://u:1/S@h/db", '/'),
        ("mysql://u:/S@h/db", '/'),
        ("mysql://u:S?x@h/db", '?'),
        ("mysql://u:1?S@h/db", '?'),
        ("mysql://u:1?S=x@h/db", '?'),
        ("mysql://u:1?host=S@h/db", '?'),
        ("mysql://u:?S@h/db", '?'),
        ("mysql://u:S?user=x@h/db", '?'),
        ("mysql://u:1?user=S@h:3306", '?'),
        ("mysql://u:1?password=S@h/db", '?'),
        ("mysql://u:1?init_command=S@h/db", '?'),
        ("mysql://u:1/x?user=S@h/db", '/'),
        ("mysql://u:a@S?user=x@h/db", '@'),
        ("mysql://u:S#x@h/db", '#'),
        ("mysql://u:1#S@h/db", '#'),
        ("mysql://u:p@h/db#S", '#'),
        ("mysql://u:S%x@h/db", '%'),
        ("mysql://u:S%00@h/db", '%'),
    ] {
        let error = of(&url.replace('S', SENTINEL)).expect_err(url);
        assert!(error.to_string().contains(&format!("\"{culprit}\"")), "{url}: {error}");
        assert!(error.hint().contains(&format!("%{:X}", u32::from(culprit))), "{url}: {error:?}");
        assert!(!format!("{error:?}").contains(SENTINEL), "{url}: {error:?}");
    }
}

#[test]
fn what_makes_no_sense_is_named_and_not_shown() {
    for (url, says) in [
        ("mysql://u:S/db", "port"),
        ("mysql://u@h:S/db", "port"),
        ("mysql://u@h:99999/db", "1 to 65535"),
        ("mysql://::1/db", "more than one \":\""),
        ("mysql://u@[::1/db", "\"]\""),
        ("mysql://u@a,S/db", "several hosts"),
        ("mysql://u@h", "no database"),
        ("mysql://u@h/", "no database"),
        ("mysql://u@localhost:3307/db", "127.0.0.1"),
        ("mysql://u@h/db?protocol=socket", "protocol=socket"),
        ("mysql://u@h/db?protocol=S", "protocol"),
        ("mysql://u@h/db?unix_socket=/S", "a host and a socket"),
        ("mysql://u@h/db?nosuchoption=S", "\"nosuchoption\""),
        ("mysql://u@h/db?S", "no \"=\""),
        ("mysql://u@h/db?ssl-mode=S", "VERIFY_IDENTITY"),
        ("mysql://u@h/db?ssl=S", "ssl"),
        ("mysql://u@h/db?ssl-mode=VERIFY_CA", "ssl-ca"),
        ("mysql://u@h/db?ssl-cert=S", "ssl-key"),
        ("mysql://u@h/db?ssl-crl=S", "\"ssl-crl\""),
        ("mysql://u@h/db?ssl_capath=S", "ssl-ca=FILE"),
        ("mysql://u@h/db?connect_timeout=S", "connect_timeout"),
        ("mysql://u@h/db=S", "database"),
        ("mysql://u@h;pwd=S/db", "host"),
        ("mysql://u=S@h/db", "user"),
        ("mysql://u@h/db?read_default_file=/nonexistent/my.cnf", "/nonexistent/my.cnf"),
    ] {
        let (_, rest) = url.split_once("://").unwrap();
        let error =
            Conninfo::of_url(&rest.replace('S', SENTINEL), &surroundings(&[])).expect_err(url);
        let text = format!("{error} {}", error.hint());
        assert!(text.contains(says), "{url}: {text}");
        assert!(!format!("{error:?}").contains(SENTINEL), "{url}: {error:?}");
    }
}

#[test]
fn a_password_is_not_shown_by_what_holds_it() {
    let conninfo = of(&format!("mysql://u7ser:{SENTINEL}@h/db")).unwrap();
    assert!(conninfo.has_password);
    let shown = format!("{conninfo:?} {}", conninfo.params.place());
    assert!(!shown.contains(SENTINEL) && !shown.contains("u7ser"), "{shown}");
}

#[test]
fn ssl_mode_in_the_words_of_each_client() {
    use SslMode::{Disabled, Preferred, Required, VerifyCa, VerifyIdentity};
    let mode = |options: &str| of(&format!("mysql://h/db?{options}")).unwrap().params.tls.mode;
    for (options, meant) in [
        ("", Preferred),
        ("ssl-mode=disabled", Disabled),
        ("ssl_mode=PREFERRED", Preferred),
        ("ssl_mode=Required", Required),
        ("ssl_mode=VERIFY_CA&ssl-ca=/ca", VerifyCa),
        ("ssl_mode=VERIFY_IDENTITY", VerifyIdentity),
        ("ssl-ca=/ca", VerifyCa),
        ("ssl-ca=/ca&ssl-mode=REQUIRED", Required),
        ("ssl=1", Required),
        ("ssl=true&ssl-ca=/ca", VerifyCa),
        ("ssl=0", Disabled),
        ("ssl_disabled=True", Disabled),
        ("ssl_disabled=False", Preferred),
        ("ssl-verify-server-cert=", VerifyIdentity),
        ("ssl-verify-server-cert=0", Preferred),
        ("ssl_verify_identity=1&ssl_ca=/ca", VerifyIdentity),
        ("ssl_verify_cert=1&ssl_ca=/ca", VerifyCa),
    ] {
        assert_eq!(mode(options), meant, "{options}");
    }
    let noted = of("mysql://h/db?ssl-ca=/ca&ssl-mode=REQUIRED").unwrap().notes;
    assert!(noted.len() == 1 && noted[0].contains("VERIFY_CA"), "{noted:?}");
    let tls = of("mysql://h/db?ssl-ca=/a&ssl-cert=/b&ssl_key=/c&get-server-public-key=1")
        .unwrap()
        .params
        .tls;
    let path = |path: &str| Some(path.into());
    assert_eq!((tls.ca, tls.cert, tls.key), (path("/a"), path("/b"), path("/c")));
    assert!(tls.allow_sent_key && !tls.allow_cleartext);
}

#[test]
fn an_option_file_says_what_the_url_leaves_open() {
    let file = "
# the site's
port = 7
";
    assert!(with("mysql:///db", file, &[]).unwrap_err().to_string().contains("line 3"));
    let file = "
[mysqld]
user=wrong
[client]
user=fu
password = \"f#p\\\"\" # quoted
host=fh
port=7
ssl-ca=/ca
no-such-option
[other]
user=wrong
[client_night]
port=8
[mysql]
database=fdb
[site]
database = sdb
";
    for (url, variables, meant) in [
        ("mysql://", &[][..], "fu:f#p\"@fh:7/fdb"),
        ("mysql:///db", &[], "fu:f#p\"@fh:7/db"),
        ("mysql://u:p@h:1/db", &[], "u:p@h:1/db"),
        ("mysql://h/db", &[], "fu:f#p\"@h:7/db"),
        ("mysql://localhost/db", &[], "fu:f#p\"@socket/db"),
        ("mysql:///db?unix_socket=/s", &[], "fu:f#p\"@/s/db"),
        ("mysql:///?read_default_group=site", &[], "fu:f#p\"@fh:7/sdb"),
        ("mysql:///db", &[("MYSQL_GROUP_SUFFIX", "_night")], "fu:f#p\"@fh:8/db"),
        ("mysql:///db", &[("MYSQL_HOST", "eh"), ("MYSQL_PWD", "ep")], "fu:f#p\"@fh:7/db"),
    ] {
        let conninfo = with(url, file, variables).unwrap();
        assert_eq!(read(&conninfo), meant, "{url} {variables:?}");
        assert_eq!(conninfo.params.tls.mode, SslMode::VerifyCa);
        assert_eq!(conninfo.has_password, url.contains(":p@"));
    }
    let mode = |url: &str, file: &str| with(url, file, &[]).unwrap().params.tls.mode;
    assert_eq!(mode("mysql:///db", "[client]\nskip-ssl"), SslMode::Disabled);
    assert_eq!(mode("mysql:///db", "[client]\nssl"), SslMode::Required);
    assert_eq!(mode("mysql:///db", "[client]\nloose-ssl_mode=REQUIRED"), SslMode::Required);
    assert_eq!(
        mode("mysql:///db", "[client-mariadb]\nssl-verify-server-cert"),
        SslMode::VerifyIdentity
    );
    assert_eq!(mode("mysql:///db", "[client]\ndisable-ssl-verify-server-cert"), SslMode::Preferred);
    assert_eq!(mode("mysql:///db?ssl-mode=DISABLED", "[client]\nssl"), SslMode::Disabled);
    // Without a value it is to be asked for.
    assert_eq!(read(&with("mysql://u@h/db", "[client]\npassword", &[]).unwrap()), "u:@h:3306/db");
}

#[test]
fn lines_of_an_option_file() {
    let user = |value: &str| {
        let file = format!("[client]\n  user {value}\n");
        read_file(&file, None, &surroundings(&[])).map(|found| found.get("user").map(str::to_owned))
    };
    for (value, meant) in [
        ("= a b ", Some("a b")),
        ("='a b '", Some("a b ")),
        ("=\"it's\"", Some("it's")),
        ("=a\\sb\\\\c\\x", Some("a b\\c\\x")),
        ("=a#b", Some("a")),
        ("='a#b'#c", Some("a#b")),
        ("='a\\'#b'", Some("a'#b")),
        ("=a=b", Some("a=b")),
        ("=", None),
        ("=;a", Some(";a")),
    ] {
        assert_eq!(user(value).unwrap().as_deref(), meant, "{value}");
    }
    for (file, says) in
        [("[client\nuser=S", "line 1"), ("user=S", "line 1"), ("[client]\nssl-crl=S", "ssl-crl")]
    {
        let file = file.replace('S', SENTINEL);
        let error = read_file(&file, None, &surroundings(&[])).err().unwrap();
        assert!(
            error.to_string().contains(says) && !format!("{error:?}").contains(SENTINEL),
            "{error:?}"
        );
    }
    // For another program.
    assert!(
        read_file("[mysqld]\nssl-crl=x\n[mysqldump]\nhost=x", None, &surroundings(&[]))
            .unwrap()
            .get("host")
            .is_none()
    );
}

#[test]
fn the_environment_is_asked_last() {
    let all = [
        ("MYSQL_HOST", "eh"),
        ("MYSQL_PWD", "ep"),
        ("MYSQL_TCP_PORT", "7"),
        ("MYSQL_UNIX_PORT", "/e.sock"),
    ];
    for (url, meant) in [
        ("mysql:///db", "me:ep@eh:7/db"),
        ("mysql://u:p@h:1/db", "u:p@h:1/db"),
        ("mysql://h/db", "me:ep@h:7/db"),
        ("mysql://localhost/db", "me:ep@/e.sock/db"),
        ("mysql:///db?unix_socket=/s", "me:ep@/s/db"),
    ] {
        assert_eq!(read(&with(url, "", &all).unwrap()), meant, "{url}");
    }
    assert_eq!(read(&with("mysql:///db", "", &all[1..]).unwrap()), "me:ep@/e.sock/db");
    // As for the clients: Debian's files always name the socket.
    let file = "[client-server]\nsocket=/run/x.sock\n";
    assert_eq!(read(&with("mysql:///db", file, &all).unwrap()), "me:ep@eh:7/db");
    assert_eq!(read(&with("mysql:///db", file, &all[1..]).unwrap()), "me:ep@/run/x.sock/db");
    let mut odd = surroundings(&[]);
    odd.not_utf8.insert("MYSQL_HOST".into());
    assert!(environment::parameters(&odd).err().unwrap().to_string().contains("MYSQL_HOST"));
}

#[test]
fn what_django_passes_to_its_driver() {
    let base = [("database", "db"), ("user", "u"), ("password", SENTINEL)];
    let with = |more: &[(&str, &str)]| django(&[&base, more].concat(), &[]);
    let place = |more: &[(&str, &str)]| with(more).map(|conninfo| conninfo.params.place()).unwrap();
    assert!(place(&[("host", "h"), ("port", "7")]).contains("h:7"));
    assert!(place(&[("unix_socket", "/s.sock")]).contains("/s.sock"));
    assert!(
        place(&[("host", "localhost"), ("port", "3307"), ("protocol", "tcp")])
            .contains("localhost:3307")
    );
    // Django's driver goes to the socket, whatever the port is.
    assert!(
        place(&[("host", "localhost"), ("port", "3307"), ("unix_socket", "/s")]).ends_with("/s")
    );
    let conninfo =
        with(&[("host", "h"), ("cursorclass", "x"), ("init_command", "x"), ("charset", "y")])
            .unwrap();
    assert!(conninfo.notes.is_empty() && !conninfo.has_password);
    assert!(!format!("{conninfo:?}").contains(SENTINEL));
    assert!(with(&[("ssl_new_thing", "x")]).unwrap_err().to_string().contains("ssl_new_thing"));
    assert!(with(&[("ssl_capath", "x")]).unwrap_err().to_string().contains("ssl_capath"));
    let error = with(&[("host", "h"), ("read_default_file", "/nonexistent/f")]).unwrap_err();
    assert!(error.to_string().contains("/nonexistent/f"));
    assert_eq!(
        with(&[("ssl_ca", "/ca"), ("host", "h")]).unwrap().params.tls.mode,
        SslMode::VerifyCa
    );
    let timeout = with(&[("connect_timeout", "3")]).unwrap().params.connect_timeout;
    assert_eq!(timeout, Some(Duration::from_secs(3)));
    assert!(django(&[("user", "u")], &[]).is_err());
}

use std::path::Path;

use super::{Conninfo, Mode, Place, Roots, SCHEMES, SourceError, Surroundings, TargetSessionAttrs};

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

fn of(text: &str) -> Result<Conninfo, SourceError> {
    with(text, &[])
}

fn with(text: &str, variables: &[(&str, &str)]) -> Result<Conninfo, SourceError> {
    let surroundings = surroundings(variables);
    match text.split_once("://").filter(|(scheme, _)| SCHEMES.contains(scheme)) {
        Some((_, rest)) => Conninfo::of_url(rest, &surroundings),
        None => Conninfo::of_pairs(text, &surroundings),
    }
}

/// `user:password@host,host/database`, as it was understood.
fn read(conninfo: &Conninfo) -> String {
    let hosts: Vec<String> = conninfo.hosts.iter().map(ToString::to_string).collect();
    let password = conninfo.hosts[0].password.as_ref().map_or("", |password| &password.0);
    format!("{}:{password}@{}/{}", conninfo.user, hosts.join(","), conninfo.database)
}

#[test]
fn urls_and_pairs_mean_what_they_mean_to_libpq() {
    for (text, meant) in [
        ("postgres://", "me:@/var/run/postgresql/me"),
        ("postgres://h", "me:@h:5432/me"),
        ("postgres://u@h", "u:@h:5432/u"),
        ("postgres://u:p@h:1/db", "u:p@h:1/db"),
        ("postgres://u:p:q@h/db", "u:p:q@h:5432/db"),
        ("postgres://u:@h/db", "u:@h:5432/db"),
        ("postgres://:p@h/db", "me:p@h:5432/db"),
        ("postgres://u:p%40%2F%23%3f%25@h/d%20b", "u:p@/#?%@h:5432/d b"),
        ("postgres://u:%C3%A9@h/db", "u:é@h:5432/db"),
        ("postgres://u@[::1]:1/db", "u:@[::1]:1/db"),
        ("postgres://u@[2001:db8::1]/db", "u:@[2001:db8::1]:5432/db"),
        ("postgres://u@a:1,b:2,c/db", "u:@a:1,b:2,c:5432/db"),
        ("postgres://u@a,b/db?port=7", "u:@a:7,b:7/db"),
        ("postgres://%2Fvar%2Flib%2Fsock/db", "me:@/var/lib/sock/db"),
        ("postgres://u@%2Fsock:6432/db", "u:@/sock:6432/db"),
        ("postgres:///db?host=/sock&port=6432", "me:@/sock:6432/db"),
        ("postgres:////var/run/pg/db", "me:@/var/run/pg/db"),
        ("postgres://u:p@//cloudsql/a:b:c/db", "u:p@/cloudsql/a:b:c/db"),
        ("postgres://h/db?user=u@server&password=p@ss", "u@server:p@ss@h:5432/db"),
        ("postgres://h:1/db?user=u@server&password=p@s/s", "u@server:p@s/s@h:1/db"),
        ("postgres://h:1?user=u@server&dbname=db", "u@server:@h:1/db"),
        ("postgres://u:p@h:1/db?user=u@server", "u@server:p@h:1/db"),
        ("postgres://u:p@h:1/db?application_name=job@web1/cron", "u:p@h:1/db"),
        ("postgres://u:p@h:1?application_name=job@web1", "u:p@h:1/u"),
        ("postgres://?user=u@server&host=/sock&dbname=db", "u@server:@/sock/db"),
        ("postgres://h?user=u@server&passfile=/a/b", "u@server:@h:5432/u@server"),
        ("postgres://u@h/db?dbname=other", "u:@h:5432/other"),
        ("postgres://u@h/a/b", "u:@h:5432/a/b"),
        ("postgres://u@h?dbname=db", "u:@h:5432/db"),
        ("postgres://u@h/db?hostaddr=10.0.0.1", "u:@h:5432 (10.0.0.1)/db"),
        ("postgres:///db?hostaddr=::1", "me:@[::1]:5432/db"),
        ("host=h dbname=db user=u password=p", "u:p@h:5432/db"),
        ("host = h dbname = 'd b' password='it\\'s'", "me:it's@h:5432/d b"),
        ("host=a,b port=1,2 dbname=a\\ b", "me:@a:1,b:2/a b"),
        ("dbname='' user=u password=p\\\\q", "u:p\\q@/var/run/postgresql/u"),
        ("host=/sock user=u", "u:@/sock/u"),
        ("user=u password=p://x@y", "u:p://x@y@/var/run/postgresql/u"),
    ] {
        assert_eq!(of(text).map(|conninfo| read(&conninfo)).unwrap(), meant, "{text}");
    }
}

#[test]
fn what_a_password_was_not_encoded_for_is_named_and_not_shown() {
    for (text, culprit) in [
        ("postgres://u:a@S@h/db", '@'),
        ("postgres://u:a@b/S@h/db", '@'),
        ("postgres://u:S/x@h/db", '/'),
        ("postgres://u:1/S@h/db", '/'),
        ("postgres://u:/S@h/db", '/'),
        ("postgres://u:S?x@h/db", '?'),
        ("postgres://u:1?S@h/db", '?'),
        ("postgres://u:1?S=x@h/db", '?'),
        ("postgres://u:1?host=S@h/db", '?'),
        ("postgres://u:?S@h/db", '?'),
        ("postgres://u:S?user=x@h/db", '?'),
        ("postgres://u:S?options=x@h/db", '?'),
        ("postgres://u:1?user=S@h/db", '?'),
        ("postgres://u:1?user=S@h:5432", '?'),
        ("postgres://u:1?user=S@h?sslmode=require", '?'),
        ("postgres://u:1?options=S@h/db", '?'),
        ("postgres://u:1?options=S@", '?'),
        ("postgres://:1?options=S@", '?'),
        ("postgres://u:,a,S,b?password=x@h", '?'),
        ("postgres://u:1?password=S@h/db", '?'),
        ("postgres://u:1?application_name=S@h/db", '?'),
        ("postgres://u:1?sslmode=x&user=S@h/db", '?'),
        ("postgres://u:?user=S@h", '?'),
        ("postgres://u:1,2?user=S@h/db", '?'),
        ("postgres://u:1/x?user=S@h/db", '/'),
        ("postgres://u:1/x?options=S@h/db", '/'),
        ("postgres://u:a@S?user=x@h/db", '@'),
        ("postgres://u:a@S?user=x@h", '@'),
        ("postgres://u:a@S/x?user=x@h/db", '@'),
        ("postgres://u:S#x@h/db", '#'),
        ("postgres://u:1#S@h/db", '#'),
        ("postgres://u:p@h/db#S", '#'),
        ("postgres://u:S%x@h/db", '%'),
        ("postgres://u:S%@h/db", '%'),
        ("postgres://u:S%00@h/db", '%'),
        ("postgres://u:S%ff@h/db", '%'),
    ] {
        let error = of(&text.replace('S', SENTINEL)).expect_err(text);
        assert!(error.to_string().contains(&format!("\"{culprit}\"")), "{text}: {error}");
        assert!(error.hint().contains(&format!("%{:X}", u32::from(culprit))), "{text}: {error:?}");
        assert!(!format!("{error:?}").contains(SENTINEL), "{text}: {error:?}");
    }
}

#[test]
fn what_makes_no_sense_is_named_and_not_shown() {
    for (text, says) in [
        ("postgres://u:S/db", "port"),
        ("postgres://u@h:S/db", "port"),
        ("postgres://u@h:99999/db", "1 to 65535"),
        ("postgres://u@h:0/db", "1 to 65535"),
        ("postgres://::1/db", "more than one \":\""),
        ("postgres://u@[::1/db", "\"]\""),
        ("postgres://u@a,b,c/db?port=1,2", "equally long"),
        ("postgres://u@h/db?hostaddr=S", "hostaddr"),
        ("postgres://u@h/db?nosuchoption=S", "\"nosuchoption\""),
        ("postgres://u@h/db?S", "no \"=\""),
        ("postgres://u@h/db?sslmode=S", "sslmode"),
        ("postgres://u@h/db?sslpassword=S", "\"sslpassword\""),
        ("postgres://u@h/db?sslcrl=S", "\"sslcrl\""),
        ("postgres://u@h/db?gssencmode=require", "\"gssencmode\""),
        ("postgres://u@h/db?krbsrvname=S", "\"krbsrvname\""),
        ("postgres://u@h/db?require_auth=S", "\"require_auth\""),
        ("postgres://u@h/db?connect_timeout=S", "connect_timeout"),
        ("postgres://u@h/db?sslrootcert=system&sslmode=require", "verify-full"),
        ("postgres://u@h/db?sslnegotiation=direct", "sslmode=require"),
        ("host=h pasword=S", "\"pasword\""),
        ("host=h S", "without \"=\""),
        // What is left of a password with a space in it.
        ("host=h password=p S=x", "no connection option"),
        ("host=h S=x", "no connection option"),
        ("host=h user= password=S", "has no value"),
        ("host=h password='S", "does not end"),
    ] {
        let error = of(&text.replace('S', SENTINEL)).expect_err(text);
        assert!(error.to_string().contains(says), "{text}: {error}");
        assert!(!format!("{error:?}").contains(SENTINEL), "{text}: {error:?}");
    }
}

#[test]
fn a_url_is_one_whatever_words_it_holds() {
    assert!(Conninfo::is_pairs("sslmode=require password=p"));
    assert!(Conninfo::is_pairs("hots=h password=p://q"));
    assert!(!Conninfo::is_pairs("postgres://u:p@h/db?application_name=a password=b"));
}

#[test]
fn a_password_is_not_shown_by_what_holds_it() {
    let conninfo = of(&format!("postgres://u:{SENTINEL}@h/db")).unwrap();
    assert!(conninfo.has_password());
    assert!(!format!("{conninfo:?} {}", conninfo.place()).contains(SENTINEL));
}

#[test]
fn what_django_people_write_is_understood() {
    let conninfo = of("postgis://u@h/db?conn_max_age=600&ssl_require=True&CONN_HEALTH_CHECKS=true&currentSchema=my site").unwrap();
    assert_eq!(conninfo.tls.mode, Mode::Require);
    assert_eq!(conninfo.options.as_deref(), Some("-c search_path=my\\ site"));
    assert_eq!(conninfo.notes.len(), 1);
    assert!(conninfo.notes[0].ends_with("ignored here: conn_max_age, CONN_HEALTH_CHECKS"));
    let conninfo =
        of("postgres://h/db?sslmode=verify-full&ssl_require=true&options=-c%20a%3Db&search_path=x")
            .unwrap();
    assert_eq!(conninfo.tls.mode, Mode::VerifyFull);
    assert_eq!(conninfo.options.as_deref(), Some("-c a=b -c search_path=x"));
    let conninfo = of("postgres://h/db?assume_role=reader").unwrap();
    assert_eq!(conninfo.options.as_deref(), Some("-c role=reader"));
    assert_eq!(of("postgres://h/db?ssl_require=false").unwrap().tls.mode, Mode::Prefer);
    assert_eq!(of("postgres://h/db?sslrootcert=system").unwrap().tls.mode, Mode::VerifyFull);
}

#[test]
fn the_environment_is_asked_last() {
    let all = [
        ("PGHOST", "eh"),
        ("PGPORT", "7"),
        ("PGDATABASE", "edb"),
        ("PGUSER", "eu"),
        ("PGPASSWORD", "ep"),
        ("PGSSLMODE", "verify-ca"),
        ("PGSSLROOTCERT", "/root.crt"),
        ("PGTARGETSESSIONATTRS", "read-write"),
        ("PGAPPNAME", "night shift"),
        ("PGOPTIONS", "-c a=b"),
    ];
    let conninfo = Conninfo::of_environment(&surroundings(&all)).unwrap();
    assert_eq!(read(&conninfo), "eu:ep@eh:7/edb");
    assert_eq!(conninfo.tls.roots, Roots::Named("/root.crt".into()));
    assert_eq!(
        (conninfo.tls.mode, conninfo.wanted),
        (Mode::VerifyCa, TargetSessionAttrs::ReadWrite)
    );
    assert_eq!(
        (&*conninfo.application, conninfo.options.as_deref()),
        ("night shift", Some("-c a=b"))
    );
    assert!(!conninfo.has_password());
    let conninfo = with("postgres://u:p@h:1/db?sslmode=disable", &all).unwrap();
    assert_eq!((read(&conninfo), conninfo.tls.mode), ("u:p@h:1/db".into(), Mode::Disable));
    assert_eq!(read(&with("dbname=db", &all).unwrap()), "eu:ep@eh:7/db");
    assert_eq!(read(&with("host=h", &[("PGHOST", ""), ("PGPORT", "")]).unwrap()), "me:@h:5432/me");
    // The address of another host is not that of the one in the URL.
    assert_eq!(
        read(&with("postgres://h/db", &[("PGHOSTADDR", "10.0.0.9")]).unwrap()),
        "me:@h:5432/db"
    );
    let mode = |variables: &[_]| with("postgres://h", variables).unwrap().tls.mode;
    assert_eq!(mode(&[("PGREQUIRESSL", "1")]), Mode::Require);
    assert_eq!(mode(&[("PGREQUIRESSL", "1"), ("PGSSLMODE", "allow")]), Mode::Allow);
    let error = with("postgres://h", &[("PGREQUIREAUTH", SENTINEL)]).unwrap_err();
    assert!(error.to_string().contains("PGREQUIREAUTH") && !error.to_string().contains(SENTINEL));
}

#[test]
fn the_password_file_is_read_as_libpq_reads_it() {
    let file = r"# h:1:db:u:comment
other:1:db:u:wrong
h:2:db:u:wrong
h:1:db:u:ri\:ght\\
*:*:*:u:later
localhost:5432:*:me:socket
/so\:ck:*:db:*:folder
\*:*:*:*:literal star
";
    for (url, password) in [
        ("postgres://u@h:1/db", Some(r"ri:ght\")),
        ("postgres://u@elsewhere/x", Some("later")),
        ("postgres:///db", Some("socket")),
        ("postgres://x@h/db?host=/so:ck", Some("folder")),
        ("postgres://x@h/db", None),
        ("postgres://x@*/db", Some("literal star")),
    ] {
        let mut conninfo = of(url).unwrap();
        conninfo.take_passwords(file);
        let found = conninfo.hosts[0].password.as_ref().map(|password| &*password.0);
        assert_eq!(found, password, "{url}");
    }
}

#[test]
fn a_service_is_found_by_its_name() {
    let file = "[a]\nhost=x\n\n# comment\n[b]\n host=h\nport=1\nport=2\n[c]\nhost=x\n[d]\nservice=a\n[e]\nnosuch=S\n";
    let b = super::service::find("b", file).unwrap().unwrap();
    assert_eq!((b.get("host"), b.get("port")), (Some("h"), Some("1")));
    assert!(super::service::find("nosuch", file).unwrap().is_none());
    assert!(super::service::find("d", file).is_err());
    assert!(super::service::find("e", file).err().unwrap().to_string().contains("\"nosuch\""));
}

#[test]
fn a_folder_is_a_socket_and_a_name_is_not() {
    let place = |url: &str| of(url).unwrap().hosts.remove(0).place;
    assert_eq!(place("postgres://%2Fsock/db"), Place::Socket(Path::new("/sock").into()));
    assert_eq!(place("postgres://h/db"), Place::Network("h".into()));
}

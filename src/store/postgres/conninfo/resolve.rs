//! Turns the texts of connection parameters into typed values, with libpq's defaults.

use std::net::IpAddr;
use std::path::Path;
use std::time::Duration;

use super::parameters::{Parameters, flag, number, one_of};
use super::{
    ChannelBinding, Conninfo, Host, Keepalives, Place, Secret, SourceError, Surroundings,
    TargetSessionAttrs, Timeout, Tls,
};

pub(super) const PORT: u16 = 5432;
/// The socket folder of Debian's and most other servers, and libpq's default there.
pub(super) const SOCKET_FOLDER: &str = "/var/run/postgresql";

impl Conninfo {
    pub(super) fn resolve(
        mut parameters: Parameters,
        surroundings: &Surroundings,
    ) -> Result<Self, SourceError> {
        let text = |name: &str| parameters.get(name).filter(|value| !value.is_empty());
        demand_plain(&parameters)?;
        let user = text("user").map(str::to_owned).or_else(|| surroundings.user.clone());
        let user = user.ok_or_else(|| {
            SourceError::new(
                "no user given, and the system has no name for its own",
                "name it in the database URL, or in PGUSER",
            )
        })?;
        let database = text("dbname").map_or_else(|| user.clone(), str::to_owned);
        let application = text("application_name").or_else(|| text("fallback_application_name"));
        Ok(Self {
            hosts: hosts(&parameters)?,
            options: text("options").map(str::to_owned),
            application: application.unwrap_or("sessctl").to_owned(),
            timeout: number(&parameters, "connect_timeout")?.map(|seconds| {
                // As in libpq, 0 and less mean no limit.
                match u64::try_from(seconds) {
                    Ok(seconds) if seconds > 0 => Timeout::After(Duration::from_secs(seconds)),
                    _ => Timeout::Never,
                }
            }),
            keepalives: keepalives(&parameters)?,
            tls: Tls::resolve(&parameters, surroundings.home.as_deref())?,
            channel_binding: one_of(
                &parameters,
                "channel_binding",
                &[
                    ("disable", ChannelBinding::Disable),
                    ("prefer", ChannelBinding::Prefer),
                    ("require", ChannelBinding::Require),
                ],
                ChannelBinding::Prefer,
            )?,
            wanted: one_of(
                &parameters,
                "target_session_attrs",
                &[
                    ("any", TargetSessionAttrs::Any),
                    ("read-write", TargetSessionAttrs::ReadWrite),
                    ("read-only", TargetSessionAttrs::ReadOnly),
                    ("primary", TargetSessionAttrs::Primary),
                    ("standby", TargetSessionAttrs::Standby),
                    ("prefer-standby", TargetSessionAttrs::PreferStandby),
                ],
                TargetSessionAttrs::Any,
            )?,
            has_password: false,
            notes: std::mem::take(&mut parameters.notes),
            user,
            database,
        })
    }
}

/// Refuses a host, user or database that may be a password, put there by a slip in the connection string: sessctl and the
/// server show these.
fn demand_plain(parameters: &Parameters) -> Result<(), SourceError> {
    let odd: [(_, &[char]); 3] = [("host", &['=', ';', '@']), ("user", &['=']), ("dbname", &['='])];
    let is_odd = |(name, odd): &(&str, &[char])| {
        parameters.get(name).is_some_and(|value| value.contains(*odd))
    };
    let Some((name, odd)) = odd.into_iter().find(is_odd) else { return Ok(()) };
    let odd: Vec<_> = odd.iter().map(|odd| format!("\"{odd}\"")).collect();
    Err(SourceError::new(
        format!("{name} holds {} (it is not shown)", odd.join(" or ")),
        "options stand with blanks between them: host=h user=u password=p",
    ))
}

/// Combines the lists of hosts, addresses and ports.
fn hosts(parameters: &Parameters) -> Result<Vec<Host>, SourceError> {
    let list = |name: &str| -> Vec<&str> {
        parameters
            .get(name)
            .filter(|text| !text.is_empty())
            .map_or_else(Vec::new, |text| text.split(',').map(str::trim).collect())
    };
    let (names, addresses, ports) = (list("host"), list("hostaddr"), list("port"));
    let count = names.len().max(addresses.len()).max(1);
    let fits = |list: &[&str]| list.is_empty() || list.len() == count;
    if !fits(&names) || !fits(&addresses) || (ports.len() > 1 && ports.len() != count) {
        return Err(SourceError::new(
            "the lists of hosts, addresses and ports are not equally long",
            "give one port for all hosts, or as many as there are hosts",
        ));
    }
    let password = parameters.get("password").filter(|password| !password.is_empty());
    let at = |list: &[&str], index: usize| list.get(index).copied().unwrap_or_default().to_owned();
    (0..count)
        .map(|index| {
            let address = match &*at(&addresses, index) {
                "" => None,
                text => Some(text.parse::<IpAddr>().map_err(|_| {
                    SourceError::new("hostaddr is no IP address", "a name belongs into host")
                })?),
            };
            let place = match (&*at(&names, index), address) {
                ("", None) => Place::Socket(SOCKET_FOLDER.into()),
                ("", Some(address)) => Place::Network(address.to_string()),
                (name, _) if name.starts_with('/') => Place::Socket(Path::new(name).into()),
                (name, _) => Place::Network(name.to_owned()),
            };
            let port = match ports.get(index).or(ports.first()).copied().unwrap_or_default() {
                "" => PORT,
                text => text.parse().ok().filter(|port| *port != 0).ok_or_else(|| {
                    SourceError::new(
                        "the port is no number from 1 to 65535",
                        "5432 is the usual one",
                    )
                })?,
            };
            let password = password.map(|password| Secret(password.to_owned()));
            Ok(Host { place, address, port, password })
        })
        .collect()
}

fn keepalives(parameters: &Parameters) -> Result<Keepalives, SourceError> {
    let positive =
        |name| Ok(number(parameters, name)?.and_then(|n| u64::try_from(n).ok()).filter(|n| *n > 0));
    Ok(Keepalives {
        off: !flag(parameters, "keepalives", true)?,
        idle: positive("keepalives_idle")?.map(Duration::from_secs),
        interval: positive("keepalives_interval")?.map(Duration::from_secs),
        count: positive("keepalives_count")?.and_then(|n| u32::try_from(n).ok()),
        user_timeout: positive("tcp_user_timeout")?.map(Duration::from_millis),
    })
}

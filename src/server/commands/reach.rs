//! Where a server is, and with which app it is spoken to.
//!
//! Out of the same flags, environment and file that the server itself is configured with, so that
//! what stands there need not be said again; `--url` is for a server elsewhere. Nothing is
//! connected to here.

use super::context::Order;
use super::ending::Failure;
use crate::app::App;
use crate::server::banner::near_ip;
use crate::server::config::Config;
use clap::{Arg, ArgMatches, value_parser};
use hyper::Uri;
use std::fmt;
use std::net::IpAddr;
use std::path::PathBuf;

const URL: &str = "url";
const APP: &str = "app";
const CA: &str = "ca";

/// A server, as a client sees it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Place {
    /// A name or an address, without brackets.
    pub(super) host: String,
    /// The TCP port.
    pub(super) port: u16,
    /// What stands in front of every path: empty, or `/` and more.
    pub(super) prefix: String,
    /// Whom to believe that it is the server, when TLS is spoken.
    pub(super) tls: Option<Trust>,
    /// Whether it takes whoever comes from here for a proxy, which begins with a header of its own.
    pub(super) expects_proxy: bool,
}

/// Whom to believe.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub(super) struct Trust {
    /// Authorities beside those of the machine, a PEM file.
    pub(super) authorities: Option<PathBuf>,
    /// Files of the server's own certificates: whoever shows one of these is the server, whatever
    /// name it is for.
    pub(super) shown: Vec<PathBuf>,
}

/// What says which app is meant.
pub(super) fn app_arg() -> Arg {
    Arg::new(APP)
        .long(APP)
        .value_name("ID")
        .help("The app, by its id or key; needed when there are several")
}

/// What says where the server is, and which app is meant, beside the settings.
pub(super) fn args() -> [Arg; 3] {
    let [url, authorities] = place_args();
    [url, app_arg(), authorities]
}

/// What says where the server is, beside the settings.
pub(super) fn place_args() -> [Arg; 2] {
    let url = Arg::new(URL).long(URL).value_name("URL").help(
        "The server, such as wss://example.com/prefix; otherwise the one on this machine that the \
         settings describe",
    );
    let authorities = Arg::new(CA)
        .long(CA)
        .value_name("FILE")
        .value_parser(value_parser!(PathBuf))
        .help("Believe certificates of these authorities too, a PEM file");
    [url, authorities]
}

/// The server and the app that are meant.
///
/// # Errors
/// When a setting is refused, or when it is not clear which.
pub(super) fn find(order: &Order<'_>, matches: &ArgMatches) -> Result<(Place, App), Failure> {
    let config = order.config()?;
    let app = app(&config, matches)?;
    Ok((place(&config, matches)?, app))
}

/// The app that is meant.
///
/// # Errors
/// When there is none, or several.
pub(super) fn app(config: &Config, matches: &ArgMatches) -> Result<App, Failure> {
    let wanted = matches.get_one::<String>(APP);
    let named = |app: &&App| wanted.is_none_or(|name| app.id == *name || app.key == *name);
    let mut fitting = config.apps.iter().filter(named);
    let ids = || {
        let ids: Vec<&str> = config.apps.iter().map(|app| &app.id[..]).collect();
        ids.join(", ")
    };
    match (fitting.next(), fitting.next(), wanted) {
        (Some(app), None, _) => Ok(app.clone()),
        (_, Some(_), _) => Err(Failure::usage(format!(
            "there are several apps; say which one with --app: {}",
            ids()
        ))),
        (None, _, Some(name)) if !config.apps.is_empty() => Err(Failure::usage(format!(
            "no app has the id or key {name:?}; there are: {}",
            ids()
        ))),
        _ => Err(Failure::config(
            "there is no app; give --config a file with [[apps]], or set \
             SOKETI_DEFAULT_APP_ID, SOKETI_DEFAULT_APP_KEY and SOKETI_DEFAULT_APP_SECRET",
        )),
    }
}

/// The server that is meant.
///
/// # Errors
/// When it is not clear which.
pub(super) fn place(config: &Config, matches: &ArgMatches) -> Result<Place, Failure> {
    // Not every command goes there.
    let authorities = matches.try_get_one::<PathBuf>(CA).ok().flatten().cloned();
    if let Some(url) = matches.get_one::<String>(URL) {
        return by_url(url, authorities)
            .map_err(|reason| Failure::usage(format!("--url: {url:?} leads nowhere: {reason}")));
    }
    let certificates = config
        .tls_certificates
        .iter()
        .map(|files| files.cert.clone());
    let tls = config.tls_cert.clone().map(|cert| Trust {
        authorities,
        shown: std::iter::once(cert).chain(certificates).collect(),
    });
    let port = match &tls {
        Some(_) => config.tls_port.unwrap_or(config.port),
        None => config.port,
    };
    if port == 0 {
        return Err(Failure::usage(
            "the port is 0, which is any free one; say which one it became with --url",
        ));
    }
    let ip = near_ip(config.host);
    let is_trusted = config.trusted_proxies.iter().any(|it| it.contains(ip));
    Ok(Place {
        host: ip.to_string(),
        port,
        prefix: config.path_prefix.clone(),
        tls,
        expects_proxy: config.proxy_protocol && is_trusted,
    })
}

/// Whether it is not the server of the settings that is meant.
pub(super) fn is_elsewhere(matches: &ArgMatches) -> bool {
    matches.contains_id(URL)
}

/// The admin port of the server of the settings, if that is known.
pub(super) fn admin_place(config: &Config) -> Option<Place> {
    (config.admin_port != 0).then(|| Place {
        host: near_ip(config.admin_host).to_string(),
        port: config.admin_port,
        prefix: String::new(),
        tls: None,
        expects_proxy: false,
    })
}

/// Takes a URL apart.
fn by_url(url: &str, authorities: Option<PathBuf>) -> Result<Place, &'static str> {
    const EXPECTED: &str = "expected a URL such as wss://example.com";
    let uri: Uri = url.parse().map_err(|_| EXPECTED)?;
    let (tls, usual_port) = match uri.scheme_str() {
        Some("ws" | "http") => (None, 80),
        Some("wss" | "https") => {
            let shown = Vec::new();
            (Some(Trust { authorities, shown }), 443)
        }
        _ => return Err("expected it to begin with ws://, wss://, http:// or https://"),
    };
    if uri.query().is_some() {
        return Err("expected no ? in it");
    }
    let host = uri.host().unwrap_or("").trim_matches(['[', ']']);
    let port = uri.port_u16().unwrap_or(usual_port);
    if host.is_empty() || port == 0 {
        return Err(EXPECTED);
    }
    Ok(Place {
        host: host.to_owned(),
        port,
        prefix: uri.path().trim_end_matches('/').to_owned(),
        tls,
        expects_proxy: false,
    })
}

impl Place {
    /// Host and port, as they stand in a URL.
    pub(super) fn authority(&self) -> String {
        match self.host.parse() {
            Ok(IpAddr::V6(ip)) => format!("[{ip}]:{}", self.port),
            _ => format!("{}:{}", self.host, self.port),
        }
    }

    /// The URL of a path, with `ws` or `http` as its scheme, or what that is over TLS.
    pub(super) fn url(&self, scheme: &str, path: &str) -> String {
        let s = if self.tls.is_some() { "s" } else { "" };
        format!("{scheme}{s}://{}{}{path}", self.authority(), self.prefix)
    }
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.url("http", ""))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::CertificateFiles;
    use clap::Command;

    fn matches(arguments: &[&str]) -> ArgMatches {
        let all = std::iter::once("x").chain(arguments.iter().copied());
        Command::new("x").args(args()).get_matches_from(all)
    }

    fn found(config: &Config, arguments: &[&str]) -> Result<String, String> {
        let place = place(config, &matches(arguments));
        place.map(|it| it.to_string()).map_err(|it| it.to_string())
    }

    #[test]
    fn the_settings_say_where_it_is() {
        let mut config = Config::default();
        let at = |config: &Config| found(config, &[]).unwrap();
        assert_eq!(at(&config), "http://127.0.0.1:6001");
        config.host = "0.0.0.0".parse().unwrap();
        config.path_prefix = "/live".to_owned();
        assert_eq!(at(&config), "http://127.0.0.1:6001/live");
        config.host = "::".parse().unwrap();
        assert_eq!(at(&config), "http://[::1]:6001/live");
        config.tls_cert = Some("a.pem".into());
        assert_eq!(at(&config), "https://[::1]:6001/live");
        config.tls_port = Some(6002);
        assert_eq!(at(&config), "https://[::1]:6002/live");
        config.tls_port = Some(0);
        assert!(found(&config, &[]).unwrap_err().contains("--url"));
    }

    #[test]
    fn the_certificates_of_ones_own_server_are_believed() {
        let config = Config {
            tls_cert: Some("a.pem".into()),
            tls_certificates: vec![CertificateFiles::new("b.pem", "b.key")],
            ..Config::default()
        };
        let trust = |arguments: &[&str]| place(&config, &matches(arguments)).unwrap().tls;
        let shown = vec!["a.pem".into(), "b.pem".into()];
        let own = Trust {
            authorities: Some("c.pem".into()),
            shown,
        };
        assert_eq!(trust(&["--ca=c.pem"]), Some(own));
        let elsewhere = trust(&["--url=wss://example.com"]);
        assert_eq!(elsewhere, Some(Trust::default()));
        assert_eq!(trust(&["--url=ws://example.com"]), None);
    }

    #[test]
    fn a_url_says_it_for_a_server_elsewhere() {
        let at = |url: &str| found(&Config::default(), &[&format!("--url={url}")]);
        for (url, place) in [
            ("ws://example.com", "http://example.com:80"),
            ("https://example.com/", "https://example.com:443"),
            ("wss://[::1]:7000/live/", "https://[::1]:7000/live"),
        ] {
            assert_eq!(at(url).unwrap(), place);
        }
        for (url, reason) in [
            ("example.com:80", "expected it to begin with"),
            ("ftp://example.com", "expected it to begin with"),
            ("ws://example.com?a=1", "no ?"),
            ("ws://", "expected a URL"),
            ("ws://a:0", "expected a URL"),
            ("nowhere", "expected it to begin"),
        ] {
            let told = at(url).unwrap_err();
            assert!(told.contains(reason), "{url}: {told}");
        }
    }

    #[test]
    fn the_app_is_the_only_one_or_the_one_that_is_named() {
        let apps = |ids: &[&str]| Config {
            apps: ids
                .iter()
                .map(|id| App::new(*id, format!("k{id}"), "s"))
                .collect(),
            ..Config::default()
        };
        let chosen = |config: &Config, arguments: &[&str]| match app(config, &matches(arguments)) {
            Ok(app) => Ok(app.id),
            Err(failure) => Err((failure.number(), failure.to_string())),
        };
        let (one, two) = (apps(&["1"]), apps(&["1", "2"]));
        assert_eq!(chosen(&one, &[]), Ok("1".to_owned()));
        assert_eq!(chosen(&two, &["--app=2"]), Ok("2".to_owned()));
        assert_eq!(chosen(&two, &["--app=k1"]), Ok("1".to_owned()));
        let (code, told) = chosen(&two, &[]).unwrap_err();
        assert!(code == 64 && told.ends_with("--app: 1, 2"), "{told}");
        let (code, told) = chosen(&two, &["--app=3"]).unwrap_err();
        assert!(code == 64 && told.ends_with("there are: 1, 2"), "{told}");
        assert_eq!(chosen(&apps(&[]), &["--app=3"]).unwrap_err().0, 78);
    }
}

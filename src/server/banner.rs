//! What the server says about itself once it listens.
//!
//! Pure: it renders a text from what it is given and writes nothing. Invariants: no secret is in it
//! but the published one of the demo app; without colour it is plain text, whose every line stands
//! alone.

use std::fmt::Write;
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

use super::config::{Config, DEMO_APP_ID, DEMO_APP_KEY, DEMO_APP_SECRET};
use super::placement::{Placement, display_cores};

/// What the banner tells.
pub struct Banner<'a> {
    /// Where the server listens, with the port it really got.
    pub address: SocketAddr,
    /// Where TLS is spoken, which may be the same.
    pub tls_address: Option<SocketAddr>,
    /// The configuration in force.
    pub config: &'a Config,
    /// Where metrics and health are answered, if anywhere.
    pub admin: Option<SocketAddr>,
    /// Where the shards run.
    pub placement: &'a Placement,
    /// What the operator should know, one sentence each.
    pub warnings: &'a [String],
    /// How the program was called, without its folder.
    pub program: &'a str,
}

/// Whether to colour: a terminal reads it, and NO_COLOR (<https://no-color.org>) is unset or empty.
pub fn wants_colour(is_terminal: bool, no_color: Option<&str>) -> bool {
    is_terminal && no_color.is_none_or(str::is_empty)
}

impl Banner<'_> {
    /// The text, ending in a line break.
    pub fn render(&self, colour: bool) -> String {
        let paint = Paint { colour };
        let mut text = String::new();
        let version = env!("CARGO_PKG_VERSION");
        text.push_str(&format!("  {} {version}\n\n", paint.bold("shardcast")));
        self.listening(&mut text, &paint);
        self.running(&mut text);
        for warning in self.warnings {
            line(&mut text, &paint.yellow("warning"), warning);
        }
        text.push('\n');
        self.next(&mut text, &paint);
        text
    }

    fn listening(&self, text: &mut String, paint: &Paint) {
        let clear = (self.tls_address != Some(self.address)).then_some((self.address, ""));
        let encrypted = self.tls_address.map(|address| (address, "s"));
        let mut label = "listening";
        for (address, s) in clear.into_iter().chain(encrypted) {
            let (near, prefix) = (near(address), &self.config.path_prefix);
            let addresses = match self.config.apps.is_empty() {
                true => [format!("ws{s}://{near}"), format!("http{s}://{near}")],
                false => [
                    format!("ws{s}://{near}{prefix}/app/<key>"),
                    format!("http{s}://{near}{prefix}/apps/<id>/events"),
                ],
            };
            for address in addresses {
                line(text, std::mem::take(&mut label), &paint.bold(&address));
            }
        }
        if self.address.ip().is_unspecified() {
            // Whether `::` takes IPv4 too is up to the system.
            let kind = if self.address.is_ipv4() {
                "IPv4 address"
            } else {
                "address"
            };
            let port = self.address.port();
            let ports = match self.tls_address {
                Some(tls) if tls != self.address => format!("ports {port} and {}", tls.port()),
                _ => format!("port {port}"),
            };
            let rest = format!("and on every other {kind} of this machine, {ports}");
            line(text, "", &rest);
        }
        if let Some(admin) = self.admin {
            let admin = SocketAddr::new(near_ip(admin.ip()), admin.port());
            line(text, "metrics", &format!("http://{admin}/metrics"));
            line(text, "dashboard", &format!("http://{admin}/dashboard"));
        }
    }

    fn running(&self, text: &mut String) {
        let Placement {
            shards, control, ..
        } = self.placement;
        let mut distinct = shards.clone();
        distinct.sort_unstable();
        distinct.dedup();
        let control = match control {
            Some(core) => format!("; control thread on core {core}"),
            None => String::new(),
        };
        let shards = count(shards.len(), "shard");
        let noun = if distinct.len() == 1 { "core" } else { "cores" };
        line(
            text,
            "running",
            &format!("{shards} on {noun} {}{control}", display_cores(&distinct)),
        );
        if self.config.demo {
            let names = format!("id {DEMO_APP_ID}  key {DEMO_APP_KEY}  secret {DEMO_APP_SECRET}");
            line(text, "demo app", &names);
            line(
                text,
                "",
                "These are public, so the server can be reached from this machine only.",
            );
        } else if self.config.apps.is_empty() {
            line(text, "serving", "custom handlers");
        } else {
            line(text, "serving", &count(self.config.apps.len(), "app"));
        }
    }

    /// What to do now: something a newcomer can do in one step, then the next two.
    fn next(&self, text: &mut String, paint: &Paint) {
        if self.config.demo {
            let s = if self.tls_address == Some(self.address) {
                "s"
            } else {
                ""
            };
            let page = paint.bold(&format!("http{s}://{}/", near(self.address)));
            line(text, "try it", &format!("open {page} in a browser"));
        }
        if let Some(app) = self.config.apps.first() {
            line(text, "connect", &self.client(&app.key));
        }
        if self.config.demo {
            line(
                text,
                "your own",
                "set SOKETI_DEFAULT_APP_ID, SOKETI_DEFAULT_APP_KEY and SOKETI_DEFAULT_APP_SECRET",
            );
        }
        line(text, "settings", &format!("{} start --help", self.program));
        line(text, "stop", "Ctrl-C");
    }

    /// What connects pusher-js.
    fn client(&self, key: &str) -> String {
        let path = match &*self.config.path_prefix {
            "" => String::new(),
            prefix => format!("wsPath: {prefix:?}, "),
        };
        let (port, tls) = match self.tls_address {
            Some(address) => (format!("wssPort: {}", address.port()), true),
            None => (format!("wsPort: {}", self.address.port()), false),
        };
        format!(
            "new Pusher({key:?}, {{ wsHost: {:?}, {port}, {path}forceTLS: {tls}, \
             cluster: \"\", enabledTransports: [\"ws\"] }})",
            near_host(self.address.ip()),
        )
    }
}

/// The address as it is reached from this machine.
fn near(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(near_ip(address.ip()), address.port())
}

pub(super) fn near_ip(ip: IpAddr) -> IpAddr {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.into(),
        IpAddr::V6(ip) if ip.is_unspecified() => Ipv6Addr::LOCALHOST.into(),
        ip => ip,
    }
}

/// The host as pusher-js wants it: IPv6 in brackets, for it goes into a URL.
fn near_host(ip: IpAddr) -> String {
    match ip {
        IpAddr::V4(ip) if ip.is_unspecified() => Ipv4Addr::LOCALHOST.to_string(),
        IpAddr::V6(ip) if ip.is_unspecified() => format!("[{}]", Ipv6Addr::LOCALHOST),
        IpAddr::V4(ip) => ip.to_string(),
        IpAddr::V6(ip) => format!("[{ip}]"),
    }
}

fn count(n: usize, noun: &str) -> String {
    format!("{n} {noun}{}", if n == 1 { "" } else { "s" })
}

/// One line: a label in a column of its own, then the text.
fn line(text: &mut String, label: &str, what: &str) {
    // Escape sequences take no room on the screen, so they may not count.
    let width = 9 + label.len() - plain_width(label);
    writeln!(text, "  {label:<width$}  {what}").expect("writing to a string cannot fail");
}

fn plain_width(label: &str) -> usize {
    let mut width = 0;
    let mut escaped = false;
    for c in label.chars() {
        match c {
            '\u{1b}' => escaped = true,
            'm' if escaped => escaped = false,
            _ if escaped => {}
            _ => width += 1,
        }
    }
    width
}

struct Paint {
    colour: bool,
}

impl Paint {
    fn bold(&self, text: &str) -> String {
        self.wrap("1", text)
    }

    fn yellow(&self, text: &str) -> String {
        self.wrap("33", text)
    }

    fn wrap(&self, code: &str, text: &str) -> String {
        if self.colour {
            format!("\u{1b}[{code}m{text}\u{1b}[0m")
        } else {
            text.to_owned()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::app::App;

    fn placement() -> Placement {
        Placement {
            shards: vec![0, 1],
            control: Some(2),
            warning: None,
        }
    }

    fn demo() -> Config {
        let apps = vec![App::new(DEMO_APP_ID, DEMO_APP_KEY, DEMO_APP_SECRET)];
        Config {
            demo: true,
            apps,
            ..Config::default()
        }
    }

    fn rendered(address: &str, config: &Config, placement: &Placement, colour: bool) -> String {
        let address = address.parse().unwrap();
        let warnings = ["few files".to_owned(), "slow cores".to_owned()];
        Banner {
            address,
            tls_address: None,
            config,
            admin: Some("0.0.0.0:9601".parse().unwrap()),
            placement,
            warnings: &warnings,
            program: "shardcast",
        }
        .render(colour)
    }

    #[test]
    fn tls_is_told_where_it_is_spoken() {
        let config = demo();
        let render = |tls: &str| {
            Banner {
                address: "127.0.0.1:6001".parse().unwrap(),
                tls_address: Some(tls.parse().unwrap()),
                config: &config,
                admin: None,
                placement: &placement(),
                warnings: &[],
                program: "shardcast",
            }
            .render(false)
        };
        let both = render("127.0.0.1:6002");
        for part in [
            "listening  ws://127.0.0.1:6001/app/<key>",
            "wss://127.0.0.1:6002/app/<key>",
            "https://127.0.0.1:6002/apps/<id>/events",
            "open http://127.0.0.1:6001/ in",
            "wssPort: 6002, forceTLS: true",
        ] {
            assert!(both.contains(part), "{both}");
        }
        let alone = render("127.0.0.1:6001");
        assert!(
            !alone.contains(" ws://") && !alone.contains(" http://"),
            "{alone}"
        );
        assert!(
            alone.contains("listening  wss://127.0.0.1:6001/app/<key>"),
            "{alone}"
        );
    }

    #[test]
    fn the_demo_says_all_a_newcomer_needs() {
        let text = rendered("127.0.0.1:6001", &demo(), &placement(), false);
        for part in [
            "ws://127.0.0.1:6001/app/<key>",
            "http://127.0.0.1:6001/apps/<id>/events",
            "metrics    http://127.0.0.1:9601/metrics",
            "dashboard  http://127.0.0.1:9601/dashboard",
            "2 shards on cores 0-1; control thread on core 2",
            "id 1001  key app-key  secret app-secret",
            "open http://127.0.0.1:6001/ in a browser",
            "new Pusher(\"app-key\", { wsHost: \"127.0.0.1\", wsPort: 6001,",
            "SOKETI_DEFAULT_APP_SECRET",
            "few files",
            "slow cores",
            "shardcast start --help",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        assert!(
            text.is_ascii(),
            "readable on any terminal, and without escape sequences"
        );
        assert!(!text.contains('\u{1b}'));
    }

    // F29
    #[test]
    fn without_the_demo_no_secret_and_no_demo_page() {
        let apps = vec![App::new("7", "k7", "canary"), App::new("8", "k8", "canary")];
        let config = Config {
            apps,
            ..Config::default()
        };
        let one = Placement {
            shards: vec![3],
            control: None,
            warning: None,
        };
        let text = rendered("10.0.0.1:80", &config, &one, true);
        assert!(
            !text.contains("canary") && !text.contains("app-secret"),
            "{text}"
        );
        assert!(!text.contains("browser"), "{text}");
        for part in [
            "2 apps",
            "1 shard on core 3\n",
            "new Pusher(\"k7\"",
            "wsPort: 80,",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }

    #[test]
    fn without_an_app_there_is_no_word_of_pusher() {
        let text = rendered("127.0.0.1:80", &Config::default(), &placement(), false);
        for part in [
            "ws://127.0.0.1:80\n",
            "http://127.0.0.1:80\n",
            "custom handlers",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
        for part in ["app", "Pusher", "key"] {
            assert!(!text.contains(part), "{part} is in\n{text}");
        }
    }

    #[test]
    fn a_prefix_stands_in_every_address() {
        let config = Config {
            path_prefix: "/live".into(),
            ..demo()
        };
        let text = rendered("127.0.0.1:6001", &config, &placement(), false);
        for part in [
            "ws://127.0.0.1:6001/live/app/<key>",
            "http://127.0.0.1:6001/live/apps/<id>/events",
            "wsPort: 6001, wsPath: \"/live\", forceTLS",
            "open http://127.0.0.1:6001/ in a browser",
        ] {
            assert!(text.contains(part), "{part} is not in\n{text}");
        }
    }

    #[test]
    fn addresses_are_ones_that_can_be_opened() {
        let config = Config {
            apps: vec![App::new("7", "k7", "s")],
            ..Config::default()
        };
        for (address, parts) in [
            (
                "0.0.0.0:6001",
                [
                    "ws://127.0.0.1:6001/",
                    "every other IPv4 address",
                    "\"127.0.0.1\"",
                ],
            ),
            (
                "[::]:6001",
                ["ws://[::1]:6001/", "every other address", "\"[::1]\""],
            ),
            (
                "[::1]:80",
                ["ws://[::1]:80/", "wsPort: 80", "wsHost: \"[::1]\""],
            ),
        ] {
            let text = rendered(address, &config, &placement(), false);
            for part in parts {
                assert!(text.contains(part), "{part} is not in\n{text}");
            }
        }
    }

    #[test]
    fn shards_that_share_cores_are_counted_apart_from_them() {
        let shared = Placement {
            shards: vec![0, 1, 0],
            control: None,
            warning: None,
        };
        let text = rendered("127.0.0.1:1", &demo(), &shared, false);
        assert!(text.contains("3 shards on cores 0-1\n"), "{text}");
    }

    #[test]
    fn colour_changes_nothing_but_colour() {
        let plain = rendered("127.0.0.1:6001", &demo(), &placement(), false);
        let mut coloured = rendered("127.0.0.1:6001", &demo(), &placement(), true);
        assert_ne!(plain, coloured);
        for escape in ["\u{1b}[1m", "\u{1b}[33m", "\u{1b}[0m"] {
            coloured = coloured.replace(escape, "");
        }
        assert_eq!(plain, coloured);
    }

    #[test]
    fn colour_is_for_terminals_whose_owner_wants_it() {
        assert!(wants_colour(true, None));
        assert!(wants_colour(true, Some("")));
        assert!(!wants_colour(true, Some("1")));
        assert!(!wants_colour(true, Some("0")));
        assert!(!wants_colour(false, None));
    }
}

//! Variables that Kubernetes makes: for each Service of a namespace some that begin with its name,
//! in every pod. A Service that is called as a server is makes such as look like settings.
//!
//! Nobody wrote them, so none is a mistake of somebody. Invariant: nothing that somebody wrote for
//! a server is taken for one of them.

/// What stands in front of the address of such a variable.
const SCHEMES: [&str; 3] = ["tcp://", "udp://", "sctp://"];

/// Whether a variable is one that Kubernetes makes: `NAME_PORT=tcp://10.0.0.1:6001`, and what else
/// there is of a Service.
pub(super) fn is_link(name: &str, value: &str) -> bool {
    let is_address = SCHEMES.iter().any(|scheme| value.starts_with(scheme));
    let is_port = name.ends_with("_PORT") && is_address;
    let is_service = name.ends_with("_SERVICE_HOST") || name.ends_with("_SERVICE_PORT");
    // Of a port with a name.
    let is_named = name.contains("_SERVICE_PORT_");
    is_port || is_service || is_named || is_numbered(name)
}

/// `_PORT_6001_TCP`, with `_PROTO`, `_PORT` or `_ADDR` behind it or without.
fn is_numbered(name: &str) -> bool {
    let mut places = name
        .match_indices("_PORT_")
        .map(|(at, found)| at + found.len());
    places.any(|at| {
        let Some((number, rest)) = name[at..].split_once('_') else {
            return false;
        };
        let protocol = rest.split('_').next().unwrap_or_default();
        let is_number = !number.is_empty() && number.bytes().all(|byte| byte.is_ascii_digit());
        is_number && ["TCP", "UDP", "SCTP"].contains(&protocol)
    })
}

/// What to say of one that has the name of a setting.
pub(super) fn passed_over(name: &str) -> String {
    format!(
        "{name} is passed over: it holds what Kubernetes sets for a Service of that name; \
         `enableServiceLinks: false` of the pod leaves such variables out"
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_service_makes_is_known() {
        let address = "tcp://10.0.0.1:6001";
        for (name, value, is_made) in [
            ("SOKETI_PORT", address, true),
            ("SHARDCAST_ADMIN_PORT", address, true),
            ("REVERB_PORT", "udp://10.0.0.1:53", true),
            ("REVERB_SERVICE_HOST", "10.0.0.1", true),
            ("REVERB_SERVICE_PORT", "8080", true),
            ("REVERB_SERVICE_PORT_HTTP", "8080", true),
            ("REVERB_PORT_8080_TCP", address, true),
            ("REVERB_PORT_8080_TCP_PROTO", "tcp", true),
            ("SHARDCAST_ADMIN_PORT_9601_TCP_ADDR", "10.0.0.1", true),
            ("SOKETI_PORT", "6001", false),
            ("SOKETI_HOST", address, false),
            ("SHARDCAST_PORT_8080", "1", false),
            ("SHARDCAST_PORT_NAME_TCP", "1", false),
            ("SHARDCAST_PORT_", "1", false),
        ] {
            assert_eq!(is_link(name, value), is_made, "{name}={value}");
        }
    }
}

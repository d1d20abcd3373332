//! `check`: whether a server with this configuration would start here, and what it would be.
//!
//! Invariant: what keeps a server from starting ends this with the same sentence and exit code.

use super::context::Context;
use super::ending::Failure;
use super::terminal::{plain_json, say, table};
use crate::control::Certificates;
use crate::error::ConfigError;
use crate::server::config::{Flags, Invocation, load_flags};
use crate::server::doors;
use crate::server::launch::webhook_routes;
use crate::server::placement::{self, Cores, display_cores};
use crate::server::preflight::{self, Host, Limit, Refusal, RingProbe};
use serde_json::json as object;
use std::fs;

/// Checks, and says what was found.
///
/// # Errors
/// What would keep the server from starting, after everything else was said.
pub(in crate::server) fn check(
    context: &Context,
    flags: Result<Flags, ConfigError>,
    cores: &Cores,
    json: bool,
) -> Result<(), Failure> {
    let variables = context.variables.iter().cloned();
    let asked = flags
        .and_then(|flags| load_flags(flags, variables, &cores.usable, context.unconfigured))
        .map_err(Failure::from);
    let asked = match asked {
        Ok(asked) => asked,
        Err(failure) if json => {
            let answer = object!({ "good": false, "error": failure.to_string() });
            say(&(plain_json(&answer.to_string()) + "\n"))?;
            return Err(failure);
        }
        Err(failure) => return Err(failure),
    };
    let config = &asked.config;
    let blame = asked.blame();
    let routes = webhook_routes(config).map_err(|error| Failure::of_start(&error, &blame));
    let certificates =
        doors::certificates(config).map_err(|error| Failure::of_start(&error, &blame));
    let placement = placement::place(cores, &config.cores, config.shards);
    let (host, verdict) = preflight::examine(placement.shards.len(), config.ring_depth);
    let somaxconn = somaxconn();
    let mut warnings = asked.warnings.clone();
    warnings.extend(placement.warning.clone());
    if let Ok(verdict) = &verdict {
        warnings.extend(verdict.warnings.iter().map(ToString::to_string));
    }
    warnings.extend(too_long(config.backlog, somaxconn));
    if let Ok(certificates) = &certificates {
        warnings.extend(certificates.iter().flat_map(Certificates::warnings));
    }
    let verdict = verdict.map_err(|refusal| Failure::with(Refusal::EXIT_CODE, refusal.to_string()));
    let depth = verdict.as_ref().map(|verdict| verdict.ring_depth).ok();
    let rows = machine(&host, somaxconn, cores, &placement, depth);
    // In the order in which a start finds them.
    let ended = routes.map(drop).and(verdict.map(drop));
    let ended = ended.and(certificates.map(drop));
    say(&match json {
        true => as_json(&asked, &rows, &warnings, &ended),
        false => as_text(&asked, &rows, &warnings, &ended),
    })?;
    ended
}

fn as_text(
    asked: &Invocation,
    machine: &[[String; 2]],
    warnings: &[String],
    ended: &Result<(), Failure>,
) -> String {
    let mut text = asked.print_config() + "\n# This machine:\n";
    for line in table(machine).lines() {
        text += &format!("#   {line}\n");
    }
    text.push('\n');
    for warning in warnings {
        text += &format!("warning: {warning}\n");
    }
    for note in &asked.notes {
        text += &format!("note: {note}\n");
    }
    if ended.is_ok() {
        text += "The configuration is good, and this machine can run it.\n";
    }
    text
}

fn as_json(
    asked: &Invocation,
    machine: &[[String; 2]],
    warnings: &[String],
    ended: &Result<(), Failure>,
) -> String {
    let mut answer = asked.print_json();
    let machine = machine
        .iter()
        .map(|[name, found]| (name.clone(), found.clone().into()));
    answer["machine"] = serde_json::Value::Object(machine.collect());
    answer["warnings"] = object!(warnings);
    answer["notes"] = object!(asked.notes);
    answer["good"] = object!(ended.is_ok());
    if let Err(failure) = ended {
        answer["error"] = object!(failure.to_string());
    }
    plain_json(&answer.to_string()) + "\n"
}

/// What there is to know about it.
fn machine(
    host: &Host,
    somaxconn: Option<u32>,
    cores: &Cores,
    placement: &placement::Placement,
    ring_depth: Option<usize>,
) -> Vec<[String; 2]> {
    let ring = match &host.ring {
        RingProbe::Works => "allowed, with every operation that is needed".to_owned(),
        RingProbe::Refused { call, errno } => format!("refused: {call}, error {errno}"),
        RingProbe::Lacks(names) => format!("lacks {}", names.join(", ")),
    };
    let depth = ring_depth.map_or(String::new(), |depth| {
        format!(", depth {depth} for each ring")
    });
    let counted = if host.ipc_lock {
        ", not counted here"
    } else {
        ""
    };
    let control = match placement.control {
        Some(core) => format!(", control thread on {core}"),
        None => String::new(),
    };
    let shards = placement.shards.len();
    let on = display_cores(&placement.shards);
    let rows = [
        ("kernel", host.kernel.clone()),
        ("io_uring", format!("{ring}{depth}")),
        (
            "seccomp",
            if host.seccomp {
                "a filter"
            } else {
                "no filter"
            }
            .to_owned(),
        ),
        (
            "memlock",
            format!("{}{counted}", limit(host.memlock, " bytes")),
        ),
        ("nofile", limit(host.nofile, " files")),
        (
            "somaxconn",
            somaxconn.map_or_else(|| "unknown".to_owned(), |most| most.to_string()),
        ),
        (
            "cores",
            format!(
                "{} may be used, as much as {}",
                display_cores(&cores.usable),
                cores.budget
            ),
        ),
        ("shards", format!("{shards} on {on}{control}")),
    ];
    rows.map(|(name, found)| [name.to_owned(), found]).into()
}

fn limit(limit: Limit, unit: &str) -> String {
    match limit.soft {
        Some(most) => format!("{most}{unit}"),
        None => "no limit".to_owned(),
    }
}

/// The longest queue of connections that the kernel keeps for a listener.
fn somaxconn() -> Option<u32> {
    let text = fs::read_to_string("/proc/sys/net/core/somaxconn").ok()?;
    text.trim().parse().ok()
}

/// The kernel shortens a longer one without a word.
fn too_long(backlog: u32, somaxconn: Option<u32>) -> Option<String> {
    let most = somaxconn.filter(|most| *most < backlog)?;
    Some(format!(
        "backlog is {backlog}, but the kernel allows {most}: set net.core.somaxconn to as much \
         (sysctl -w net.core.somaxconn={backlog})"
    ))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_backlog_that_the_kernel_shortens_is_a_warning() {
        assert_eq!(too_long(4096, Some(4096)), None);
        assert_eq!(too_long(4096, None), None);
        let told = too_long(4096, Some(4095)).unwrap();
        assert!(
            told.contains("allows 4095") && told.contains("somaxconn=4096"),
            "{told}"
        );
    }
}

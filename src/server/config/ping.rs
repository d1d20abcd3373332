//! Reverb's interval of pings, which is two settings here together: the activity timeout, which
//! clients are told, and a time after it.
//!
//! Invariant: it is made a setting of when all variables are known, since the timeout may stand
//! elsewhere.

use super::knob::{Accepts, Unit, Value};
use super::laravel_names::PING_INTERVAL;
use super::layers::Settings;
use super::server_knobs::SERVER;
use super::settings::Config;
use super::variable::Variable;
use crate::app::App;
use crate::error::{ConfigError, Source};

/// The setting that it is made.
pub(super) const KEY: &str = "activity_grace_ms";

/// The least value of that.
const GRACE_LEAST_MS: u64 = 100;

/// Seconds after which Reverb tells its clients to ping, unless set.
const REVERB_ACTIVITY_S: u32 = 30;

/// Reads the interval, in seconds.
///
/// # Errors
/// When it is none.
pub(super) fn read(text: &str, source: &Source) -> Result<u64, ConfigError> {
    let accepts = Accepts::Whole {
        least: 1,
        most: 3600,
        unit: Unit::Seconds,
    };
    let read = Variable::same(PING_INTERVAL).read(&accepts, text);
    read.map(Value::whole).map_err(|reason| ConfigError {
        key: KEY.to_owned(),
        value: Some(text.to_owned()),
        source: source.clone(),
        reason,
    })
}

/// Gives the server what is left of an interval behind the app's activity timeout; says so where
/// nothing is.
pub(super) fn give(
    server: &mut Settings<Config>,
    app: &Settings<App>,
    interval_s: u64,
    source: Source,
) -> Option<String> {
    let mut described = App::new("", "", "");
    described.activity_timeout_s = REVERB_ACTIVITY_S;
    app.apply(&mut described);
    let told_s = u64::from(described.activity_timeout_s);
    let grace_ms = (interval_s * 1000).saturating_sub(told_s * 1000);
    let warning = (interval_s < told_s).then(|| {
        format!(
            "{source} asks for a ping after {interval_s} s of silence, but clients are told to \
             ping by themselves after {told_s} s (activity_timeout_s), and nobody is pinged \
             before; set REVERB_APP_ACTIVITY_TIMEOUT to {interval_s} or less"
        )
    });
    let place = Settings::find(SERVER, KEY, &[]).expect("it is a setting");
    server.give(place, Value::Whole(grace_ms.max(GRACE_LEAST_MS)), source);
    warning
}
